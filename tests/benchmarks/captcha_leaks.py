"""What an attacker learns from the sheets of the CAPTCHA's grid door. Prints Markdown.

    python -m tests.benchmarks.captcha_leaks [FOLDER_OF_PICTURES] [--tiles 10000] [SETTING …]

An attacker begins attempts, from one address or from many, beside honest visitors whose answers are
taken in; all against the real services, sheets and a real database of its own. The attacker cuts
each sheet into its tiles and compares each with all earlier ones: by two perceptual hashes of 64
bits, and by 16 × 16 pixels in grey of equal mean and spread. Three things are told:

- how well a picture is recognised that was shown before; the distance within which two tiles
  are taken for one is chosen by the first half of the tiles, and used in the other;
- how well what was seen of a pair (a picture and a concept) tells whether its truth is known, even
  to somebody who recognises all pictures: classifiers as in `telling_gold`;
- which share of later attempts passes by a book alone in which people wrote the truth of all that
  was seen, with "no" for all that is not in it.

Pictures are those of the demo unless a folder is named. What a picture shows is drawn at random.
"""

import argparse
import functools
import io
import os
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from scipy.fft import dctn

from tests.benchmarks import telling_gold

if TYPE_CHECKING:
    from labeling.models import Attempt, Project, Site

DEMO = Path("config/demo_project/node_modules/@lobehub/fluent-emoji-3d/assets")
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
PICTURES = 1_200
YES = 0.3  # share of pictures that show a concept
RIGHT = 0.95  # how often honest visitors are
BOOKS = 100, 1_000, 10_000  # tiles in a book
TRIES = 100  # attempts by each book
SIDE = 16  # pixels of a tile, as they are compared
DCT_SIDE = 32  # pixels, of which the lowest 8 × 8 frequencies are kept
CHUNK = 500

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Setting:
    yes: int  # gold of each concept
    no: int
    concepts: int
    many: bool  # addresses: each attempt has one of its own
    attempts_a_minute: int  # the attacker's; with as many honest ones


SETTINGS = {
    "little gold, one address": Setting(20, 40, 4, many=False, attempts_a_minute=4),
    "little gold, many addresses": Setting(20, 40, 4, many=True, attempts_a_minute=60),
    "much gold, one address": Setting(400, 600, 2, many=False, attempts_a_minute=4),
    "much gold, many addresses": Setting(400, 600, 2, many=True, attempts_a_minute=60),
}


@dataclass
class Cell:
    """A tile as it was shown."""

    tile: int
    concept: int
    known: bool
    shows: bool
    place: int
    sheet: int  # its number
    pixels: Floats
    hashes: tuple[int, int]


@dataclass
class Seen:
    """What was seen of a pair of a picture and a concept."""

    known: bool = False
    sheets: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    sheet_ms: list[float] = field(default_factory=list)
    answer_ms: list[float] = field(default_factory=list)
    passed: list[bool] = field(default_factory=list)
    together: list[tuple[int, int]] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=DEMO)
    parser.add_argument("settings", nargs="*", default=list(SETTINGS))
    parser.add_argument("--tiles", type=int, default=10_000)
    parser.add_argument("--tries", type=int, default=TRIES)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as data_dir:
        os.environ |= {"DATA_DIR": data_dir, "DJANGO_SETTINGS_MODULE": "config.settings"}
        os.environ |= dict.fromkeys(("CAPTCHA_ADDRESS_RATE", "CAPTCHA_RATE"), "10000000")
        os.environ |= {"CAPTCHA_SITE_RATE": "10000000"}
        os.environ.pop("DATABASE_URL", None)
        from config import servers

        with servers.ensure(Path(data_dir)):
            import django
            from django.core.management import call_command

            django.setup()
            call_command("migrate", verbosity=0)
            for name in wanted.settings:
                start = time.perf_counter()
                attack = Attack(name, wanted)
                attack.run()
                report(attack)
                print(f"<!-- {time.perf_counter() - start:.0f} s -->", file=sys.stderr, flush=True)


class Attack:
    """What one attacker sees at a site, and what becomes of it."""

    def __init__(self, name: str, wanted: argparse.Namespace) -> None:
        self.name, self.setting, self.wanted = name, SETTINGS[name], wanted
        random.seed(1)
        self.dice = random.Random(2)
        self.site, self.truth = make_site(name, self.setting, wanted.folder)
        self.cells: list[Cell] = []
        self.seen: dict[tuple[int, int], Seen] = defaultdict(Seen)
        self.sheets = 0
        self.books: dict[int, str] = {}

    def run(self) -> None:
        from labeling.captcha import intake

        number = 0
        while len(self.cells) < self.wanted.tiles:
            if number % self.setting.attempts_a_minute == 0:
                self._wait_a_minute()
            self._look(f"10.{number >> 8}.{number & 255}.1" if self.setting.many else "10.0.0.1")
            self._visit(f"172.16.{number >> 8}.{number & 255}")
            intake.run(seconds=5)
            number += 1
            for size in BOOKS:
                if size not in self.books and len(self.cells) >= size:
                    self.books[size] = self._try_book(size)

    def _wait_a_minute(self) -> None:
        """Read the decks again, and let everybody begin again."""
        from django.core.cache import cache

        from labeling.captcha import decks, limits

        decks.forget()
        limits.forget()
        cache.clear()

    def _look(self, address: str) -> None:
        """Begin an attempt, look at its sheets, and answer it well."""
        from labeling.captcha import attempts
        from tests.labeling.captcha import birds

        attempt = birds.begin(self.site, address)
        shown = []
        for number in (1, 2):
            start = time.perf_counter()
            sheet = render(attempt, number)
            shown.append((sheet, 1000 * (time.perf_counter() - start)))
        start, passed, took = 0.0, False, 0.0
        for number in (1, 2):
            if attempt.state == "asked" and not passed:
                birds.look(attempt)
                part = attempts.part_of_round(attempt, number)
                says = [self.shows(attempt, place) for place in range(*part.indices(32))]
                start = time.perf_counter()
                step = attempts.answer(
                    attempt, number=number, selected=[n for n, yes in enumerate(says, 1) if yes]
                )
                took = 1000 * (time.perf_counter() - start)
                passed = bool(step.response)
                attempt.refresh_from_db()
            self._note(attempt, number, *shown[number - 1], took, passed)

    def _visit(self, address: str) -> None:
        """Let an honest visitor answer."""
        from tests.labeling.captcha import birds

        attempt = birds.begin(self.site, address)
        for number in (1, 2):
            if attempt.state == "asked":
                birds.answer(
                    attempt,
                    lambda place: self.shows(attempt, place) == (self.dice.random() < RIGHT),
                    number,
                )
                attempt.refresh_from_db()

    def shows(self, attempt: "Attempt", place: int) -> bool:
        return self.truth[attempt.tiles[place], attempt.concepts[place // 16]]

    def _note(
        self, attempt: "Attempt", number: int, sheet: bytes, ms: float, took: float, passed: bool
    ) -> None:
        self.sheets += 1
        concept = attempt.concepts[number - 1]
        places = range(16 * (number - 1), 16 * number)
        pairs = [(attempt.tiles[place], concept) for place in places]
        for place, pixels in enumerate(cut(sheet)):
            tile, known = pairs[place][0], attempt.known[places[place]] >= 0
            self.cells.append(
                Cell(
                    tile,
                    concept,
                    known,
                    self.truth[tile, concept],
                    place,
                    self.sheets,
                    small(pixels),
                    (difference(pixels), dct_hash(pixels)),
                )
            )
            seen = self.seen[pairs[place]]
            if not seen.sheets:
                seen.known = known
            seen.sheets.append(self.sheets)
            seen.places.append(place)
            seen.sizes.append(len(sheet))
            seen.sheet_ms.append(ms)
            seen.answer_ms.append(took)
            seen.passed.append(passed)
            seen.together += [pair for pair in pairs if pair != pairs[place]]

    def _try_book(self, size: int) -> str:
        """Return how many new attempts pass by a book of the first tiles alone."""
        from labeling.captcha import composing, passing, statistics
        from labeling.models import Attempt

        book = self.cells[:size]
        vectors = np.array([cell.pixels for cell in book])
        within = self._within(size)
        passed = found = asked = 0
        threshold = passing.GRID_THRESHOLDS["normal"]
        for _ in range(self.wanted.tries):
            rounds = composing.compose(self.site.project)
            assert rounds is not None
            attempt = Attempt(
                site=self.site,
                door="grid",
                tiles=[card.tile for card in rounds.cards],
                concepts=rounds.concepts,
                first_round=rounds.first_round,
            )
            known = [card.known for card in rounds.cards]
            predicted = [card.predicted for card in rounds.cards]
            values: list[bool] = []
            for number in (1, 2):
                tiles = np.array([small(each) for each in cut(render(attempt, number))])
                distances = 1 - tiles @ vectors.T
                for row in distances:
                    asked += 1
                    near = np.flatnonzero(row <= within)
                    about = [n for n in near if book[n].concept == rounds.concepts[number - 1]]
                    found += bool(about)
                    best = min(about, key=lambda n: row[n], default=None)
                    values.append(best is not None and book[best].shows)
                evidence = passing.grid_evidence(
                    values, known[: len(values)], predicted[: len(values)], first_round=16
                )
                outcome = passing.decide(evidence, threshold=threshold, last_round=number == 2)
                if outcome is not passing.Outcome.ANOTHER:
                    break
            passed += outcome is passing.Outcome.PASSED
        share = statistics.share(passed, self.wanted.tries)
        assert share is not None
        return f"{share.share:.1%} ({share.low:.1%}–{share.high:.1%}) | {found / asked:.0%}"

    def _within(self, size: int) -> float:
        """Return the distance of pixels within which tiles are one, as the first ones tell."""
        tiles = np.array([cell.tile for cell in self.cells[:size]])
        nearest, index = nearest_pixels(self.cells[:size])
        return best_cut(nearest, tiles[index] == tiles, first_half=False)

    def rows(self) -> telling_gold.Rows:
        """Return what was seen of each pair, by somebody who recognises all pictures."""
        of_tile: Counter[int] = Counter()
        for (tile, _concept), seen in self.seen.items():
            of_tile[tile] += len(seen.sheets)
        table = [features(pair, seen, of_tile, self.seen) for pair, seen in self.seen.items()]
        labels = ["gold" if seen.known else "open" for seen in self.seen.values()]
        return telling_gold.Rows(
            np.array(labels), list(table[0]), np.array([list(row.values()) for row in table])
        )


def features(
    pair: tuple[int, int],
    seen: Seen,
    of_tile: Counter[int],
    all_seen: dict[tuple[int, int], Seen],
) -> dict[str, float]:
    others = [len(all_seen[other].sheets) for other in seen.together]
    gaps = np.diff(seen.sheets)
    # Some showing: a mean of several tells how many there were, and the first one how early it was.
    one = random.Random(f"{pair}").randrange(len(seen.sheets))
    mean = telling_gold.mean
    return {
        "showings": len(seen.sheets),
        "showings of the picture": of_tile[pair[0]],
        "first": seen.sheets[0],
        "last": seen.sheets[-1],
        "least gap": float(gaps.min()) if len(gaps) else -1,
        "mean gap": float(gaps.mean()) if len(gaps) else -1,
        "others' showings": mean(others),
        "others that come again": 1 - len(set(seen.together)) / len(seen.together),
        "place": seen.places[one],
        "size of the sheet": seen.sizes[one],
        "time of the sheet": seen.sheet_ms[one],
        "time of the answer": seen.answer_ms[one],
        "passed": float(seen.passed[one]),
    }


BESIDE = "place", "size of the sheet", "time of the sheet", "time of the answer", "passed"


def report(attack: Attack) -> None:
    cells = attack.cells
    pictures = len({cell.tile for cell in cells})
    print(f"**{attack.name}**: {len(cells):,} tiles seen, of {pictures:,} pictures\n")
    print("| recognised by | precision | recall |\n|---|---:|---:|")
    for name, distances in ways(cells):
        precision, recall = recognition(cells, *distances)
        print(f"| {name} | {precision:.1%} | {recall:.1%} |")
    rows = attack.rows()
    counts = Counter(rows.labels)
    rest = rows.without(set(rows.names) - set(BESIDE))
    print(f"\n{counts['gold']:,} known pairs, {counts['open']:,} open ones. Known, AUC: ", end="")
    print(f"{telling_gold.evaluate(rows)}; a single showing of each:", end=" ")
    print(f"{telling_gold.evaluate(rest)}\n")
    print("| tiles in the book | attempts that pass by it alone | tiles that are in it |")
    print("|---:|---:|---:|")
    for size, line in attack.books.items():
        print(f"| {size:,} | {line} |")
    print(flush=True)


Nearest = tuple[Floats, npt.NDArray[np.intp]]


def ways(cells: Sequence[Cell]) -> list[tuple[str, Nearest]]:
    return [
        ("difference hash", nearest_hash([cell.hashes[0] for cell in cells])),
        ("DCT hash", nearest_hash([cell.hashes[1] for cell in cells])),
        ("pixels", nearest_pixels(cells)),
    ]


def nearest_hash(hashes: Sequence[int]) -> Nearest:
    """Return for each tile how far the nearest earlier one is, and which that is."""
    values = np.array(hashes, np.uint64)

    def distances(start: int, stop: int) -> Floats:
        bits: Floats = np.bitwise_count(values[start:stop, None] ^ values[:stop]).astype(float)
        return bits

    return _nearest(len(values), distances)


def nearest_pixels(cells: Sequence[Cell]) -> Nearest:
    values = np.array([cell.pixels for cell in cells])
    return _nearest(len(values), lambda start, stop: 1 - values[start:stop] @ values[:stop].T)


def _nearest(count: int, distances: Any) -> Nearest:
    nearest, index = np.full(count, np.inf), np.zeros(count, np.intp)
    for start in range(0, count, CHUNK):
        stop = min(start + CHUNK, count)
        rows = distances(start, stop)
        later = np.arange(stop) >= np.arange(start, stop)[:, None]
        rows[later] = np.inf
        index[start:stop] = rows.argmin(1)
        nearest[start:stop] = rows.min(1)
    return nearest, index


def recognition(
    cells: Sequence[Cell], nearest: Floats, index: npt.NDArray[np.intp]
) -> tuple[float, float]:
    """Return precision and recall of taking the later half of the tiles for earlier ones."""
    tiles = np.array([cell.tile for cell in cells])
    is_right = tiles[index] == tiles
    within = best_cut(nearest, is_right, first_half=True)
    half = len(cells) // 2
    before: set[int] = set()
    again = []
    for tile in tiles.tolist():
        again.append(tile in before)
        before.add(tile)
    taken = (nearest <= within)[half:]
    hits = (taken & is_right[half:]).sum()
    return float(hits / max(taken.sum(), 1)), float(hits / max(np.array(again)[half:].sum(), 1))


def best_cut(nearest: Floats, is_right: npt.NDArray[np.bool_], *, first_half: bool) -> float:
    """Return the distance that gives the most right matches, less the wrong ones."""
    stop = len(nearest) // 2 if first_half else len(nearest)
    order = nearest[:stop].argsort()
    gain = np.where(is_right[:stop][order], 1, -1).cumsum()
    return float(nearest[:stop][order[int(gain.argmax())]])


def render(attempt: "Attempt", number: int) -> bytes:
    from labeling.captcha import attempts, sheets

    tiles = attempts.tiles_of_round(attempt, number)
    return sheets.render(tiles, showing=f"{attempt.pk.hex}/{number}")


def cut(sheet: bytes) -> list[Bytes]:
    """Return the tiles of a sheet."""
    pixels = np.asarray(Pillow.open(io.BytesIO(sheet)).convert("RGB"))
    side = pixels.shape[1] // 4
    return [
        pixels[row * side : (row + 1) * side, column * side : (column + 1) * side]
        for row in range(4)
        for column in range(4)
    ]


def small(pixels: Bytes) -> Floats:
    """Return a tile's pixels in grey, as a vector of length one whose mean is 0."""
    grey = Pillow.fromarray(pixels).convert("L").resize((SIDE, SIDE), Pillow.Resampling.BOX)
    values = np.asarray(grey, np.float64).ravel()
    values -= values.mean()
    length = np.linalg.norm(values)
    result: Floats = values / max(length, 1e-9)
    return result


def difference(pixels: Bytes) -> int:
    grey = Pillow.fromarray(pixels).convert("L").resize((9, 8), Pillow.Resampling.LANCZOS)
    row = np.asarray(grey, np.int16)
    return _number((row[:, 1:] > row[:, :-1]).ravel())


def dct_hash(pixels: Bytes) -> int:
    grey = Pillow.fromarray(pixels).convert("L").resize((DCT_SIDE, DCT_SIDE))
    low = dctn(np.asarray(grey, np.float64), norm="ortho")[:8, :8].ravel()
    return _number(low > np.median(low[1:]))


def _number(bits: npt.NDArray[np.bool_]) -> int:
    return int("".join("1" if bit else "0" for bit in bits), 2)


def make_site(
    name: str, setting: Setting, folder: Path
) -> tuple["Site", dict[tuple[int, int], bool]]:
    """Make a project of the pictures of a folder, and a site; return it and the truth of pairs."""
    from labeling import questions
    from labeling.models import Concept, Project, Question, Site
    from tests.labeling.captcha.birds import HOST

    slug = name.replace(",", "").replace(" ", "-")
    project = Project.objects.create(state="open", slug=slug, name=name, practice_questions=0)
    tiles = add_pictures(project, folder)
    draw = np.random.default_rng(1)
    truth: dict[tuple[int, int], bool] = {}
    for n in range(setting.concepts):
        concept = Concept.objects.create(project=project, name=f"c{n}", phrase=f"a c{n}")
        yes = draw.random(len(tiles)) < YES
        gold: dict[tuple[int, int], bool] = {}
        for verdict, count in ((True, setting.yes), (False, setting.no)):
            for row in draw.permutation(np.flatnonzero(yes == verdict))[:count]:
                gold[tiles[row].pk, concept.pk] = verdict
        truth |= {(tile.pk, concept.pk): bool(y) for tile, y in zip(tiles, yes, strict=True)}
        keys = {tile.pk: draw.random() for tile in tiles if draw.random() < 0.2}
        pairs = {(tile.pk, concept.pk) for tile in tiles}
        questions.ask_pairs(project=project, pairs=pairs, gold=gold, slice_keys=keys)
    rows = list(Question.objects.filter(concept__project=project, state="open"))
    for question in rows:
        question.priority = draw.random()
    Question.objects.bulk_update(rows, ["priority"], batch_size=1000)
    site = Site.objects.create(project=project, name="Shop", hosts=[HOST], daily_quota=10**9)
    return site, truth


def add_pictures(project: "Project", folder: Path) -> list[Any]:
    """Store pictures of a folder, as the product stores them; return their whole tiles."""
    from labeling.models import Image, Tile

    images = []
    for number, (name, stored, width, height) in enumerate(stored_files(folder)):
        digest = f"{project.pk:032x}{number:032x}"
        images.append(
            Image(
                project=project,
                sha256=digest,
                source_sha256=digest,
                perceptual_hash=number,
                file=stored,
                width=width,
                height=height,
                source=name,
            )
        )
    Image.objects.bulk_create(images)
    return Tile.objects.bulk_create(
        Tile(image=image, width=image.width, height=image.height) for image in images
    )


@functools.cache
def stored_files(folder: Path) -> list[tuple[str, str, int, int]]:
    """Store pictures of a folder; return the name of each, that of its file, width and height."""
    from django.core.files.base import ContentFile
    from django.core.files.storage import default_storage

    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    stored = []
    for number, path in enumerate(random.Random(0).sample(paths, min(PICTURES, len(paths)))):
        with Pillow.open(path) as picture:
            file = io.BytesIO()
            opaque = Pillow.new("RGBA", picture.size, "white")
            opaque.alpha_composite(picture.convert("RGBA"))
            opaque.convert("RGB").save(file, "WEBP", quality=95, method=1)
            name = default_storage.save(f"{number}.webp", ContentFile(file.getvalue()))
            stored.append((path.name, name, *picture.size))
    return stored


if __name__ == "__main__":
    main()
