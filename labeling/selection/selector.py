"""What to ask whom next: the one selector behind all challenges.

Every choice reads short windows of the indexes (`candidates`), and ranks what they hold by
the information that one more answer by this annotator is expected to bring, times the value of
the concept. Nothing is taken in hand here: a selection names what may stand in for a question
that somebody else takes first.
"""

import random
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from labeling import question_state
from labeling.aggregation.information import information_gain
from labeling.aggregation.online import ConfusionCounts
from labeling.models import Annotator, Answer, Challenge, Project, Question, Tile
from labeling.selection import candidates, concepts
from labeling.selection.candidates import Candidate

GRID_TILES = 9
GRID_GOLD = 3
SPLIT = 4  # tiles a side
VERIFY_GOLD = 0.25
SPLIT_GOLD = 0.2
FLAVOURS = {"caption": 0.5, "generated": 0.35, "concept": 0.15}  # of what is verified
CAPTIONS_ENOUGH = 5  # captions of a picture after which nobody is asked to write one
DESCRIBED = 24  # pictures looked at for one with few captions
CHANCE = 0.2  # how far chance moves a rank, so that people who ask at once get different things

Kind = Challenge.Kind
Reason = Answer.Reason
State = Question.State
YES, NO, LIKELY = "yes", "no", "likely"  # roles of windows beside the reasons


class Pick(NamedTuple):
    question: int | None
    tile: int
    reason: str

    @property
    def asked(self) -> bool:
        """Whether it is to be taken in hand: an open question, no gold, no mere picture."""
        return self.question is not None and self.reason in {Reason.WANTED, Reason.RANDOM}


@dataclass(frozen=True)
class Selection:
    """What a challenge shows, in the order of the screen, and what may stand in for the open."""

    kind: str
    concept: int | None
    picks: list[Pick]
    spare: list[Pick] = field(default_factory=list)


class Selector:
    """One annotator who wants one challenge of a project."""

    def __init__(self, *, annotator: Annotator, project: Project) -> None:
        self.annotator = annotator
        self.project = project
        pending = Challenge.objects.filter(
            annotator=annotator, answered_at=None, expires_at__gt=timezone.now()
        )
        mine = list(pending.order_by().values_list("tiles", "questions"))
        self.pending = len(mine)
        self.my_tiles = {tile for tiles, _ in mine for tile in tiles}
        self.taken = {question for _, questions in mine for question in questions}

    def choose(self, kind: str) -> Selection | None:
        """A selection of that kind; None when nothing of it is left to ask this annotator."""
        return next(self.offers(kind), None)

    def offers(self, kind: str) -> Iterator[Selection]:
        """Selections of that kind, what is wanted more tending to come first."""
        how = {Kind.GRID: self._grids, Kind.SPLIT: self._splits, Kind.VERIFY: self._verify}
        return how.get(Kind(kind), self._write)()

    def _grids(self) -> Iterator[Selection]:
        """Nine tiles of one concept: three gold, some drawn at random, the rest most wanted."""
        for concept in concepts.concepts(self.project, 1):
            found = self._read(
                candidates.gold(concept, 1, True, YES),
                candidates.gold(concept, 1, False, NO),
                candidates.anywhere(concept, 1, Reason.RANDOM),
                candidates.likely(concept, 1, LIKELY),
                candidates.wanted(concept, 1, Reason.WANTED),
            )
            if any(c.role in {Reason.RANDOM, Reason.WANTED} for c in found):
                yield self._compose(concept, found)

    def _splits(self) -> Iterator[Selection]:
        """All tiles of one picture, asked for one concept; what is retired is only shown."""
        for concept in concepts.concepts(self.project, SPLIT):
            role = self._open_role()
            found = self._read(
                candidates.gold(concept, SPLIT, True, Reason.GOLD),
                self._window(concept, SPLIT, role),
            )
            worth: dict[int, float] = {}
            for candidate, score in self._scored([c for c in found if c.role == role]):
                worth[candidate.image] = worth.get(candidate.image, 0.0) + score
            images = sorted(worth, key=worth.__getitem__, reverse=True)
            if role == Reason.RANDOM:
                random.shuffle(images)
            if images and random.random() < SPLIT_GOLD:
                images = [c.image for c in found if c.role == Reason.GOLD][:1] + images
            for image in images[:3]:
                if picks := self._whole(concept, image, role):
                    yield Selection(Kind.SPLIT, concept, picks)

    def _verify(self) -> Iterator[Selection]:
        """One question: of a caption, of a picture that a model drew, or of any picture."""
        for flavour in concepts.shuffled(FLAVOURS):
            role = Reason.WANTED if flavour == "generated" else self._open_role()
            project, about = self.project.pk, concepts.concepts(self.project, 1)
            if flavour == "caption":
                top = role == Reason.WANTED
                asked = candidates.captions(project, self.annotator.pk, role, top=top)
                gold = [candidates.gold_captions(project, Reason.GOLD)]
            else:
                concept = next(about, None)
                if concept is None and flavour == "concept":
                    continue
                asked = candidates.generated(project, role)
                gold = []
                if concept is not None:
                    gold = [candidates.gold(concept, 1, v, Reason.GOLD) for v in (True, False)]
                    if flavour == "concept":
                        asked = self._window(concept, 1, role)
            if selection := self._one(self._read(*gold, asked), role):
                yield selection

    def _one(self, found: Sequence[Candidate], role: str) -> Selection | None:
        """One of what was found, now and then gold; None when none of it is open."""
        ranked = self._ranked([c for c in found if c.role == role])
        known = [c for c in found if c.role == Reason.GOLD]
        if not ranked:
            return None
        if known and random.random() < VERIFY_GOLD:
            drawn = random.choice(known)
            return Selection(Kind.VERIFY, drawn.concept, [_pick(drawn, Reason.GOLD)])
        first, *rest = ranked
        spare = [_pick(c, role) for c in rest if c.concept == first.concept]
        return Selection(Kind.VERIFY, first.concept, [_pick(first, role)], spare)

    def _write(self) -> Iterator[Selection]:
        """A picture with few captions, none of them by this annotator."""
        start = secrets.token_hex(32)
        window = list(self._to_describe().filter(image__sha256__gte=start)[:DESCRIBED])
        if len(window) < DESCRIBED:
            window += self._to_describe().filter(image__sha256__lt=start)[:DESCRIBED]
        captions, tile = min(window, default=(CAPTIONS_ENOUGH, 0))
        if captions < CAPTIONS_ENOUGH:
            yield Selection(Kind.WRITE, None, [Pick(None, tile, Reason.WANTED)])

    # Windows and ranks

    def _read(self, *wanted: candidates.Window) -> list[Candidate]:
        return candidates.read(
            *wanted, annotator=self.annotator, project=self.project, taken=self.taken
        )

    def _window(self, concept: int, grid: int, role: str) -> candidates.Window:
        """The window that the role asks for."""
        if role == Reason.RANDOM:
            return candidates.anywhere(concept, grid, role, whole=True)
        return candidates.wanted(concept, grid, role)

    def _ranked(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The worthiest first; those drawn at random stay in their order."""
        if any(c.role == Reason.RANDOM for c in candidates):
            return list(candidates)
        scored = [
            (score * (1 - CHANCE * random.random()), c) for c, score in self._scored(candidates)
        ]
        return [c for _, c in sorted(scored, key=lambda pair: pair[0], reverse=True)]

    def _scored(self, candidates: Sequence[Candidate]) -> Iterator[tuple[Candidate, float]]:
        """With each the bits that this annotator's answer is expected to bring × its value.

        What is to be brought to an end (`beliefs.unfinished`) counts as if nothing were known of
        it, and a little more, so that chance does not put it off.
        """
        least = self.project.answers_min
        firsts = [
            question_state.unfinished(
                answers=c.answers, least=least, wanted=c.wanted, random_key=c.random_key
            )
            for c in candidates
        ]
        believed = [0.5 if f else c.probability for f, c in zip(firsts, candidates, strict=True)]
        bits = information_gain(self._coins.sensitivity, self._coins.specificity, believed).tolist()
        for candidate, gain, first in zip(candidates, bits, firsts, strict=True):
            yield candidate, gain * candidate.value / (1 - CHANCE * first)

    @cached_property
    def _coins(self) -> ConfusionCounts:
        mine = self.annotator
        return ConfusionCounts(
            mine.true_positives, mine.false_negatives, mine.true_negatives, mine.false_positives
        )

    # Composition

    def _compose(self, concept: int, found: Sequence[Candidate]) -> Selection:
        """A grid of what was found: gold, a random slice, and of the rest yes and no by halves."""
        grid = _Grid()
        roles = {r: [c for c in found if c.role == r] for r in (YES, NO, Reason.RANDOM)}
        wanted = [c for c in found if c.role in {LIKELY, Reason.WANTED}]
        ranked = self._ranked(list({c.question: c for c in wanted}.values()))
        likely = [c for c in ranked if c.probability >= 0.5]
        unlikely = [c for c in ranked if c.probability < 0.5]
        # The answers of who is suspect weigh nothing, and gold is where they can prove themselves.
        known = GRID_TILES if self.annotator.suspect else GRID_GOLD
        some = known // 2 + (len(likely) < 2 or random.random() < 0.5)
        gold = grid.take(roles[YES], Reason.GOLD, some)
        gold += grid.take(roles[NO], Reason.GOLD, known - gold)
        gold += grid.take(roles[YES], Reason.GOLD, known - gold)
        places = GRID_TILES - gold
        lucky = sum(random.random() < self.project.random_share for _ in range(places))
        grid.take(roles[Reason.RANDOM], Reason.RANDOM, lucky)
        grid.take(likely, Reason.WANTED, min(places // 2, grid.left))
        grid.take(unlikely + likely, Reason.WANTED, grid.left)
        grid.take(roles[Reason.RANDOM], Reason.RANDOM, grid.left)
        grid.take(roles[YES] + roles[NO], Reason.GOLD, grid.left)
        picks = list(grid.picks.values())
        random.shuffle(picks)
        rest = [_pick(c, Reason.WANTED) for c in ranked]
        rest += [_pick(c, Reason.RANDOM) for c in roles[Reason.RANDOM]]
        spare = {pick.question: pick for pick in reversed(rest) if pick.question not in grid.picks}
        return Selection(Kind.GRID, concept, picks, list(reversed(spare.values())))

    def _whole(self, concept: int, image: int, role: str) -> list[Pick]:
        """Every tile of the picture in its order; empty if some are missing or were answered."""
        tiles = Question.objects.filter(
            concept=concept, grid=SPLIT, kind=Question.Kind.CONCEPT, tile__image=image
        )
        answered = Answer.objects.filter(question=OuterRef("pk"), annotator=self.annotator)
        rows = list(
            tiles.order_by("tile__position").values_list("pk", "tile", "state", Exists(answered))
        )
        seen = any(mine or pk in self.taken for pk, _, _, mine in rows)
        still = any(state == State.OPEN for _, _, state, _ in rows)
        if seen or not still or len(rows) != SPLIT * SPLIT:
            return []
        reasons = {State.GOLD: Reason.GOLD, State.OPEN: role}
        return [
            Pick(pk, tile, reasons.get(State(state), Challenge.SHOWN))
            for pk, tile, state, _ in rows
        ]

    def _open_role(self) -> str:
        lucky = random.random() < self.project.random_share
        return Reason.RANDOM if lucky else Reason.WANTED

    def _to_describe(self) -> QuerySet[Tile, tuple[int, int]]:
        """(captions, tile) of whole real pictures of which this annotator has written nothing."""
        captions = Question.objects.filter(kind=Question.Kind.CAPTION, tile=OuterRef("pk"))
        count = captions.order_by().values("tile").annotate(count=Count("pk")).values("count")
        return (
            Tile.objects.filter(image__project=self.project, image__generated=False, grid=1)
            .exclude(pk__in=self.my_tiles)
            .filter(~Exists(captions.filter(author=self.annotator)))
            .order_by("image__sha256")
            .values_list(Coalesce(Subquery(count), 0), "pk")
        )


class _Grid:
    """Tiles that are put together one by one, of as many pictures as possible."""

    def __init__(self) -> None:
        self.picks: dict[int, Pick] = {}
        self.images: set[int] = set()

    @property
    def left(self) -> int:
        return GRID_TILES - len(self.picks)

    def take(self, candidates: Sequence[Candidate], reason: str, most: int) -> int:
        """Take at most so many of the candidates, in their order; gives how many it took."""
        taken = 0
        for candidate in sorted(candidates, key=lambda c: c.image in self.images):
            if taken < most and candidate.question not in self.picks:
                self.picks[candidate.question] = _pick(candidate, reason)
                self.images.add(candidate.image)
                taken += 1
        return taken


def _pick(candidate: Candidate, reason: str) -> Pick:
    return Pick(candidate.question, candidate.tile, reason)
