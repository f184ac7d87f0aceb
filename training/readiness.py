"""What a run would learn from, in numbers, before it starts."""

from dataclasses import dataclass

from django.db.models import QuerySet

from labeling.concepts import statements
from labeling.images import visible
from labeling.models import Image, Pair, Project, Question, Snapshot
from labeling.models.questions import LIKELY_CAPTION
from labeling.numbers import count
from training import generators, judged_drawings, promotion
from training.engine.data.preferences import ENOUGH
from training.labels import settled
from training.runs import RunError

NO_PAIRS = "There are no pairs to learn from: import some with tessera import_images --pairs."


class NothingToLearnError(RunError):
    """A run that would learn little; the message says what, and how to start it anyway."""


@dataclass(frozen=True)
class Readiness:
    """How much a project, or a snapshot of it, gives a model to learn from."""

    pictures: int
    labels: int  # questions that people's answers, or a reviewer, have settled
    captions: int
    pairs: int = 0
    stated: int = 0  # single pictures of which an import's keywords or folders name a concept

    @property
    def numbers(self) -> str:
        """Return the numbers in words."""
        parts = [
            count(self.labels, "settled label"),
            count(self.captions, "caption"),
            count(self.pictures, "picture"),
        ]
        if self.pairs:
            parts.append(f"{self.pairs:,} of them {'a pair' if self.pairs == 1 else 'pairs'}")
        if self.stated:
            parts.append(f"{self.stated:,} with imported keywords")
        return ", ".join(parts)


def of_project(project: Project) -> Readiness:
    """Count what a snapshot frozen now would hold."""
    captions = Question.objects.filter(
        LIKELY_CAPTION, project=project, tile__grid=1, tile__image__generated=False
    )
    return Readiness(
        pictures=project.images.filter(visible(), generated=False).count(),
        labels=settled(project).count(),
        captions=captions.count(),
        pairs=pairs(project).count(),
        stated=_stated(project).count(),
    )


def of_snapshot(snapshot: Snapshot) -> Readiness:
    """Count what a snapshot holds; labels by when they were settled."""
    labels = settled(snapshot.project).filter(settled_at__lte=snapshot.moment)
    return Readiness(
        pictures=int(snapshot.counts.get("images", 0)),
        labels=labels.count(),
        captions=int(snapshot.counts.get("captions", 0)),
        pairs=int(snapshot.counts.get("pairs", 0)),
        stated=_stated(snapshot.project).filter(created_at__lte=snapshot.moment).count(),
    )


def pairs(project: Project) -> QuerySet[Pair]:
    """Return a project's pairs that a snapshot frozen now would hold."""
    return Pair.objects.filter(image__in=project.images.filter(visible()))


def _stated(project: Project) -> QuerySet[Image]:
    """Return single pictures of which imports name a concept that people may be asked about."""
    concepts = project.concepts.filter(merged_into=None)
    keys = {key for concept in concepts for key in concept.keys}
    return statements.naming(project, keys).filter(visible(), pair=None)


def warning(readiness: Readiness, recipe: str) -> str:
    """Return what is missing and what the model will learn instead; empty where labels are there.

    It is a matter for people to decide: an import alone may be good enough for them.
    """
    if generators.translates(recipe):
        return "" if readiness.pairs else NO_PAIRS
    if readiness.labels:
        return ""
    draws = generators.generates(recipe)
    if not readiness.pictures:
        return f"{readiness.numbers}: there is nothing to learn from. Add pictures first."
    if readiness.captions or readiness.stated:
        learns = "what the captions and imported words say, which nobody has checked"
    elif draws:
        learns = "how the pictures look, and hardly what words mean: it draws much the same for all"
    else:
        learns = "next to nothing: no text says what a picture shows"
    return f"{readiness.numbers}: the model will learn {learns}. Settle some labels first."


def few_preferences(project: Project) -> str:
    """Return how many pairs of drawings are missing to learn preferences from; "" for none."""
    pairs = judged_drawings.preferences(project)
    if pairs.enough:
        return ""
    return (
        f"People prefer one of two drawings of the same prompt in {count(pairs.count, 'case')}; "
        f"{ENOUGH} are needed. Have more drawings judged first."
    )


def check_start(project: Project, recipe: str, *, anyway: bool) -> None:
    """Raise RunError where there is no model to go on from, or, unless ``anyway``, few pairs."""
    current = promotion.current_of(project.pk, recipe)
    if current is None:
        raise RunError(
            f"There is no current {recipe} model to go on from: train one by another preset first."
        )
    if not anyway and (missing := few_preferences(project)):
        raise NothingToLearnError(missing)


def check(project: Project, snapshot: Snapshot | None, recipe: str) -> None:
    """Raise NothingToLearnError where a run would learn little."""
    readiness = of_snapshot(snapshot) if snapshot else of_project(project)
    if missing := warning(readiness, recipe):
        raise NothingToLearnError(missing)
