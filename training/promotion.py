"""Decide which model of a recipe is the current one: by comparison, or by a person.

A candidate is compared with a baseline: the current model. It is promoted where no judge finds it
worse. A current model that was promoted this way is compared again as answers about its samples
come in, and the model before it becomes current again once people find the new one worse.

A person may promote any model, take the current one back so that there is none, and undo the last
change, each with a reason. What a person has decided stays as it is.
"""

import logging
from collections.abc import Iterator
from itertools import chain
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from labeling import audit, stored_folders, webhooks
from labeling.models import Event, HookEvent
from labeling.stored_folders import StorageAway
from training import (
    comparison,
    delays,
    generators,
    processes,
    server_paths,
    sources,
    zero_shot,
)
from training.engine.metric_names import PEOPLE
from training.models import Model, Promotion

REASON_MAX = 500  # characters
TOO_LATE = "Somebody else made another model the current one just now: look again, then decide."
NEW_ANSWERS = 20  # about either model's samples, after which the two are compared again

logger = logging.getLogger(__name__)


class PromotionError(ValueError):
    """A model that cannot become the current one; the message says why."""


def due() -> Iterator[Model]:
    """Yield the models to review; a failure to look at one is logged."""
    unreviewed = Model.objects.filter(reviewed_at=None).free()
    for model in chain(unreviewed, _reviewed_candidates()):
        try:
            model_is_due = is_due(model)
        except Exception:
            logger.exception("Whether %s is due for a review is unknown.", model)
        else:
            if model_is_due:
                yield model


def is_due(model: Model) -> bool:
    """Return whether a model was never reviewed, or has many new answers about its samples.

    A first CLIP waits until the frozen encoder has predicted: it is compared with that.
    """
    if model.reviewed_at is None:
        return model.recipe != "clip" or not zero_shot.is_awaited(model.project)
    return generators.generates(model.recipe) and _has_new_answers(model)


def review(model: Model) -> None:
    """Compare a model with its baseline, store the verdict, and act on it.

    Raises DelayedError where a file cannot be had now: that says nothing of the model, which stays
    due.
    """
    baseline = baseline_of(model)
    answers = comparison.answers_count(model, baseline)
    try:
        with delays.translated():
            verdict = comparison.compare(model, baseline)
    except OSError as error:
        raise delays.DelayedError(f"A worker cannot compare it: {error}", delays.MISSING) from error
    except (processes.ChildError, comparison.ComparisonError) as error:
        logger.warning("%s could not be judged: %s", model, error)
        verdict = {
            "promoted": False,
            "why": f"It could not be judged: {server_paths.hidden(str(error))}",
            "judges": [],
        }
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
    seen: int | None = None,
    rolls_back: bool = False,
) -> Promotion:
    """Make a model the current one of its recipe.

    A person (`by`) may promote any model, and gives a reason. `seen` is the id of the current model
    that they saw, 0 for none: if there is another one by now, they are told. Without a person the
    promotion follows from a comparison with `baseline`, and holds only while that is the current
    model. `rolls_back` says that the current one was found unfit, as does whoever goes back to an
    earlier one. Raises PromotionError.
    """
    if by is not None:
        reason = _checked_reason(reason)
    _check_files(model)
    current = current_of(model.project_id, model.recipe)
    if current == model:
        raise PromotionError(f"The {model} is the current one already.")
    if seen is not None and seen != (current.pk if current else 0):
        raise PromotionError(TOO_LATE)
    if by is None and current != baseline:
        raise PromotionError(TOO_LATE)
    unfit = rolls_back or model.promotions.exists()
    return _change(replaced=current, model=model, by=by, reason=reason, unfit=unfit)


def demote(model: Model, *, by: AbstractBaseUser, reason: str) -> Promotion:
    """Take the current model of a recipe back, so that there is none. Raises PromotionError.

    Its pictures are put before the public no longer. A later model becomes current once it beats
    chance, or by a person.
    """
    reason = _checked_reason(reason)
    if not Model.objects.filter(pk=model.pk, current=True).exists():
        raise PromotionError(f"The {model} is not the current one: there is nothing to take back.")
    return _change(replaced=model, model=None, by=by, reason=reason, unfit=True)


def undo(promotion: Promotion, *, by: AbstractBaseUser, reason: str) -> Promotion:
    """Undo the last change of a recipe's current model, and so on back to none.

    `promotion` is the one that the person saw as the last. Raises PromotionError.
    """
    reason = _checked_reason(reason)
    last = last_change(promotion.project_id, promotion.recipe)
    if last != promotion or last.model != current_of(last.project_id, last.recipe):
        raise PromotionError("This is not the last change any more: look again, then decide.")
    if last.replaced:
        _check_files(last.replaced)
    return _change(
        replaced=last.model, model=last.replaced, by=by, reason=reason, unfit=True, undoes=last
    )


def current_of(project_id: int, recipe: str) -> Model | None:
    """Return the current model of a recipe, if there is one."""
    return Model.objects.filter(project=project_id, recipe=recipe, current=True).first()


def last_change(project_id: int, recipe: str) -> Promotion | None:
    """Return the last change that was neither undone nor an undo: what `undo` takes back."""
    stands = history(project_id, recipe).filter(undoes=None, undone_by=None)
    return stands.first()


def history(project_id: int, recipe: str) -> QuerySet[Promotion]:
    """Return the changes of a recipe's current model, the newest first."""
    rows = Promotion.objects.filter(project=project_id, recipe=recipe)
    return rows.select_related("model", "replaced", "promoted_by", "undoes", "undone_by")


def baseline_of(model: Model) -> Model | None:
    """Return the current model of the recipe; for that one itself, the model that it replaced."""
    if model.current:
        last = model.promotions.select_related("replaced").first()
        return last.replaced if last else None
    return current_of(model.project_id, model.recipe)


def _reviewed_candidates() -> set[Model]:
    """Return the current and the newest model of each recipe, where they have been reviewed."""
    reviewed = Model.objects.exclude(reviewed_at=None).free().select_related("project")
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
            judge["name"] == PEOPLE and judge["says"] == "worse" for judge in verdict["judges"]
        )
        if worse and baseline and _promoted_automatically(model):
            reason = f"People find {model} worse."
            promote(baseline, baseline=model, reason=reason, rolls_back=True)
    elif verdict["promoted"] and not _replaced_by_person(model):
        promote(model, baseline=baseline, reason=verdict["why"])


def _change(
    *,
    replaced: Model | None,
    model: Model | None,
    by: AbstractBaseUser | None,
    reason: str,
    unfit: bool,
    undoes: Promotion | None = None,
) -> Promotion:
    """Put a model, or none, in the place of the current one, and write it down.

    unfit: whether the current one was found so, and not just surpassed: then the public sees no
    more of its pictures. Raises PromotionError where somebody else was quicker.
    """
    of_recipe = model or replaced
    assert of_recipe is not None
    try:
        with transaction.atomic():
            _set_current(replaced, model, unfit=unfit)
            row = Promotion.objects.create(
                project_id=of_recipe.project_id,
                recipe=of_recipe.recipe,
                model=model,
                replaced=replaced,
                undoes=undoes,
                automatic=by is None,
                promoted_by_id=by.pk if by else None,
                reason=reason,
            )
            audit.record(
                project=of_recipe.project,
                kind=Event.Kind.MODEL,
                message=_message(row),
                by=by,
                row=of_recipe,
            )
            if model is not None:
                webhooks.emit(
                    project=of_recipe.project,
                    event=HookEvent.MODEL_PROMOTED,
                    data={"model": model.pk, "recipe": model.recipe, "promotion": row.pk},
                )
    except IntegrityError:
        raise PromotionError(TOO_LATE) from None
    return row


def _set_current(replaced: Model | None, model: Model | None, *, unfit: bool) -> None:
    """Change the rows, if `replaced` is still the current one. Raises PromotionError."""
    if replaced:
        still_current = Model.objects.filter(pk=replaced.pk, current=True)
        if not still_current.update(current=False, accepted=not unfit):
            raise PromotionError(TOO_LATE)
    if model:
        changes: dict[str, Any] = {"current": True, "accepted": True}
        if not generators.generates(model.recipe):
            changes["feedback"] = None  # its predictions have to replace those of another model
        Model.objects.filter(pk=model.pk).update(**changes)


def _message(row: Promotion) -> str:
    if row.model is None:
        changed = f"Took back the {row.replaced}: no {row.recipe} model is current"
    else:
        changed = f"Made the {row.model} the current one"
        if row.replaced:
            changed += f" in place of no. {row.replaced_id}"
    if row.undoes:
        changed = f"Undid the change of {row.undoes.created_at:%d %b %H:%M}. {changed}"
    return f"{changed}. {row.reason}".strip()


def _checked_reason(reason: str) -> str:
    reason = " ".join(reason.split())
    if not reason:
        raise PromotionError("Say why, in a sentence: others will read it in the history.")
    if len(reason) > REASON_MAX:
        raise PromotionError(f"The reason is longer than {REASON_MAX} characters: shorten it.")
    return reason


def _check_files(model: Model) -> None:
    try:
        is_there = stored_folders.exists(model.folder)
    except StorageAway:
        raise PromotionError("The storage cannot be reached: try again in a minute.") from None
    if not is_there:
        raise PromotionError(f"{sources.missing(model)} Put them back, or choose another model.")


def _promoted_automatically(model: Model) -> bool:
    last = model.promotions.first()
    return last is not None and last.automatic


def _replaced_by_person(model: Model) -> bool:
    return model.replacements.filter(automatic=False).exists()
