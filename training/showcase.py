"""What public models have drawn, for those who answer: the same words before and after.

Only samples that a model drew by itself when it was accepted are shown (`training.feedback`), never
what a visitor asked it for, and none whose picture was removed from the project.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from django.conf import settings
from django.core.files.images import get_image_dimensions
from django.db.models import QuerySet
from django.urls import reverse

from labeling import drawings, milestones, project_stats
from labeling.drawings import Drawing
from labeling.milestones import Training
from labeling.models import Annotator, Answer, Project, Question
from labeling.models.projects import name_key
from training import generators, labels
from training.models import Generation, Model, Run, Sample

Samples = dict[str, tuple[str, int]]  # (address, width) by prompt

SHOWN = 4  # drawings of a project
EARLIER_MAX = 5  # models that are looked at for an earlier drawing
ANSWERS_MAX = 2_000  # newest ones before a training, of which the concepts are looked up
SECONDS = 300  # for which a project's drawings are kept


class PublicModels:
    """The drawings of public models, for `labeling.drawings`."""

    def newest(self, project: Project) -> list[Drawing]:
        """Return what a public project's present model draws, beside the one before it."""
        if not _is_public(project):
            return []
        return [_drawing(row, project) for row in _kept(project)["rows"][:SHOWN]]

    def after_answers(self, annotator: Annotator, project: Project) -> list[Drawing]:
        """Return what it drew of concepts that somebody answered about before it learned."""
        if not _is_public(project):
            return []
        kept = _kept(project)
        model = Model.objects.filter(pk=kept["model"]).select_related("run__snapshot").first()
        if model is None or model.run.snapshot is None:
            return []
        words = _answered_about(annotator, project, model.run)
        shown = [row for row in kept["rows"] if name_key(row["words"]) in words]
        return [_drawing(row, project) for row in shown[:SHOWN]]


def next_training(project: Project) -> Training | None:
    """Return how many labels a project's next training needs; None where it does not by itself."""
    if not project.retrain_after or not project.active:
        return None
    total, new = labels.settled(project).count(), labels.new(project).count()
    if total < settings.RETRAIN_MINIMUM:
        return Training(total, settings.RETRAIN_MINIMUM)
    return Training(new, project.retrain_after) if new < project.retrain_after else None


def _is_public(project: Project) -> bool:
    return project.active and not project.private


def _kept(project: Project) -> dict[str, Any]:
    """Return the present model's id, and its drawings as JSON can hold them."""
    return project_stats.cached(f"drawings:{project.pk}", lambda: _measure(project), SECONDS)


def _measure(project: Project) -> dict[str, Any]:
    accepted = generators.accepted(generators.RECIPES).filter(project=project)
    newest = accepted.select_related("run__snapshot").order_by("-current", "-pk")
    model = next((each for each in newest if _samples(each)), None)
    if model is None:
        return {"model": None, "rows": []}
    samples = _samples(model)
    earlier = _earlier_samples(accepted, model, samples)
    rows = [
        {
            "words": words,
            "url": url,
            "width": width,
            "earlier_url": earlier[words][0] if words in earlier else "",
        }
        for words, (url, width) in samples.items()
    ]
    return {"model": model.pk, "rows": sorted(rows, key=lambda row: not row["earlier_url"])}


def _earlier_samples(accepted: QuerySet[Model], model: Model, samples: Samples) -> Samples:
    """Return those of the newest model before this one that drew some of the same words.

    Only of one that was trained in the same way, on fewer answers: so that people's answers came
    between what is shown side by side, and no other recipe or preset did.
    """
    run = model.run
    if run.snapshot is None:
        return {}
    before = accepted.filter(
        recipe=model.recipe,
        run__preset=run.preset,
        run__options=run.options,
        run__snapshot__newest_answer__lt=run.snapshot.newest_answer,
        pk__lt=model.pk,
    ).order_by("-pk")
    drawn = (_samples(each) for each in before[:EARLIER_MAX])
    return next((each for each in drawn if each.keys() & samples.keys()), {})


def _samples(model: Model) -> Samples:
    """Return a model's first own sample of each prompt, in the order of drawing."""
    own = Generation.objects.filter(
        model=model,
        kind=Generation.Kind.SAMPLES,
        state=Generation.State.SUCCEEDED,
        requested_by=None,
        visitor="",
    ).exclude(prompt="")
    shown: Samples = {}
    for generation in own.order_by("created_at").prefetch_related("samples__question"):
        rows = list(generation.samples.all())
        number = _first_shown(rows)
        if number:
            address = reverse("generation_sample", args=[generation.pk, number])
            shown.setdefault(generation.prompt, (address, _width(rows[number - 1])))
    return shown


def _width(sample: Sample) -> int:
    """Return the pixels of a sample's side; 0 where its file has gone."""
    try:
        with sample.file.open("rb") as file:
            width, _ = get_image_dimensions(file)
    except OSError:
        return 0
    return width or 0


def _first_shown(samples: Sequence[Sample]) -> int:
    """Return the number of the first sample that may be shown, from 1; 0 where none may.

    Those that people are still asked about come last: their words would give the answer away.
    """
    present = [(n, each.question) for n, each in enumerate(samples, 1) if each.question]
    asked = [n for n, question in present if question.state == Question.State.OPEN]
    return next((n for n, _ in present if n not in asked), asked[0] if asked else 0)


def _answered_about(annotator: Annotator, project: Project, run: Run) -> Collection[str]:
    """Return the keys of the concepts' names and phrases that somebody answered about before."""
    assert run.snapshot is not None
    before = Answer.objects.filter(
        annotator=annotator, created_at__lt=run.snapshot.moment, question__project=project
    )
    newest = before.order_by("-created_at").values("question__concept")[:ANSWERS_MAX]
    concepts = project.concepts.filter(pk__in=newest).order_by()
    rows: Iterable[tuple[str, str]] = concepts.values_list("name", "phrase")
    return {name_key(text) for row in rows for text in row}


def _drawing(row: dict[str, Any], project: Project) -> Drawing:
    return Drawing(
        words=row["words"],
        url=row["url"],
        width=row["width"],
        earlier_url=row["earlier_url"],
        language=project.language,
    )


drawings.register(PublicModels())
milestones.register(next_training)
