"""Choose what to ask an annotator next: the one selector behind all challenges.

A choice reads short windows of the indexes (`candidates`) and ranks what they hold by the
information that an answer by this annotator is expected to bring, times the value of the concept.
Nothing is reserved here: a selection names substitutes for what somebody else reserves first.
Nothing is filled either: a selector notes the pools that hold too little (`low`, `short`).
"""

import random
import secrets
from collections.abc import Iterator, Sequence
from datetime import timedelta
from statistics import fmean

from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from labeling import prepared, question_state
from labeling.aggregation.information import information_gain
from labeling.models import Annotator, Answer, Challenge, Project, Question, Tile
from labeling.selection import candidates, concepts, known, texts
from labeling.selection.candidates import Candidate
from labeling.selection.concepts import Askable
from labeling.selection.known import CHECK_NO, CHECK_YES, NO, YES
from labeling.selection.picks import GRID_TILES, Grid, Kind, Pick, Reason, Selection, pick
from labeling.showings import ANYWHERE, Showings

SPLIT_SIDE = 4  # tiles of a split picture, per side
SPLIT_IMAGES = 3  # pictures that are tried for a concept
VERIFY_KNOWN = 0.25  # share of verify challenges
SPLIT_GOLD = 0.2  # share of split challenges whose picture has gold tiles
VERIFY_MIX = {"caption": 0.5, "generated": 0.35, "concept": 0.15}  # of what is verified
ENOUGH_CAPTIONS = 5  # of a picture, after which nobody is asked to write one
TILES_TO_DESCRIBE = 24  # looked at for one with few captions
AMPLE = 2  # times as many questions as a challenge asks for: with fewer, a pool is filled
JITTER = 0.2  # share of a score that is random, so that people who ask at once get different tiles

State = Question.State
LIKELY = "likely"  # role of a window, beside the reasons and those of known questions
SKIPPED_FOR = timedelta(hours=1)  # what somebody has skipped is not asked of them again
MAX_SKIPPED = 50  # skipped challenges that are remembered
_PENDING = f"""
SELECT false, ahead, tiles, questions FROM labeling_challenge
WHERE annotator_id = %(annotator)s AND answered_at IS NULL AND expires_at > %(now)s
UNION ALL (
    SELECT true, false, tiles, questions FROM labeling_challenge
    WHERE annotator_id = %(annotator)s AND skipped AND answered_at > %(skipped_from)s
    ORDER BY answered_at DESC LIMIT {MAX_SKIPPED}
)
"""
OPEN_ROLES = {LIKELY, Reason.RANDOM, Reason.WANTED}
PoolKey = tuple[int, int]  # (concept id, grid)


class Selector:
    """Selections for one annotator who asks for one challenge of a project."""

    def __init__(
        self,
        *,
        annotator: Annotator,
        project: Project,
        showings: Showings = ANYWHERE,
        accept_short: bool = False,
    ) -> None:
        """Choose for an annotator; `accept_short`: ask what little a pool holds, too.

        showings: what was shown at their address today.
        """
        self.annotator = annotator
        is_newcomer = annotator.gold_count < known.PROOF
        self.showings = showings.at_once() if is_newcomer else showings
        self.project = project
        self.accept_short = accept_short
        self.lost = 0  # selections that others reserved first
        self.low: list[PoolKey] = []  # pools that this annotator has soon used up, …
        self.short: list[PoolKey] = []  # and those that hold too little for a challenge
        now = timezone.now()
        values = {"annotator": annotator.pk, "now": now, "skipped_from": now - SKIPPED_FOR}
        rows = prepared.fetch(_PENDING, values)
        self.pending_ahead = sum(ahead for _, ahead, _, _ in rows)
        self.pending = sum(not skipped for skipped, _, _, _ in rows) - self.pending_ahead
        self.pending_tiles = {tile for _, _, tiles, _ in rows for tile in tiles}
        self.pending_questions = {question for *_, questions in rows for question in questions}
        self.skipped_questions = {q for skipped, *_, asked in rows if skipped for q in asked}

    def ask_skipped(self) -> bool:
        """Let what was skipped be asked again, as nothing else is left; return whether it helps."""
        skipped, self.skipped_questions = self.skipped_questions, set()
        self.pending_questions -= skipped
        return bool(skipped)

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
        """Yield nine tiles about one concept: some known or at random, the rest most wanted."""
        for askable in concepts.by_priority(self.project, 1):
            concept = askable.concept
            pool = self._read_enough(
                askable,
                1,
                GRID_TILES - known.MEAN_KNOWN,
                *_known_windows(concept),
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
        """Return gold captions and open ones by others; checks where no gold is left."""
        project, author, by_priority = self.project.pk, self.annotator.pk, role == Reason.WANTED
        pool = self._read(
            candidates.gold_captions(project, YES),
            candidates.captions(project, author, role, by_priority=by_priority),
        )
        if any(c.role == YES for c in pool):
            return pool
        return pool + self._read(
            candidates.settled_captions(project, author, CHECK_YES, verdict=True),
            candidates.settled_captions(project, author, CHECK_NO, verdict=False),
        )

    def _read_generated(self, role: str) -> list[Candidate]:
        """Return open questions about generated pictures, and checks of the first one's concept.

        Generated pictures are never gold, and it is told of each, once its answer cannot be undone,
        that it is generated: so gold of other pictures would be told apart here.
        """
        pool = self._read(candidates.generated(self.project.pk, role))
        concept = pool[0].concept if pool else None
        if concept is None:
            return pool
        return pool + self._read(
            candidates.checks_of(concept, 1, True, CHECK_YES, generated=True),
            candidates.checks_of(concept, 1, False, CHECK_NO, generated=True),
        )

    def _read_concept(self, role: str) -> list[Candidate]:
        """Return the open questions of the first concept that has any, and its known ones."""
        for askable in concepts.by_priority(self.project, 1):
            window = self._open_window(askable.concept, 1, role)
            pool = self._read_enough(askable, 1, 1, *_known_windows(askable.concept), window)
            if any(candidate.role == role for candidate in pool):
                return pool
        return []

    def _single(self, pool: Sequence[Candidate], role: str) -> Selection | None:
        """Return a selection of one candidate, now and then a known one; None: none is open."""
        ranked = self._ranked([c for c in pool if c.role == role])
        if not ranked:
            return None
        if random.random() < VERIFY_KNOWN:
            truths = fmean(c.probability for c in ranked)
            for candidate in known.choose(pool, 1, at=self.showings, true_share=truths):
                picked = pick(candidate, known.REASONS[candidate.role])
                return Selection(Kind.VERIFY, candidate.concept, [picked])
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
            showings=self.showings,
        )

    # Windows and ranks

    def _read(self, *windows: candidates.Window) -> list[Candidate]:
        return candidates.read(
            *windows,
            annotator=self.annotator,
            project=self.project,
            exclude=self.pending_questions,
            showings=self.showings,
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
        """Return a grid of known tiles, a random share, and likely yes and no by halves."""
        grid = Grid()
        at_random = [c for c in pool if c.role == Reason.RANDOM]
        open_ones = [c for c in pool if c.role in {LIKELY, Reason.WANTED}]
        ranked = self._ranked(list({c.question: c for c in open_ones}.values()))
        likely = [c for c in ranked if c.probability >= 0.5]
        unlikely = [c for c in ranked if c.probability < 0.5]
        truths = _true_share(likely, unlikely)
        known_ones = known.grid(pool, at=self.showings, true_share=truths)
        grid.add(known_ones, known.REASONS, len(known_ones))
        places = grid.left
        drawn = sum(random.random() < self.project.random_share for _ in range(places))
        grid.add(at_random, Reason.RANDOM, drawn)
        grid.add(likely, Reason.WANTED, min(places // 2, grid.left))
        grid.add(unlikely + likely, Reason.WANTED, grid.left)
        grid.add(at_random, Reason.RANDOM, grid.left)
        picks = list(grid.picks.values())
        random.shuffle(picks)
        others = [pick(c, Reason.WANTED) for c in ranked]
        others += [pick(c, Reason.RANDOM) for c in at_random]
        unused = {p.question: p for p in reversed(others) if p.question not in grid.picks}
        return Selection(Kind.GRID, concept, picks, list(reversed(unused.values())))

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


def _known_windows(concept: int) -> list[candidates.Window]:
    """Return the windows of a concept's gold and checks."""
    return [
        candidates.gold(concept, 1, True, YES),
        candidates.gold(concept, 1, False, NO),
        candidates.checks_of(concept, 1, True, CHECK_YES),
        candidates.checks_of(concept, 1, False, CHECK_NO),
    ]


def _true_share(likely: Sequence[Candidate], unlikely: Sequence[Candidate]) -> float:
    """Return the expected share of true ones among the open tiles of a grid of such candidates."""
    places = GRID_TILES - known.MEAN_KNOWN
    shown = min(len(likely), max(places // 2, places - len(unlikely)))
    some = [*likely[:shown], *unlikely[: places - shown]]
    return fmean(candidate.probability for candidate in some) if some else 0.5
