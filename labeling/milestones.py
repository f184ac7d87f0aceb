"""Numbers that can be finished: how many certain labels a concept, or a project, has to the next.

A whole data set is never done while somebody looks on; the next ten labels of a concept are.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from django.db.models import Count, Q

from labeling import progress, project_stats
from labeling.models import Project, Question

LEAST = 10  # labels from one milestone to the next, at least
SECONDS = 300  # for which the counts are kept: what one answer adds is nobody's business

_COUNTS = {
    "labels": Count("pk", filter=Q(state=Question.State.SETTLED)),
    "others": Count("pk", filter=Q(state__in=[Question.State.GOLD, Question.State.AMBIGUOUS])),
}


@dataclass(frozen=True)
class Milestone:
    """How far it is to the next round number of certain labels: "bicycle: 37 of 40"."""

    concept: int
    name: str
    labels: int
    goal: int

    @property
    def left(self) -> int:
        """How many labels are missing."""
        return self.goal - self.labels


@dataclass(frozen=True)
class Training:
    """How far it is to the next training, in certain labels that it needs."""

    labels: int
    goal: int


_sources: list[Callable[[Project], Training | None]] = []


def register(source: Callable[[Project], Training | None]) -> None:
    """Let the app that trains say how many labels a project's next training needs."""
    _sources.append(source)


def training(project: Project) -> Training | None:
    """Return how far a project's next training is; None where no number leads to it."""

    def measure() -> dict[str, list[dict[str, int]]]:
        trainings = filter(None, (source(project) for source in _sources))
        return {"trainings": [asdict(each) for each in trainings]}

    rows = project_stats.cached(f"training-milestone:{project.pk}", measure, SECONDS)["trainings"]
    return Training(**rows[0]) if rows else None


def of_project(project: Project) -> list[Milestone]:
    """Return the milestones of the concepts that are asked, the nearest first.

    About `SECONDS` old at most. A concept of which all pairs are labels has none.
    """
    key = f"milestones:{project.pk}"
    rows = project_stats.cached(key, lambda: {"rows": _measure(project)}, SECONDS)["rows"]
    return [Milestone(**row) for row in rows]


def next_goal(labels: int, *, most: int | None = None) -> int:
    """Return the next round number above so many labels, and no more than `most`.

    Steps are half of the number's leading digit: 37 → 40, 120 → 150, 1,234 → 1,500.
    """
    step = max(LEAST, int(10 ** (len(str(labels)) - 1)) // 2)
    goal = (labels // step + 1) * step
    return goal if most is None else min(goal, most)


def _measure(project: Project) -> list[dict[str, object]]:
    concepts = dict(
        project.concepts.filter(active=True, merged_into=None).values_list("pk", "name")
    )
    if not concepts:
        return []
    tiles = progress.tiles(project)
    questions = Question.objects.filter(concept__in=concepts, kind=Question.Kind.CONCEPT)
    rows = questions.order_by().values_list("concept").annotate(**_COUNTS)
    counts = {concept: (labels, others) for concept, labels, others in rows}
    milestones: Sequence[Milestone] = [
        Milestone(concept, name, labels, next_goal(labels, most=tiles - others))
        for concept, name in concepts.items()
        for labels, others in [counts.get(concept, (0, 0))]
    ]
    reachable = [each for each in milestones if each.left > 0]
    return [asdict(each) for each in sorted(reachable, key=lambda each: (each.left, each.name))]
