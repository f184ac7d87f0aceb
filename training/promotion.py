"""Decide which model of a recipe is the current one.

A candidate is compared with a baseline: the current model. It is promoted where no judge finds it
worse. A current model that was promoted this way is compared again as answers about its samples
come in, and the model before it becomes current again once people find the new one worse. What a
person has decided stays as it is.
"""

import logging
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.utils import timezone

from training import comparison, generators, processes
from training.models import Model, Promotion

NEW_ANSWERS = 20  # about either model's samples, after which the two are compared again

logger = logging.getLogger(__name__)


class PromotionError(ValueError):
    """A model that cannot become the current one; the message says why."""


def due() -> Iterator[Model]:
    """Yield the models to review; a failure to look at one is logged."""
    for model in chain(Model.objects.filter(reviewed_at=None), _reviewed_candidates()):
        try:
            model_is_due = is_due(model)
        except Exception:
            logger.exception("Whether %s is due for a review is unknown.", model)
        else:
            if model_is_due:
                yield model


def is_due(model: Model) -> bool:
    """Return whether a model was never reviewed, or has many new answers about its samples."""
    if model.reviewed_at is None:
        return True
    return generators.generates(model.recipe) and _has_new_answers(model)


def review(model: Model) -> None:
    """Compare a model with its baseline, store the verdict, and act on it."""
    baseline = baseline_of(model)
    answers = comparison.answers_count(model, baseline)
    try:
        verdict = comparison.compare(model, baseline)
    except (processes.ChildError, comparison.ComparisonError, OSError) as error:
        logger.warning("%s could not be judged: %s", model, error)
        verdict = {"promoted": False, "why": f"It could not be judged: {error}", "judges": []}
    verdict |= {"baseline": baseline.pk if baseline else None, "answers": answers}
    try:
        with transaction.atomic():
            if _store_verdict(model, verdict):
                _apply_verdict(model, baseline, verdict)
    except PromotionError as error:  # nothing is stored: the next sweep finds the model due again
        logger.warning("The verdict on %s came too late: %s", model, error)


def promote(
    model: Model,
    *,
    by: AbstractBaseUser | None = None,
    reason: str = "",
    baseline: Model | None = None,
) -> Promotion:
    """Make a model the current one of its recipe.

    A person (`by`) may promote any model. Without one the promotion follows from a comparison with
    `baseline`, and holds only while that is the current model. Raises PromotionError.
    """
    if not _has_files(model):
        raise PromotionError(f"The folder of {model} has gone: choose another model.")
    siblings = Model.objects.filter(project=model.project_id, recipe=model.recipe)
    current = siblings.filter(current=True).first()
    if current == model:
        raise PromotionError(f"The {model} is the current one already.")
    if by is None and current != baseline and (current is None or _has_files(current)):
        raise PromotionError("Another model has become the current one.")
    changes: dict[str, Any] = {"current": True}
    if not generators.generates(model.recipe):
        changes["feedback"] = None  # its predictions have to replace those of another model
    try:
        with transaction.atomic():
            if current and not siblings.filter(pk=current.pk, current=True).update(current=False):
                raise PromotionError("Somebody else made another model the current one just now.")
            siblings.filter(pk=model.pk).update(**changes)
            return Promotion.objects.create(
                model=model,
                replaced=current,
                automatic=by is None,
                promoted_by_id=by.pk if by else None,
                reason=reason,
            )
    except IntegrityError:
        raise PromotionError("Somebody else made another model the current one just now.") from None


def baseline_of(model: Model) -> Model | None:
    """Return the current model of the recipe; for that one itself, the model that it replaced."""
    if model.current:
        last = model.promotions.select_related("replaced").first()
        baseline = last.replaced if last else None
    else:
        baseline = Model.objects.filter(
            project=model.project_id, recipe=model.recipe, current=True
        ).first()
    return baseline if baseline and _has_files(baseline) else None


def _reviewed_candidates() -> set[Model]:
    """Return the current and the newest model of each recipe, where they have been reviewed."""
    reviewed = Model.objects.exclude(reviewed_at=None).select_related("project")
    newest = reviewed.order_by("project_id", "recipe", "-pk").distinct("project_id", "recipe")
    return {*reviewed.filter(current=True), *newest}


def _has_new_answers(model: Model) -> bool:
    """Return whether another verdict might change anything."""
    baseline = baseline_of(model)
    if baseline is None or (not model.current and _replaced_by_person(model)):
        return False
    before = max(_counted_answers(model, baseline), _counted_answers(baseline, model))
    return comparison.answers_count(model, baseline) - before >= NEW_ANSWERS


def _counted_answers(model: Model, baseline: Model) -> int:
    """Return how many answers the model's last verdict counted, if it was against this baseline."""
    verdict = model.verdict or {}
    return int(verdict["answers"]) if verdict.get("baseline") == baseline.pk else 0


def _store_verdict(model: Model, verdict: dict[str, Any]) -> bool:
    """Store a verdict, unless another worker has stored one meanwhile."""
    now = timezone.now()
    unchanged = Model.objects.filter(pk=model.pk, reviewed_at=model.reviewed_at)
    won = unchanged.update(verdict=verdict, reviewed_at=now)
    model.verdict, model.reviewed_at = verdict, now
    return bool(won)


def _apply_verdict(model: Model, baseline: Model | None, verdict: dict[str, Any]) -> None:
    """Promote a candidate that no judge finds worse, or the baseline of a worse current model."""
    if model.current:
        worse = any(
            judge["name"] == comparison.PEOPLE and judge["says"] == "worse"
            for judge in verdict["judges"]
        )
        if worse and baseline and _promoted_automatically(model):
            promote(baseline, baseline=model, reason=f"People find {model} worse.")
    elif verdict["promoted"] and not _replaced_by_person(model):
        promote(model, baseline=baseline, reason=verdict["why"])


def _promoted_automatically(model: Model) -> bool:
    last = model.promotions.first()
    return last is not None and last.automatic


def _replaced_by_person(model: Model) -> bool:
    return model.replacements.filter(automatic=False).exists()


def _has_files(model: Model) -> bool:
    return Path(model.folder, "config.json").is_file()
