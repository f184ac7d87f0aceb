"""How far a project has come: its pairs, the questions among them by state, answers, annotators.

A pair is a tile that may be asked about and a concept that is asked: most are implicit, and are
counted by multiplication, never one by one.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from django.db.models import Count, Exists, OuterRef, Q, Sum

from labeling.images import visible
from labeling.models import Annotator, Answer, Image, Project, Question, Tile
from labeling.models.annotators import CAME_HERE
from labeling.models.questions import POOLED
from labeling.pools import levels


@dataclass(frozen=True)
class Progress:
    """Totals of a project; those from `open` to `gold` count its questions by state.

    A concept that is switched off is no longer asked: its open questions are in no count of
    questions, while what was settled of it stays a label. Questions of merged concepts are
    records, of which only the answers count.
    """

    images: int
    pairs: int  # tiles that may be asked about × concepts that are asked
    implicit: int  # pairs that no question is stored of
    questions: int  # stored, of all kinds; those of the four states together
    answered: int  # questions with an answer or more
    pooled: int  # open questions in the pools of asked concepts, which nobody has answered yet
    open: int  # of concepts that are asked, and of captions
    settled: int
    ambiguous: int
    gold: int
    answers: int  # without those of blocked annotators
    annotators: int  # who came here themselves
    visitors: int  # of the project's sites, whose answers were taken in: one for each attempt

    @property
    def people(self) -> int:
        """How many answered, whether they came here or to one of the project's sites."""
        return self.annotators + self.visitors

    @property
    def chosen(self) -> int:
        """Questions that people are or were asked to settle: all but gold."""
        return self.questions - self.gold

    @property
    def done(self) -> int:
        """Chosen questions of which no more answers are wanted."""
        return self.settled + self.ambiguous


class Totals(NamedTuple):
    """What the first page says of a project."""

    images: int = 0
    labels: int = 0  # settled questions, without records of merged concepts


class _Group(NamedTuple):
    """How many questions are alike, in the order of `_COUNTS`."""

    concept: int | None
    state: str
    source: str
    questions: int
    answered: int
    pooled: int
    answers: int


_COUNTS = {
    "count": Count("pk"),
    "answered": Count("pk", filter=Q(answers_count__gt=0)),
    "pooled": Count("pk", filter=POOLED),
    "given": Sum("answers_count"),
}


def measure(*, project: Project) -> Progress:
    """Count the pairs, the questions in each state, the answers, and the people who gave them."""
    groups = list(_groups(project))
    unmerged = dict(project.concepts.filter(merged_into=None).values_list("pk", "active"))
    concepts = {pk for pk, active in unmerged.items() if active}
    current = _counted(groups, unmerged, concepts)
    pictures = _pictures(project)
    pairs = _tiles(pictures) * len(concepts)
    stored = sum(
        group.questions
        for group in groups
        if group.concept in concepts and group.source != Question.Source.MODEL
    )
    answered_here = Answer.objects.filter(annotator=OuterRef("pk"), question__project=project)
    states = {
        str(state): sum(group.questions for group in current if group.state == state)
        for state in Question.State.values
    }
    return Progress(
        images=sum(pictures.values()),
        pairs=pairs,
        implicit=pairs - stored + _beside(project, concepts),
        questions=sum(group.questions for group in current),
        answered=sum(group.answered for group in current),
        pooled=sum(group.pooled for group in current if group.concept in concepts),
        answers=sum(group.answers for group in groups),
        annotators=Annotator.objects.filter(CAME_HERE, Exists(answered_here)).count(),
        visitors=Annotator.objects.filter(site__project=project, answers_count__gt=0).count(),
        **states,
    )


def totals(projects: Collection[int]) -> dict[int, Totals]:
    """Return the totals of projects by their ids, by two queries."""
    there = Image.objects.filter(visible(), project__in=projects)
    images = there.order_by().values_list("project")
    labels = Question.objects.filter(project__in=projects, state=Question.State.SETTLED)
    kept = labels.filter(concept__merged_into=None).order_by().values_list("project")
    images_by_id = dict(images.annotate(Count("pk")))
    labels_by_id = dict(kept.annotate(Count("pk")))
    return {pk: Totals(images_by_id.get(pk, 0), labels_by_id.get(pk, 0)) for pk in projects}


def tiles(project: Project) -> int:
    """Count the tiles of a project that may be asked about."""
    return _tiles(_pictures(project))


def _groups(project: Project) -> Iterator[_Group]:
    questions = Question.objects.filter(project=project).order_by()
    rows = questions.values_list("concept_id", "state", "source").annotate(**_COUNTS)
    yield from map(_Group._make, rows)


def _counted(
    groups: list[_Group], unmerged: Collection[int], asked: Collection[int]
) -> list[_Group]:
    """Return the groups that count as questions: without records and what is no longer asked."""
    kept, current = {None, *unmerged}, {None, *asked}  # captions belong to no concept
    return [
        group
        for group in groups
        if group.concept in (current if group.state == Question.State.OPEN else kept)
    ]


def _tiles(pictures: Mapping[tuple[int, bool], int]) -> int:
    """Count the tiles that may be asked about: wholes, and the parts of cut pictures."""
    return sum(pictures.get((levels.cut_into(grid), False), 0) * grid**2 for grid in levels.GRIDS)


def _pictures(project: Project) -> dict[tuple[int, bool], int]:
    """Count the pictures by the grid that they are cut into, and whether they were generated."""
    there = project.images.filter(visible()).order_by()
    rows = there.values_list("cut_into", "generated").annotate(Count("pk"))
    return {(cut_into, generated): count for cut_into, generated, count in rows}


def _beside(project: Project, concepts: set[int]) -> int:
    """Count the questions about tiles that are no pairs: boxes, and wholes of cut pictures."""
    of_cut_whole = Q(tile__image__cut_into__gt=0, tile__grid=1)
    return Question.objects.filter(
        of_cut_whole | Q(tile__grid=Tile.BOX),
        tile__image__project=project,
        tile__image__generated=False,
        concept__in=concepts,
    ).count()
