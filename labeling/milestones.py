"""Numbers that can be finished: how many certain labels a concept, or a project, has to the next.

A whole data set is never done while somebody looks on; the next ten labels of a concept are.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Count, Q

from labeling import languages, progress, project_stats
from labeling.models import Project, Question

LEAST = 10  # labels from one milestone to the next, at least
SECONDS = 300  # for which the counts are kept: what one answer adds is nobody's business

_COUNTS = {
    "labels": Count("pk", filter=Q(state=Question.State.SETTLED)),
    "others": Count("pk", filter=Q(state__in=[Question.State.GOLD, Question.State.AMBIGUOUS])),
}


@dataclass(frozen=True)
class Milestone:
    """How far it is to the next round number of certain labels: "a bicycle: 37 of 40"."""

    concept: int
    phrase: str  # as the concept is asked about
    language: str  # tag of the phrase
    labels: int
    goal: int

    @property
    def direction(self) -> str:
        """In which the phrase is written: "ltr" or "rtl"."""
        return languages.direction(self.language)

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


def of_project(project: Project, wanted: Sequence[str] = ()) -> list[Milestone]:
    """Return the milestones of the concepts that are asked, the nearest first.

    About `SECONDS` old at most. A concept of which all pairs are labels has none. wanted: the
    languages of the phrases, the most wanted first.
    """
    key = f"next-milestones:{project.pk}"
    rows = project_stats.cached(key, lambda: {"rows": _measure(project)}, SECONDS)["rows"]
    return [_in_language(Milestone(**fields), phrases, wanted) for fields, phrases in rows]


def _in_language(milestone: Milestone, phrases: dict[str, str], wanted: Sequence[str]) -> Milestone:
    """Return a milestone with its phrase in the language that suits best; phrases: by language."""
    language = languages.choose(wanted, phrases, default=milestone.language)
    return replace(milestone, phrase=phrases.get(language, milestone.phrase), language=language)


def next_goal(labels: int, *, most: int | None = None) -> int:
    """Return the next round number above so many labels, and no more than `most`.

    Steps are half of the number's leading digit: 37 → 40, 120 → 150, 1,234 → 1,500.
    """
    step = max(LEAST, int(10 ** (len(str(labels)) - 1)) // 2)
    goal = (labels // step + 1) * step
    return goal if most is None else min(goal, most)


def _phrases(field: str) -> ArrayAgg:
    """Return a field of a concept's phrases in other languages, always in the same order."""
    there = Q(phrases__isnull=False)
    return ArrayAgg(f"phrases__{field}", filter=there, default=[], order_by="phrases__language")


def _measure(project: Project) -> list[tuple[dict[str, object], dict[str, str]]]:
    """Return the fields of each milestone, and the concept's phrases in other languages."""
    active = project.concepts.filter(active=True, merged_into=None)
    asked = active.annotate(languages=_phrases("language"), translations=_phrases("phrase"))
    rows = asked.values_list("pk", "phrase", "languages", "translations")
    concepts = {pk: phrase for pk, phrase, _, _ in rows}
    phrases = {pk: dict(zip(tags, texts, strict=True)) for pk, _, tags, texts in rows}
    if not concepts:
        return []
    tiles = progress.tiles(project)
    questions = Question.objects.filter(concept__in=concepts, kind=Question.Kind.CONCEPT)
    counted = questions.order_by().values_list("concept").annotate(**_COUNTS)
    counts = {concept: (labels, others) for concept, labels, others in counted}
    milestones: Sequence[Milestone] = [
        Milestone(concept, phrase, project.language, labels, next_goal(labels, most=tiles - others))
        for concept, phrase in concepts.items()
        for labels, others in [counts.get(concept, (0, 0))]
    ]
    reachable = [each for each in milestones if each.left > 0]
    nearest = sorted(reachable, key=lambda each: (each.left, each.phrase))
    return [(asdict(each), phrases[each.concept]) for each in nearest]
