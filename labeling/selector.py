"""What to ask whom next: the one selector behind all challenges.

Every choice reads a short window of an index: the most wanted open questions, or those from a
random point on, and never what this annotator answered before or what enough others have in hand.
"""

import random
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple, TypeVar

from django.core.cache import cache
from django.db import connection
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.fields import CharField
from django.db.models.functions import Coalesce
from django.utils import timezone

from labeling.models import Annotator, Answer, Challenge, Project, Question, Tile

GRID_TILES = 9
GRID_GOLD = 3
SPLIT = 4  # tiles a side
WINDOW = 24  # questions read from an index, to draw a few from
VERIFY_GOLD = 0.25
SPLIT_GOLD = 0.2
FLAVOURS = {"caption": 0.5, "generated": 0.35, "concept": 0.15}  # of what is verified
CAPTIONS_ENOUGH = 5  # captions of a picture after which nobody is asked to write one
IN_HAND = timedelta(minutes=2)  # after that a challenge that was not answered probably will not be
WANTED_SECONDS = 15  # for which the ranking of concepts is remembered

T = TypeVar("T")

Kind = Challenge.Kind
Reason = Answer.Reason
State = Question.State


class Candidate(NamedTuple):
    role: str
    question: int
    tile: int
    image: int
    concept: int | None
    probability: float
    answers: int


class Window(NamedTuple):
    role: str
    rows: QuerySet[Question]
    before: Callable[[], QuerySet[Question]] | None


class Pick(NamedTuple):
    question: int | None
    tile: int
    reason: str


@dataclass(frozen=True)
class Selection:
    """What a challenge shows, in the order of the screen."""

    kind: str
    concept: int | None
    picks: list[Pick]


class Asking:
    """One annotator who wants one challenge of a project."""

    def __init__(self, *, annotator: Annotator, project: Project) -> None:
        self.annotator = annotator
        self.project = project
        mine, self.others = _in_hand(annotator, project)
        self.pending = len(mine)
        self.my_tiles = {tile for tiles, _ in mine for tile in tiles}
        self.taken = {question for _, questions in mine for question in questions}
        self.taken |= {q for q, people in self.others.items() if people >= project.answers_min}

    def choose(self, kind: str) -> Selection | None:
        """A selection of that kind; None when nothing of it is left to ask this annotator."""
        how = {Kind.GRID: self.grid, Kind.SPLIT: self.split, Kind.VERIFY: self.verify}
        return how.get(Kind(kind), self.write)()

    def grid(self) -> Selection | None:
        """Nine tiles of one concept: three gold, some drawn at random, the rest most wanted."""
        for concept in _concepts_by_want(self.project, 1):
            about = Question.objects.filter(concept=concept, grid=1)
            real = about.exclude(source=Question.Source.MODEL)
            found = _read(
                self._from(real.filter(state=State.GOLD, verdict=True), "yes"),
                self._from(real.filter(state=State.GOLD, verdict=False), "no"),
                self._from(real.filter(state=State.OPEN), "random"),
                self._top(real.filter(state=State.OPEN), "wanted"),
            )
            if picks := self._compose(found):
                return Selection(Kind.GRID, concept, picks)
        return None

    def split(self) -> Selection | None:
        """All tiles of one picture, asked for one concept."""
        for concept in _concepts_by_want(self.project, SPLIT):
            about = Question.objects.filter(concept=concept, grid=SPLIT)
            role = self._open_role()
            open_ones = about.filter(state=State.OPEN)
            found = _read(
                self._from(about.filter(state=State.GOLD), "gold"),
                self._open(open_ones, role),
            )
            images = list({c.image for c in found if c.role == role})
            random.shuffle(images)
            if images and random.random() < SPLIT_GOLD:
                images = [c.image for c in found if c.role == "gold"][:1] + images
            for image in images[:3]:
                if picks := self._whole(about, image, role):
                    return Selection(Kind.SPLIT, concept, picks)
        return None

    def verify(self) -> Selection | None:
        """One question: of a caption, of a picture that a model drew, or of any picture."""
        for flavour in shuffled(FLAVOURS):
            kind = Question.Kind.CAPTION if flavour == "caption" else Question.Kind.CONCEPT
            about = Question.objects.filter(project=self.project, kind=kind, grid=1)
            about = about.filter(Q(concept=None) | Q(concept__active=True))
            open_ones = about.filter(state=State.OPEN).exclude(author=self.annotator)
            if flavour == "generated":
                open_ones = open_ones.filter(source=Question.Source.MODEL)
            role = Reason.WANTED if flavour == "generated" else self._open_role()
            found = _read(
                self._from(about.filter(state=State.GOLD), Reason.GOLD),
                self._open(open_ones, role),
            )
            asked = [c for c in found if c.role == role and self._needed(c)]
            gold = [c for c in found if c.role == Reason.GOLD]
            if asked:
                drawn = random.choice(
                    gold if gold and random.random() < VERIFY_GOLD else asked[: WINDOW // 3]
                )
                return Selection(
                    Kind.VERIFY, drawn.concept, [Pick(drawn.question, drawn.tile, drawn.role)]
                )
        return None

    def write(self) -> Selection | None:
        """A picture with few captions, none of them by this annotator."""
        start = secrets.token_hex(32)
        window = list(self._to_describe().filter(image__sha256__gte=start)[:WINDOW])
        if len(window) < WINDOW:
            window += self._to_describe().filter(image__sha256__lt=start)[:WINDOW]
        captions, tile = min(window, default=(CAPTIONS_ENOUGH, 0))
        if captions >= CAPTIONS_ENOUGH:
            return None
        return Selection(Kind.WRITE, None, [Pick(None, tile, Reason.WANTED)])

    # Windows

    def _from(self, questions: QuerySet[Question], role: str) -> Window:
        """A window from a random point on; what lies before it, should that be too little."""
        start = random.random()
        mine = self._mine(questions, role).order_by("random_key")
        ahead = mine.filter(random_key__gte=start)
        return Window(role, ahead, lambda: mine.filter(random_key__lt=start))

    def _top(self, questions: QuerySet[Question], role: str) -> Window:
        """The window of the most wanted; among equals, in an order that is nobody's."""
        return Window(role, self._mine(questions, role).order_by("-priority", "random_key"), None)

    def _open(self, questions: QuerySet[Question], role: str) -> Window:
        """The window that the role asks for."""
        return (self._from if role == Reason.RANDOM else self._top)(questions, role)

    def _mine(self, questions: QuerySet[Question], role: str) -> QuerySet[Question]:
        answered = Answer.objects.filter(question=OuterRef("pk"), annotator=self.annotator)
        return (
            questions.exclude(pk__in=self.taken)
            .filter(~Exists(answered))
            .annotate(role=Value(role, output_field=CharField()))
        )

    # Composition

    def _compose(self, found: Sequence[Candidate]) -> list[Pick]:
        """A grid of what was found; empty when none of it is open."""
        by_role = {
            role: [c for c in found if c.role == role] for role in ("yes", "no", "random", "wanted")
        }
        chosen: dict[int, Pick] = {}
        images: set[int] = set()

        def take(candidates: list[Candidate], reason: str, most: int) -> int:
            taken = 0
            for candidate in sorted(candidates, key=lambda c: c.image in images):
                if taken < most and candidate.question not in chosen:
                    pick = Pick(candidate.question, candidate.tile, reason)
                    chosen[candidate.question] = pick
                    images.add(candidate.image)
                    taken += 1
            return taken

        lottery = [c for c in by_role["random"] if self._needed(c)]
        wanted = [c for c in by_role["wanted"] if self._needed(c)]
        if not lottery and not wanted:
            return []
        some = 1 + (random.random() < 0.5)
        gold = take(by_role["yes"], Reason.GOLD, some)
        gold += take(by_role["no"], Reason.GOLD, GRID_GOLD - gold)
        gold += take(by_role["yes"], Reason.GOLD, GRID_GOLD - gold)
        places = GRID_TILES - gold
        lucky = sum(random.random() < self.project.random_share for _ in range(places))
        take(lottery, Reason.RANDOM, lucky)
        random.shuffle(wanted)
        likely = [c for c in wanted if c.probability >= 0.5]
        take(likely, Reason.WANTED, min(places // 2, GRID_TILES - len(chosen)))
        unlikely = [c for c in wanted if c.probability < 0.5]
        take(unlikely + likely, Reason.WANTED, GRID_TILES - len(chosen))
        take(lottery, Reason.RANDOM, GRID_TILES - len(chosen))
        take(by_role["yes"] + by_role["no"], Reason.GOLD, GRID_TILES - len(chosen))
        picks = list(chosen.values())
        random.shuffle(picks)
        return picks

    def _whole(self, about: QuerySet[Question], image: int, role: str) -> list[Pick]:
        """Every tile of the picture in its order; empty if some are missing or were answered."""
        tiles = about.filter(kind=Question.Kind.CONCEPT, tile__image=image)
        answered = Answer.objects.filter(question=OuterRef("pk"), annotator=self.annotator)
        rows = list(
            tiles.order_by("tile__position").values_list("pk", "tile", "state", Exists(answered))
        )
        seen = any(mine or pk in self.taken for pk, _, _, mine in rows)
        if seen or len(rows) != SPLIT * SPLIT:
            return []
        return [
            Pick(pk, tile, Reason.GOLD if state == State.GOLD else role)
            for pk, tile, state, _ in rows
        ]

    def _open_role(self) -> str:
        lucky = random.random() < self.project.random_share
        return Reason.RANDOM if lucky else Reason.WANTED

    def _needed(self, candidate: Candidate) -> bool:
        """Whether fewer people have it in hand than it still needs."""
        return self.others[candidate.question] < max(
            1, self.project.answers_min - candidate.answers
        )

    def _to_describe(self) -> QuerySet[Tile, tuple[int, int]]:
        """(captions, tile) of whole real pictures of which this annotator has written nothing."""
        captions = Question.objects.filter(kind=Question.Kind.CAPTION, tile=OuterRef("pk"))
        count = captions.order_by().values("tile").annotate(count=Count("pk")).values("count")
        return (
            Tile.objects.filter(image__project=self.project, image__generated_by="", grid=1)
            .exclude(pk__in=self.my_tiles)
            .filter(~Exists(captions.filter(author=self.annotator)))
            .order_by("image__sha256")
            .values_list(Coalesce(Subquery(count), 0), "pk")
        )


def _in_hand(
    annotator: Annotator, project: Project
) -> tuple[list[tuple[list[int], list[int]]], Counter[int]]:
    """(tiles, questions) of the annotator's own pending challenges; how many others hold each."""
    now = timezone.now()
    pending = Challenge.objects.filter(answered_at=None)
    mine = pending.filter(annotator=annotator, expires_at__gt=now).values_list("tiles", "questions")
    others = (
        pending.filter(project=project, created_at__gt=now - IN_HAND)
        .exclude(annotator=annotator)
        .order_by("-created_at")
        .values_list("questions", flat=True)[:500]
    )
    return list(mine), Counter(question for questions in others for question in questions)


def _read(*windows: Window) -> list[Candidate]:
    """All windows in one query; those that began too near the end are read on from the start."""
    found = _rows([window.rows for window in windows])
    counts = Counter(candidate.role for candidate in found)
    short = [w.before() for w in windows if w.before is not None and counts[w.role] < GRID_GOLD]
    return found + (_rows(short) if short else [])


def _rows(windows: Sequence[QuerySet[Question]]) -> list[Candidate]:
    columns = "role", "pk", "tile", "tile__image", "concept", "probability", "answers_count"
    first, *rest = [window.values_list(*columns)[:WINDOW] for window in windows]
    return [Candidate(*row) for row in (first.union(*rest, all=True) if rest else first)]


def _concepts_by_want(project: Project, grid: int) -> Iterator[int]:
    """Concepts with open questions, the more wanted ones likelier to come first."""
    key = f"wanted:{project.pk}"
    wanted = cache.get(key)
    if not wanted or not wanted.get(grid):
        wanted = _want(project)
        cache.set(key, wanted, WANTED_SECONDS)
    yield from shuffled(wanted[grid])


def _want(project: Project) -> dict[int, dict[int, float]]:
    """grid → concept → the sum of its highest priorities, a bounded read."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT grid, concept.id, (
                SELECT sum(priority) FROM (
                    SELECT priority FROM labeling_question
                    WHERE concept_id = concept.id AND grid = grids.grid
                        AND state = 'open' AND source <> 'model'
                    ORDER BY priority DESC LIMIT 50
                ) AS best
            )
            FROM labeling_concept AS concept, (VALUES (1), (%s)) AS grids(grid)
            WHERE concept.project_id = %s AND concept.active
            """,
            [SPLIT, project.pk],
        )
        wanted: dict[int, dict[int, float]] = {1: {}, SPLIT: {}}
        for grid, concept, want in cursor.fetchall():
            if want is not None:
                wanted[grid][concept] = want + 1e-3
    return wanted


def shuffled(weights: Mapping[T, float]) -> list[T]:
    """Keys in a random order in which heavier ones tend to come first.

    P. S. Efraimidis and P. G. Spirakis, "Weighted random sampling with a reservoir" (2006).
    """
    return sorted(weights, key=lambda key: random.random() ** (1 / weights[key]), reverse=True)
