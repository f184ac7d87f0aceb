"""Choose what to ask an annotator next: the one selector behind all challenges.

A choice reads short windows of the indexes (`candidates`) and ranks what they hold by the
information that an answer by this annotator is expected to bring, times the value of the concept.
Nothing is reserved here: a selection names substitutes for what somebody else reserves first.
Nothing is filled either: a selector notes the pools that hold too little (`low`, `short`).
"""

import random
import secrets
from collections.abc import Iterator, Sequence

from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from labeling import prepared, question_state
from labeling.aggregation.information import information_gain
from labeling.gold.need import GRID_GOLD
from labeling.models import Annotator, Answer, Challenge, Project, Question, Tile
from labeling.selection import candidates, concepts, texts
from labeling.selection.candidates import Candidate
from labeling.selection.concepts import Askable
from labeling.selection.picks import GRID_TILES, Grid, Kind, Pick, Reason, Selection, pick

SPLIT_SIDE = 4  # tiles of a split picture, per side
SPLIT_IMAGES = 3  # pictures that are tried for a concept
VERIFY_GOLD = 0.25  # share of verify challenges
SPLIT_GOLD = 0.2  # share of split challenges whose picture has gold tiles
VERIFY_MIX = {"caption": 0.5, "generated": 0.35, "concept": 0.15}  # of what is verified
ENOUGH_CAPTIONS = 5  # of a picture, after which nobody is asked to write one
TILES_TO_DESCRIBE = 24  # looked at for one with few captions
AMPLE = 2  # times as many questions as a challenge asks for: with fewer, a pool is filled
JITTER = 0.2  # share of a score that is random, so that people who ask at once get different tiles

State = Question.State
YES, NO, LIKELY = "yes", "no", "likely"  # roles of windows, beside the reasons
_PENDING = """
SELECT tiles, questions, ahead FROM labeling_challenge
WHERE annotator_id = %s AND answered_at IS NULL AND expires_at > %s
"""
OPEN_ROLES = {LIKELY, Reason.RANDOM, Reason.WANTED}
PoolKey = tuple[int, int]  # (concept id, grid)


class Selector:
    """Selections for one annotator who asks for one challenge of a project."""

    def __init__(
        self, *, annotator: Annotator, project: Project, accept_short: bool = False
    ) -> None:
        """Choose for an annotator; `accept_short`: ask what little a pool holds, too."""
        self.annotator = annotator
        self.project = project
        self.accept_short = accept_short
        self.lost = 0  # selections that others reserved first
        self.low: list[PoolKey] = []  # pools that this annotator has soon used up, …
        self.short: list[PoolKey] = []  # and those that hold too little for a challenge
        rows = prepared.fetch(_PENDING, [annotator.pk, timezone.now()])
        self.pending_ahead = sum(ahead for *_, ahead in rows)
        self.pending = len(rows) - self.pending_ahead
        self.pending_tiles = {tile for tiles, *_ in rows for tile in tiles}
        self.pending_questions = {question for _, questions, _ in rows for question in questions}

    def choose(self, kind: str) -> Selection | None:
        """Return a selection of that kind; None where nothing is left to ask this annotator."""
        return next(self.selections(kind), None)

    def selections(self, kind: str) -> Iterator[Selection]:
        """Yield selections of that kind, of concepts of high priority sooner."""
        methods = {
            Kind.GRID: self._grids,
            Kind.SPLIT: self._splits,
            Kind.VERIFY: self._verify,
            Kind.WRITE: self._write,
            Kind.TEXT: self._texts,
        }
        return methods[Kind(kind)]()

    def _grids(self) -> Iterator[Selection]:
        """Yield nine tiles about one concept: three gold, some at random, the rest most wanted."""
        for askable in concepts.by_priority(self.project, 1):
            concept = askable.concept
            pool = self._read_enough(
                askable,
                1,
                GRID_TILES - GRID_GOLD,
                candidates.gold(concept, 1, True, YES),
                candidates.gold(concept, 1, False, NO),
                candidates.at_random(concept, 1, Reason.RANDOM),
                candidates.likely(concept, 1, LIKELY),
                candidates.most_wanted(concept, 1, Reason.WANTED),
            )
            if any(c.role in {Reason.RANDOM, Reason.WANTED} for c in pool):
                yield self._compose_grid(concept, pool)

    def _splits(self) -> Iterator[Selection]:
        """Yield all tiles of one picture, asked for one concept; retired ones are only shown."""
        for askable in concepts.by_priority(self.project, SPLIT_SIDE):
            concept, role = askable.concept, self._open_role()
            pool = self._read_enough(
                askable,
                SPLIT_SIDE,
                1,
                candidates.gold(concept, SPLIT_SIDE, True, Reason.GOLD),
                self._open_window(concept, SPLIT_SIDE, role),
            )
            for image in self._ranked_images(pool, role)[:SPLIT_IMAGES]:
                if picks := self._all_tiles(concept, image, role):
                    yield Selection(Kind.SPLIT, concept, picks)

    def _ranked_images(self, pool: Sequence[Candidate], role: str) -> list[int]:
        """Return images by the sum of their tiles' scores; now and then one with gold first."""
        scores: dict[int, float] = {}
        for candidate, score in self._scored([c for c in pool if c.role == role]):
            scores[candidate.image] = scores.get(candidate.image, 0.0) + score
        images = list(scores)  # in the order of the slice
        if role != Reason.RANDOM:
            images.sort(key=scores.__getitem__, reverse=True)
        if images and random.random() < SPLIT_GOLD:
            images = [c.image for c in pool if c.role == Reason.GOLD][:1] + images
        return images

    def _verify(self) -> Iterator[Selection]:
        """Yield one question: about a caption, a generated picture, or any picture."""
        for subject in concepts.weighted_shuffle(VERIFY_MIX):
            role = Reason.WANTED if subject == "generated" else self._open_role()
            pool = self._read_captions(role) if subject == "caption" else []
            if subject == "generated":
                pool = self._read_generated(role)
            elif subject == "concept":
                pool = self._read_concept(role)
            if selection := self._single(pool, role):
                yield selection

    def _read_captions(self, role: str) -> list[Candidate]:
        """Return gold captions and open ones by others."""
        project, by_priority = self.project.pk, role == Reason.WANTED
        return self._read(
            candidates.gold_captions(project, Reason.GOLD),
            candidates.captions(project, self.annotator.pk, role, by_priority=by_priority),
        )

    def _read_generated(self, role: str) -> list[Candidate]:
        """Return open questions about generated pictures, and gold of the first one's concept."""
        pool = self._read(candidates.generated(self.project.pk, role))
        concept = pool[0].concept if pool else None
        return pool + (self._read(*_gold_windows(concept)) if concept is not None else [])

    def _read_concept(self, role: str) -> list[Candidate]:
        """Return the open questions of the first concept that has any, and its gold."""
        for askable in concepts.by_priority(self.project, 1):
            window = self._open_window(askable.concept, 1, role)
            pool = self._read_enough(askable, 1, 1, *_gold_windows(askable.concept), window)
            if any(candidate.role == role for candidate in pool):
                return pool
        return []

    def _single(self, pool: Sequence[Candidate], role: str) -> Selection | None:
        """Return a selection of one candidate, now and then gold; None where none is open."""
        ranked = self._ranked([c for c in pool if c.role == role])
        known = [c for c in pool if c.role == Reason.GOLD]
        if not ranked:
            return None
        if known and random.random() < VERIFY_GOLD:
            gold = random.choice(known)
            return Selection(Kind.VERIFY, gold.concept, [pick(gold, Reason.GOLD)])
        first, *rest = ranked
        substitutes = [pick(c, role) for c in rest if c.concept == first.concept]
        return Selection(Kind.VERIFY, first.concept, [pick(first, role)], substitutes)

    def _write(self) -> Iterator[Selection]:
        """Yield a picture with few captions, none of them by this annotator."""
        start = secrets.token_hex(32)
        window = list(
            self._tiles_to_describe().filter(image__sha256__gte=start)[:TILES_TO_DESCRIBE]
        )
        if len(window) < TILES_TO_DESCRIBE:
            before = self._tiles_to_describe().filter(image__sha256__lt=start)
            window += before[:TILES_TO_DESCRIBE]
        captions, tile = min(window, default=(ENOUGH_CAPTIONS, 0))
        if captions < ENOUGH_CAPTIONS:
            yield Selection(Kind.WRITE, None, [Pick(None, tile, Reason.WANTED)])

    def _texts(self) -> Iterator[Selection]:
        """Yield one question about a caption, asked by sentences alone.

        It is never asked at random: pictures of which people are sure of a sentence are no random
        sample.
        """
        return texts.selections(
            annotator=self.annotator,
            project=self.project,
            exclude=self.pending_questions,
            rank=self._ranked,
        )

    # Windows and ranks

    def _read(self, *windows: candidates.Window) -> list[Candidate]:
        return candidates.read(
            *windows,
            annotator=self.annotator,
            project=self.project,
            exclude=self.pending_questions,
        )

    def _read_enough(
        self, askable: Askable, grid: int, least: int, *windows: candidates.Window
    ) -> list[Candidate]:
        """Read windows of a concept; none of it where its pool is to be filled first.

        That is so where fewer than `least` questions can be asked, or none at random that might be.
        """
        read = self._read(*windows)
        if askable.exhausted:
            return read
        left = len({c.question for c in read if c.role in OPEN_ROLES})
        roles = {window.role for window in windows} - {c.role for c in read}
        if left < AMPLE * least:
            self.low.append((askable.concept, grid))
        if left >= least and Reason.RANDOM not in roles:
            return read
        self.short.append((askable.concept, grid))
        return read if self.accept_short else []

    def _open_role(self) -> Reason:
        """Return the reason to ask: at random for the project's share, else as most wanted."""
        at_random = random.random() < self.project.random_share
        return Reason.RANDOM if at_random else Reason.WANTED

    def _open_window(self, concept: int, grid: int, role: str) -> candidates.Window:
        """Return the window of open questions that the role asks for."""
        if role == Reason.RANDOM:
            return candidates.at_random(concept, grid, role)
        return candidates.most_wanted(concept, grid, role)

    def _ranked(self, pool: Sequence[Candidate]) -> list[Candidate]:
        """Return candidates by score, with jitter; those drawn at random keep their order."""
        if any(c.role == Reason.RANDOM for c in pool):
            return list(pool)
        scored = [(score * (1 - JITTER * random.random()), c) for c, score in self._scored(pool)]
        return [c for _, c in sorted(scored, key=lambda pair: pair[0], reverse=True)]

    def _scored(self, pool: Sequence[Candidate]) -> Iterator[tuple[Candidate, float]]:
        """Yield candidates with the bits that an answer is expected to bring, times their value.

        An unfinished question (`question_state.is_unfinished`) counts as if nothing were known of
        it, and a little more, so that jitter does not put it off.
        """
        unfinished = [
            question_state.is_unfinished(
                answers_count=c.answers_count,
                answers_min=self.project.answers_min,
                answers_wanted=c.answers_wanted,
                random_key=c.random_key,
            )
            for c in pool
        ]
        probabilities = [
            0.5 if first else c.probability for c, first in zip(pool, unfinished, strict=True)
        ]
        counts = self.annotator.confusion_counts
        bits = information_gain(counts.sensitivity, counts.specificity, probabilities).tolist()
        for candidate, gain, first in zip(pool, bits, unfinished, strict=True):
            yield candidate, gain * candidate.value / (1 - JITTER * first)

    # Composition

    def _compose_grid(self, concept: int, pool: Sequence[Candidate]) -> Selection:
        """Return a grid of gold, a random share, and of the rest likely yes and no by halves."""
        grid = Grid()
        yes, no, at_random = (
            [c for c in pool if c.role == role] for role in (YES, NO, Reason.RANDOM)
        )
        wanted = [c for c in pool if c.role in {LIKELY, Reason.WANTED}]
        ranked = self._ranked(list({c.question: c for c in wanted}.values()))
        likely = [c for c in ranked if c.probability >= 0.5]
        unlikely = [c for c in ranked if c.probability < 0.5]
        self._add_gold(grid, yes, no, few_likely=len(likely) < 2)
        places = grid.left
        drawn = sum(random.random() < self.project.random_share for _ in range(places))
        grid.add(at_random, Reason.RANDOM, drawn)
        grid.add(likely, Reason.WANTED, min(places // 2, grid.left))
        grid.add(unlikely + likely, Reason.WANTED, grid.left)
        grid.add(at_random, Reason.RANDOM, grid.left)
        grid.add(yes + no, Reason.GOLD, grid.left)
        picks = list(grid.picks.values())
        random.shuffle(picks)
        others = [pick(c, Reason.WANTED) for c in ranked]
        others += [pick(c, Reason.RANDOM) for c in at_random]
        unused = {p.question: p for p in reversed(others) if p.question not in grid.picks}
        return Selection(Kind.GRID, concept, picks, list(reversed(unused.values())))

    def _add_gold(
        self, grid: Grid, yes: Sequence[Candidate], no: Sequence[Candidate], *, few_likely: bool
    ) -> None:
        """Add gold to a grid, a yes and a no among it where there are both.

        A suspect annotator gets nothing but gold where there is enough: their answers count for
        nothing, and gold is where they can prove themselves.
        """
        count = GRID_TILES if self.annotator.suspect else GRID_GOLD
        added = grid.add(yes, Reason.GOLD, count // 2 + (few_likely or random.random() < 0.5))
        added += grid.add(no, Reason.GOLD, count - added)
        grid.add(yes, Reason.GOLD, count - added)

    def _all_tiles(self, concept: int, image: int, role: str) -> list[Pick]:
        """Return the picture's tiles in their order; none if some are missing or were answered."""
        tiles = Question.objects.filter(
            concept=concept, grid=SPLIT_SIDE, kind=Question.Kind.CONCEPT, tile__image=image
        )
        own_answer = Answer.objects.filter(question=OuterRef("pk"), annotator=self.annotator)
        rows = list(
            tiles.order_by("tile__position").values_list("pk", "tile", "state", Exists(own_answer))
        )
        seen = any(answered or pk in self.pending_questions for pk, _, _, answered in rows)
        still_open = any(state == State.OPEN for _, _, state, _ in rows)
        if seen or not still_open or len(rows) != SPLIT_SIDE * SPLIT_SIDE:
            return []
        reasons = {State.GOLD: Reason.GOLD, State.OPEN: role}
        return [
            Pick(pk, tile, reasons.get(State(state), Challenge.SHOWN))
            for pk, tile, state, _ in rows
        ]

    def _tiles_to_describe(self) -> QuerySet[Tile, tuple[int, int]]:
        """Return (captions, tile) of whole real pictures without a caption by this annotator."""
        captions = Question.objects.filter(kind=Question.Kind.CAPTION, tile=OuterRef("pk"))
        count = captions.order_by().values("tile").annotate(count=Count("pk")).values("count")
        return (
            Tile.objects.filter(image__project=self.project, image__generated=False, grid=1)
            .exclude(pk__in=self.pending_tiles)
            .filter(~Exists(captions.filter(author=self.annotator)))
            .order_by("image__sha256")
            .values_list(Coalesce(Subquery(count), 0), "pk")
        )


def _gold_windows(concept: int) -> list[candidates.Window]:
    """Return the windows of a concept's gold questions about whole pictures."""
    return [candidates.gold(concept, 1, verdict, Reason.GOLD) for verdict in (True, False)]
