"""What a model gives back to the loop: a CLIP's predictions, or samples for people to judge."""

import logging
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from training import generations, generators, predictions, prompts, sample_questions, sampling
from training.models import Model
from training.sampling import GeneratedImage

SAMPLES_PER_PROMPT = 4

logger = logging.getLogger(__name__)


def due() -> QuerySet[Model]:
    """Return the models that have been reviewed and gave nothing back yet.

    Only the current CLIP predicts. Every candidate's samples are asked about, since people's
    answers are one of its judges.
    """
    reviewed = Model.objects.filter(feedback__isnull=True, reviewed_at__isnull=False)
    return reviewed.filter(Q(current=True) | ~Q(recipe="clip"))


def is_due(model: Model) -> bool:
    """Return whether a model is among `due`."""
    return due().filter(pk=model.pk).exists()


def give(model: Model) -> dict[str, Any]:
    """Give back what is due; store on the model, and return, how much it was."""
    try:
        if generators.generates(model.recipe):
            feedback = ask_about_samples(model)
        else:
            feedback = predictions.update(model)
    except Exception as error:  # the model itself is none the worse for it
        logger.exception("%s gave nothing back.", model)
        feedback = {"error": str(error) or type(error).__name__}
    model.feedback = feedback
    model.save(update_fields=["feedback"])
    return feedback


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
            folder=model.folder,
            prompts=wanted,
            out=Path(folder),
            count=SAMPLES_PER_PROMPT,
            seed=model.pk * SAMPLES_PER_PROMPT,
            log=Path(model.run.folder) / "samples.txt",
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
