"""Measure the recipe `pairs` on letters: from a lower-case letter, draw the capital of its font.

    python -m tests.benchmarks.letter_pairs FONTS OUT [--steps N] [--preset cpu] [--option n=v …]

FONTS is a folder, however deep, of font files. Debian's free fonts come into one without being
installed: `apt-get download fonts-lato fonts-adf-tribun …`, then `dpkg -x FILE.deb FONTS` for each.
OUT gets the pictures, the run, `figures.json` and `held-out.png`.

A font takes part if it has all 52 letters, as distinct shapes; fonts that draw alike are one
family, whatever they are called, and a family gives four files at most. Families are held out
whole, and the letters g, k and r are in no pair at all, with and without the text that names them.
The judge reads a capital by the five real capitals of other families that are nearest to it.
"""

import argparse
import json
import string
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor, nn

from training.engine.data.pictures import Pixels, load_whole, png, tiled
from training.engine.files import write_json
from training.engine.recipes import load_translator
from training.engine.recipes.base import Translator

SIDE = 32
LETTERS = string.ascii_lowercase
UNSEEN = "gkr"  # in no pair
SEEN = [letter for letter in LETTERS if letter not in UNSEEN]
HELD_OUT = 40  # families
FILES_MAX = 4  # of a family
ALIKE = 0.05  # root mean square difference of all letters below which two fonts are one family
OTHERS = 19
SHOWN = 10  # families in the picture
STYLES = (  # noqa: SIM905  (as a list it would be a page long)
    "regular roman book medium normal bold semibold demibold demi extrabold black heavy light thin "
    "extralight ultralight italic oblique slanted condensed cond narrow wide expanded extended "
    "caps std pro text display mono sans serif otf ttf lt mt 10 12 8 9 17"
).split()

Glyphs = NDArray[np.uint8]  # (2, 26, SIDE, SIDE): lower-case, then capitals


@dataclass(frozen=True)
class Font:
    path: Path
    family: str
    glyphs: Glyphs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("fonts", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--preset", default="cpu")
    parser.add_argument("--option", action="append", default=[], help="name=value, as JSON")
    parser.add_argument("--no-text", action="store_true", help="pairs without captions")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    train, test = split(read_fonts(options.fonts))
    families = len({font.family for font in train})
    print(f"{len(train)} fonts of {families} families to learn from, {len(test)} held out")
    snapshot = write_snapshot(options.out / "snapshot", train, test, text=not options.no_text)
    changes = dict(each.partition("=")[::2] for each in options.option)
    model = fit(
        options.out / "run",
        snapshot,
        options.preset,
        {"steps": options.steps} | {name: json.loads(value) for name, value in changes.items()},
    )
    figures = measure(load_translator(model), train, test)
    metrics = json.loads((model.parent / "metrics.json").read_text())
    figures |= {"seconds": metrics["training_seconds"], "steps": metrics["steps"]}
    figures |= {"fonts": len(train), "families": families}
    write_json(options.out / "figures.json", figures)
    (options.out / "held-out.png").write_bytes(picture(load_translator(model), test))
    print(json.dumps(figures, indent=1))


# Fonts


def read_fonts(folder: Path) -> list[Font]:
    """Return the fonts that have all letters, grouped into families of fonts that draw alike."""
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".ttf", ".otf"))
    fonts = [font for path in paths if (font := read_font(path))]
    return merged(distinct(fonts))


def read_font(path: Path) -> Font | None:
    """Return a font's letters, or None where it lacks some, or its cases are one."""
    try:
        glyphs, name = draw_letters(path), ImageFont.truetype(path, 20).getname()[0] or path.stem
    except (OSError, ValueError):
        return None
    shapes = {glyph.tobytes() for glyph in glyphs.reshape(-1, SIDE, SIDE)}
    ink = (glyphs < 128).sum((2, 3))
    if len(shapes) < 50 or ink.min() < 8 or has_one_case(glyphs):
        return None
    return Font(path, family_of(name), glyphs)


def has_one_case(glyphs: Glyphs) -> bool:
    """Return whether the lower-case letters are small capitals, in whatever size."""
    differ = [LETTERS.index(letter) for letter in "abdefghlmnqrt"]
    lower, upper = (np.stack([filled(g) for g in glyphs[case, differ]]) for case in (0, 1))
    return bool(np.median(rms(lower, upper)) < 0.25)


def filled(glyph: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a letter stretched to fill a square of 16 pixels."""
    rows, columns = (np.flatnonzero((glyph < 128).any(axis)) for axis in (1, 0))
    ink = glyph[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.asarray(Image.fromarray(ink).resize((16, 16), Image.Resampling.BOX))


def draw_letters(path: Path) -> Glyphs:
    """Draw all letters on one line and in one scale: the tallest fills the square but two pixels.

    Raises OSError or ValueError for a file that is no such font.
    """
    big = ImageFont.truetype(path, 200)
    boxes = [big.getbbox(letter, anchor="ls") for letter in LETTERS + LETTERS.upper()]
    top, bottom = min(box[1] for box in boxes), max(box[3] for box in boxes)
    widest = max(box[2] - box[0] for box in boxes)
    size = 200 * 4 * (SIDE - 4) / max(bottom - top, widest, 1)
    font = ImageFont.truetype(path, size)
    baseline = 4 * SIDE // 2 - (top + bottom) * size / 200 / 2
    cells = []
    for letter in LETTERS + LETTERS.upper():
        cell = Image.new("L", (4 * SIDE, 4 * SIDE), 255)
        left, _, right, _ = font.getbbox(letter, anchor="ls")
        place = (2 * SIDE - (left + right) / 2, baseline)
        ImageDraw.Draw(cell).text(place, letter, fill=0, font=font, anchor="ls")
        cells.append(np.asarray(cell.resize((SIDE, SIDE), Image.Resampling.BOX)))
    return np.stack(cells).reshape(2, 26, SIDE, SIDE)


def family_of(name: str) -> str:
    """Return a family's name without the words of its styles."""
    words = "".join(c if c.isalnum() else " " for c in name.lower()).split()
    return " ".join(word for word in words if word not in STYLES) or name.lower()


def distinct(fonts: Iterable[Font]) -> list[Font]:
    """Return each drawing once: a font often comes in several formats and packages."""
    by_drawing = {font.glyphs.tobytes(): font for font in fonts}
    return sorted(by_drawing.values(), key=lambda font: str(font.path))


def merged(fonts: Sequence[Font]) -> list[Font]:
    """Merge families that have fonts which draw alike, and keep a few files of each."""
    flat = torch.stack([torch.from_numpy(font.glyphs.copy()).flatten() for font in fonts]).float()
    near = torch.cdist(flat / 255, flat / 255) / flat.shape[1] ** 0.5 < ALIKE
    parent = {font.family: font.family for font in fonts}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    for i, j in near.triu(1).nonzero().tolist():
        parent[root(fonts[j].family)] = root(fonts[i].family)
    groups: dict[str, list[Font]] = defaultdict(list)
    for font in fonts:
        name = root(font.family)
        groups[name].append(Font(font.path, name, font.glyphs))
    return [
        group[place]
        for _, group in sorted(groups.items())
        for place in sorted({len(group) * i // FILES_MAX for i in range(FILES_MAX)})
    ]


def split(fonts: Sequence[Font]) -> tuple[list[Font], list[Font]]:
    """Return the fonts to learn from, and one of each held-out family."""
    families = sorted({font.family for font in fonts})
    random = np.random.default_rng(0)
    held_out = set(random.permutation(families)[:HELD_OUT].tolist())
    test: dict[str, list[Font]] = defaultdict(list)
    for font in fonts:
        if font.family in held_out:
            test[font.family].append(font)
    chosen = [group[random.integers(len(group))] for group in test.values()]
    return [font for font in fonts if font.family not in held_out], chosen


# Training


def write_snapshot(folder: Path, train: list[Font], test: list[Font], *, text: bool) -> Path:
    """Write pairs of letters as a snapshot has them: both halves side by side in one picture."""
    for name, fonts in (("train", train), ("test", test)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        lines = []
        for number, font in enumerate(fonts):
            for letter in SEEN:
                file = f"{number:04}-{letter}.png"
                halves = font.glyphs[:, LETTERS.index(letter)]
                gap = np.full((SIDE, SIDE // 16), 255, np.uint8)
                Image.fromarray(np.concatenate([halves[0], gap, halves[1]], 1)).save(
                    folder / name / file
                )
                caption = {"text": f"the letter {letter}", "confidence": 1.0}
                row = {"file_name": file, "captions": [caption] if text else [], "pair": 1.0}
                lines.append(json.dumps({**row, "tags": [], "concepts": []}) + "\n")
        (folder / name / "metadata.jsonl").write_text("".join(lines))
    write_json(folder / "manifest.json", {"format": 3, "project": "letters", "concepts": []})
    return folder


def fit(run: Path, snapshot: Path, preset: str, options: dict[str, Any]) -> Path:
    """Fit a model as a run of its own, and return its folder."""
    config = {"recipe": "pairs", "preset": preset, "snapshot": str(snapshot), "options": options}
    write_json(run / "config.json", config)
    subprocess.run([sys.executable, "-m", "training", "fit", str(run)], check=True)
    return run / "model"


# Figures


def measure(translator: Translator, train: list[Font], test: list[Font]) -> dict[str, Any]:
    """Return how many drawn capitals are read, and how many have the style of their own font."""
    judge = Judge(train)
    figures: dict[str, Any] = {}
    for name, letters, text in (
        ("known letters", SEEN, False),
        ("known letters, named", SEEN, True),
        ("letters of no pair", UNSEEN, False),
        ("letters of no pair, named", UNSEEN, True),
    ):
        figures[name] = of_drawn(judge, draw(translator, test, letters, text=text), test, letters)
    places = [LETTERS.index(letter) for letter in SEEN]
    real = np.stack([font.glyphs[1, places] for font in test])
    lower = np.stack([font.glyphs[0, places] for font in test])
    figures["real capitals"] = of_drawn(judge, real, test, SEEN)
    figures["the lower-case letter itself"] = of_drawn(judge, lower, test, SEEN)
    figures["capital of the nearest letter"] = of_drawn(
        judge, nearest(train, lower, places), test, SEEN
    )
    figures["odd inputs"] = odd_inputs(translator)
    return figures


def draw(
    translator: Translator, fonts: list[Font], letters: Iterable[str], *, text: bool
) -> NDArray[np.uint8]:
    """Return the drawn capitals (fonts, letters, SIDE, SIDE)."""
    drawn = []
    for font in fonts:
        lower = font.glyphs[0, [LETTERS.index(letter) for letter in letters]]
        prompts = [f"the letter {letter}" if text else "" for letter in letters]
        halves = translator.translate(coloured(lower), prompts, [0] * len(lower))
        small = [np.asarray(Image.fromarray(h).convert("L").resize((SIDE, SIDE))) for h in halves]
        drawn.append(np.stack(small))
    return np.stack(drawn)


def of_drawn(
    judge: nn.Module, drawn: NDArray[np.uint8], fonts: list[Font], letters: Iterable[str]
) -> dict[str, float]:
    """Return the share of capitals (fonts, letters, s, s) that are read, and that have the style.

    Style: nearer to the own font's capital than to those of 19 other held-out families.
    """
    places = [LETTERS.index(letter) for letter in letters]
    with torch.no_grad():
        answer = judge(floats(drawn.reshape(-1, SIDE, SIDE))).argmax(1).reshape(len(fonts), -1)
    read = (answer == torch.tensor(places)).float().mean()
    real = np.stack([font.glyphs[1, places] for font in fonts])  # (F, L, s, s)
    random, styled = np.random.default_rng(0), []
    for row in range(len(fonts)):
        others = [i for i in random.permutation(len(fonts)) if i != row][:OTHERS]
        own = rms(drawn[row], real[row])  # (L,)
        nearest_other = np.min([rms(drawn[row], real[i]) for i in others], 0)
        styled.append(own < nearest_other)
    return {"read": round(float(read), 4), "own style": round(float(np.mean(styled)), 4)}


def nearest(train: list[Font], lower: NDArray[np.uint8], places: list[int]) -> NDArray[np.uint8]:
    """Return the capitals of the nearest lower-case letters that were learnt from."""
    known = np.concatenate([font.glyphs[0, places] for font in train])
    capitals = np.concatenate([font.glyphs[1, places] for font in train])
    flat = floats(lower.reshape(-1, SIDE, SIDE)).flatten(1)
    rows = torch.cdist(flat, floats(known).flatten(1)).argmin(1).numpy()
    return capitals[rows].reshape(lower.shape)


def odd_inputs(translator: Translator) -> dict[str, float]:
    """Draw the other half of what is no letter; return how bright each is, from 0 to 1."""
    demo = Path(__file__).parents[1].parent / "fixtures" / "demo"
    paths = sorted(p for p in demo.rglob("*") if p.suffix in (".png", ".jpg", ".webp"))[:2]
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    inputs = {path.name: load_whole(path, SIDE) for path in paths}
    inputs |= {"noise": noise, "one colour": np.full((SIDE, SIDE, 3), (200, 30, 90), np.uint8)}
    drawn = translator.translate(np.stack(list(inputs.values())), [""] * len(inputs), [0] * 4)
    return {name: round(float(d.mean()) / 255, 3) for name, d in zip(inputs, drawn, strict=True)}


class Judge(nn.Module):
    """Read capitals by a vote of the five real capitals that are nearest, of other families."""

    def __init__(self, train: list[Font]) -> None:
        super().__init__()
        self.known = floats(np.concatenate([font.glyphs[1] for font in train])).flatten(1)
        self.labels = torch.arange(26).repeat(len(train))

    def forward(self, pictures: Tensor) -> Tensor:  # (n, s, s) → votes (n, 26)
        nearest = torch.cdist(pictures.flatten(1), self.known).topk(5, largest=False)
        votes = nn.functional.one_hot(self.labels[nearest.indices], 26).float()
        return (votes / (nearest.values[..., None] + 1e-6)).sum(1)


def picture(translator: Translator, fonts: list[Font]) -> bytes:
    """Return a PNG: a block of three rows a family, lower case, drawn, and the true capitals."""
    letters, rows = "abdefghkmnqrt", []
    for font in fonts[:SHOWN]:
        places = [LETTERS.index(letter) for letter in letters]
        drawn = draw(translator, [font], letters, text=False)[0]
        for line in (font.glyphs[0, places], drawn, font.glyphs[1, places]):
            rows.append(coloured(line))
    return png(tiled(np.concatenate(rows), len(letters)))


def coloured(grey: NDArray[np.uint8]) -> Pixels:
    """Return grey pictures (n, s, s) as (n, s, s, 3)."""
    return np.repeat(grey[..., None], 3, -1)


def floats(grey: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.array(grey)).float() / 255


def rms(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return root mean square differences (n,) of pictures (n, s, s) in [0, 1]."""
    difference = (first.astype(np.float64) - second) / 255
    root: NDArray[np.float64] = np.sqrt(np.square(difference).mean((-1, -2)))
    return root


if __name__ == "__main__":
    main()
