"""What a model gives back to the loop: a CLIP's predictions, or samples for people to judge."""

import logging
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q, QuerySet

from labeling.inference import intake
from labeling.models import LeasedQuerySet, LeaseLost, Project
from training import (
    delays,
    generations,
    generators,
    predictions,
    prompts,
    sample_questions,
    sampling,
    server_paths,
    sources,
)
from training.models import Model
from training.prediction_shares import OnShared, Overtaken
from training.sampling import GeneratedImage

SAMPLES_PER_PROMPT = 4

logger = logging.getLogger(__name__)


def due() -> LeasedQuerySet[Model]:
    """Return the models that have been reviewed and gave nothing back yet, and wait for nothing.

    Only the current CLIP predicts, and only accepted models have their samples asked about.
    """
    return _due().free()


def _due() -> LeasedQuerySet[Model]:
    reviewed = Model.objects.filter(feedback__isnull=True, reviewed_at__isnull=False)
    asked_about = Q(pk__in=generators.accepted(generators.RECIPES).order_by().values("pk"))
    return reviewed.filter(Q(current=True, recipe="clip") | asked_about)


def is_due(model: Model) -> bool:
    """Return whether a model was reviewed, and is to give something back that it has not yet."""
    return _due().filter(pk=model.pk).exists()


def give(model: Model, on_shared: OnShared = lambda free: None) -> dict[str, Any]:
    """Give back what is due; store on the model, and return, how much it was.

    Nothing is stored where another model has taken its place meanwhile. on_shared: wakes workers
    who take part in looking at many pictures. Raises DelayedError where a file cannot be had now,
    and an error of the database: it stays due.
    """
    try:
        with delays.translated():
            if generators.generates(model.recipe):
                feedback = ask_about_samples(model)
            else:
                feedback = predictions.update(model, on_shared)
    except (delays.DelayedError, LeaseLost, OperationalError, InterfaceError):
        raise
    except Overtaken as error:
        logger.info("%s predicts no more: %s", model, error)
        return {}
    except Exception as error:  # the model itself is none the worse for it
        logger.exception("%s gave nothing back.", model)
        feedback = {"error": server_paths.hidden(str(error)) or type(error).__name__}
    model.feedback = feedback
    model.save(update_fields=["feedback"])
    return feedback


def to_take_back() -> QuerySet[Project]:
    """Return the projects in which models gave something that they stand for no longer."""
    predicted = _of_no_clip(Project.objects.all()).values("pk")
    asked = sample_questions.of_refused_models().values("generation__model__project")
    return Project.objects.filter(Q(pk__in=predicted) | Q(pk__in=asked))


def take_back(project: Project) -> None:
    """Take back predictions of a CLIP that is not current, and questions about refused samples."""
    if _of_no_clip(Project.objects.filter(pk=project.pk)).exists():
        intake.withdraw(project=project)
    sample_questions.take_back(project)
    gave = Model.objects.filter(project=project, current=False, feedback__isnull=False)
    refused = gave.exclude(pk__in=generators.accepted().order_by().values("pk"))
    refused.update(feedback=None)  # should it be accepted again, it gives again


def _of_no_clip(projects: QuerySet[Project]) -> QuerySet[Project]:
    """Return those with a CLIP's predictions, and no current CLIP."""
    clips = Model.objects.filter(recipe="clip", current=True)
    predicted = projects.exclude(features="").filter(encoder="")
    return predicted.exclude(pk__in=clips.values("project"))


def ask_about_samples(model: Model) -> dict[str, Any]:
    """Generate samples of what the project knows best, and of a few captions; ask about them."""
    wanted = [concept.phrase for concept in prompts.best_known_concepts(model.project)]
    wanted += prompts.likely_captions(model.project)
    if not wanted:
        return {"samples": 0}
    work = Path(settings.CACHE_ROOT) / "training"
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="samples-", dir=work) as folder:
        images = sampling.sample(
            folder=sources.fetch(model),
            prompts=wanted,
            out=Path(folder) / "out",
            count=SAMPLES_PER_PROMPT,
            seed=model.pk * SAMPLES_PER_PROMPT,
            log=Path(folder) / "log.txt",
        )
        new_questions = _ask(model, images)
    return {"samples": len(images), "questions": new_questions}


@transaction.atomic
def _ask(model: Model, images: list[GeneratedImage]) -> int:
    """Store the images by prompt and ask about them; return how many questions are new."""
    by_prompt: dict[str, list[GeneratedImage]] = {}
    for image in images:
        by_prompt.setdefault(image.prompt, []).append(image)
    return sum(
        sample_questions.ask(
            generation=generations.record(model=model, prompt=prompt, images=of_prompt)
        )
        for prompt, of_prompt in by_prompt.items()
    )
