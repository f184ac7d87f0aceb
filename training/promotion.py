"""Which model of a recipe is the current one: by judges, unless a person decides.

`python -m training compare` judges; what people answered about the models' pictures is one of its
judges. The gate promotes a candidate that no judge finds worse. It rolls back to the model before
once people's answers say that a model which it promoted itself is worse. What a person has
decided, it leaves as it is.
"""

import json
import logging
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet, Sum
from django.utils import timezone

from labeling.models import Question
from training import processes, runs
from training.engine import progress
from training.models import Model, Promotion

NEWS = 20  # new answers about either model's pictures, after which the judges are asked again
SECONDS = 3600.0
PEOPLE = "people"
CERTAIN = 1e-6

logger = logging.getLogger(__name__)


class GateError(ValueError):
    """A model that cannot become the current one; the sentence says why."""


def due() -> Iterator[Model]:
    """Models that were never judged, and those of which people have said more since."""
    yield from Model.objects.filter(reviewed_at=None)
    judged = Model.objects.exclude(reviewed_at=None).select_related("project")
    newest = judged.order_by("project_id", "recipe", "-pk").distinct("project_id", "recipe")
    for model in {*judged.filter(current=True), *newest}:
        if runs.draws(model.recipe) and _has_news(model):
            yield model


def is_due(model: Model) -> bool:
    return model.reviewed_at is None or (runs.draws(model.recipe) and _has_news(model))


def review(model: Model) -> None:
    """Let the judges compare the model with its rival; store what they say, and act on it."""
    rival = rival_of(model)
    answers = _answers(model, rival)
    try:
        verdict = _compare(model, rival)
    except (processes.ChildError, GateError, OSError) as error:
        logger.warning("%s could not be judged: %s", model, error)
        verdict = {"promoted": False, "why": f"It could not be judged: {error}", "judges": []}
    verdict |= {"against": rival.pk if rival else None, "answers": answers}
    try:
        with transaction.atomic():
            if _remember(model, verdict):
                _act(model, rival, verdict)
    except GateError as error:  # the sweep sees that it is due, and the judges are asked anew
        logger.warning("The verdict on %s came too late: %s", model, error)


def promote(
    model: Model, *, by: AbstractBaseUser | None = None, why: str = "", instead: Model | None = None
) -> Promotion:
    """Make it the current one, by a person or, where none is named, by the gate.

    The gate names the model `instead` of which it is promoted, if there was one. Raises GateError,
    where someone else was quicker too.
    """
    if not _is_there(model):
        raise GateError(f"The folder of {model} has gone: choose another model.")
    siblings = Model.objects.filter(project=model.project_id, recipe=model.recipe)
    current = siblings.filter(current=True).first()
    if current == model:
        raise GateError(f"The {model} is the current one already.")
    if by is None and current != instead and (current is None or _is_there(current)):
        raise GateError("Another model has become the current one.")
    changes = {"current": True} if runs.draws(model.recipe) else {"current": True, "feedback": None}
    try:
        with transaction.atomic():
            if current and not siblings.filter(pk=current.pk, current=True).update(current=False):
                raise GateError("Somebody else made another model the current one just now.")
            siblings.filter(pk=model.pk).update(**changes)
            return Promotion.objects.create(
                model=model,
                replaced=current,
                by_gate=by is None,
                by_id=by.pk if by else None,
                why=why,
            )
    except IntegrityError:
        raise GateError("Somebody else made another model the current one just now.") from None


def rival_of(model: Model) -> Model | None:
    """What the model is held against: the current one; for that one, the model before it."""
    if model.current:
        last = model.promotions.select_related("replaced").first()
        rival = last.replaced if last else None
    else:
        rival = Model.objects.filter(
            project=model.project_id, recipe=model.recipe, current=True
        ).first()
    return rival if rival and _is_there(rival) else None


def spoken(model: Model) -> QuerySet[Question]:
    """Questions whether its pictures show what was asked for, of which people have spoken."""
    prompt = F("tile__image__prompt")
    own = Q(text__iexact=prompt) | Q(concept__name__iexact=prompt)
    return Question.objects.filter(
        own | Q(concept__phrase__iexact=prompt),
        tile__image__project=model.project_id,
        tile__image__generated=True,
        tile__image__source__startswith=f"{model}: ",
        answers_count__gt=0,
    )


def beliefs(model: Model) -> list[float]:
    """For each of these pictures, what people's answers alone say, without a CLIP's prediction."""
    return [
        _without(shift, probability)
        for shift, probability in spoken(model)
        .order_by("pk")
        .values_list("prior_shift", "probability")
    ]


def _without(shift: float, probability: float) -> float:
    sure = min(max(probability, CERTAIN), 1 - CERTAIN)
    return 1 / (1 + math.exp(shift) * (1 - sure) / sure)


def _answers(model: Model, rival: Model | None) -> int:
    """How often people have spoken of either model's pictures."""
    counted = [
        spoken(one).aggregate(answers=Sum("answers_count"))["answers"] or 0
        for one in (model, rival)
        if one
    ]
    return sum(counted)


def _has_news(model: Model) -> bool:
    """Whether another verdict might change anything: there is a rival, and much was said."""
    rival = rival_of(model)
    if rival is None or (not model.current and _overruled(model)):
        return False
    before = max(_heard(model, rival), _heard(rival, model))
    return _answers(model, rival) - before >= NEWS


def _heard(model: Model, rival: Model) -> int:
    """How many answers its last verdict counted, if that was against this rival."""
    verdict = model.verdict or {}
    return int(verdict["answers"]) if verdict.get("against") == rival.pk else 0


def _compare(model: Model, rival: Model | None) -> dict[str, Any]:
    """The verdict of `training.engine.evaluation.compare`, by a child process."""
    snapshot = model.run.snapshot
    if snapshot is None or not Path(snapshot.folder, "manifest.json").is_file():
        raise GateError("the folder of its snapshot has gone.")
    cache = Path(settings.CACHE_ROOT) / "training"
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="gate-", dir=cache) as name:
        out, heard = Path(name) / "verdict.json", Path(name) / "answers.json"
        said = {"new": beliefs(model), "current": beliefs(rival) if rival else []}
        heard.write_text(json.dumps(said), encoding="utf-8")
        words = ["compare", model.folder, rival.folder if rival else "-", snapshot.folder]
        words += ["--out", str(out), "--answers", str(heard), "--cache", str(cache), *_judge()]
        processes.call(words, log=Path(model.run.folder) / "gate.txt", seconds=SECONDS)
        verdict = progress.read_json(out)
    if not isinstance(verdict, dict):
        raise GateError("its judges ended without a word.")
    return dict(progress.finite(verdict))


def _judge() -> list[str]:
    """The pretrained open_clip model, which judges what it did not condition."""
    if not (settings.CLIP_MODEL and settings.CLIP_PRETRAINED):
        return []
    return ["--clip-model", settings.CLIP_MODEL, "--clip-pretrained", settings.CLIP_PRETRAINED]


def _remember(model: Model, verdict: dict[str, Any]) -> bool:
    """Store the verdict, unless another worker has stored one meanwhile."""
    now = timezone.now()
    unchanged = Model.objects.filter(pk=model.pk, reviewed_at=model.reviewed_at)
    won = unchanged.update(verdict=verdict, reviewed_at=now)
    model.verdict, model.reviewed_at = verdict, now
    return bool(won)


def _act(model: Model, rival: Model | None, verdict: dict[str, Any]) -> None:
    if model.current:
        worse = any(j["name"] == PEOPLE and j["says"] == "worse" for j in verdict["judges"])
        if worse and rival and _by_gate(model):
            promote(rival, instead=model, why=f"People find {model} worse.")
    elif verdict["promoted"] and not _overruled(model):
        promote(model, instead=rival, why=verdict["why"])


def _by_gate(model: Model) -> bool:
    """Whether the gate itself made it the current one."""
    last = model.promotions.first()
    return last is not None and last.by_gate


def _overruled(model: Model) -> bool:
    """Whether a person has put another in its place."""
    return model.replacements.filter(by_gate=False).exists()


def _is_there(model: Model) -> bool:
    return Path(model.folder, "config.json").is_file()
