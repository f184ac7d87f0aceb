"""Compare a model with a baseline: by judges in a child process, and by people's answers.

A judge is a model that scores samples, or the people who answered questions about them.
"""

import json
import math
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import QuerySet, Sum

from labeling.models import Question
from training import processes, sources, standing_predictions, zero_shot
from training.engine import progress
from training.models import Model, Sample

TIME_LIMIT = 3600.0  # seconds
EPSILON = 1e-6


class ComparisonError(ValueError):
    """A model that cannot be compared; the message says why."""


def compare(model: Model, baseline: Model | None) -> dict[str, Any]:
    """Return the verdict of `python -m training compare`, as its module describes it.

    A first CLIP is also compared with what the frozen encoder predicts, where that has predicted.
    Raises ComparisonError, ChildError, or OSError; and FolderMissing or StorageAway.
    """
    if model.run.snapshot is None:
        raise ComparisonError("its snapshot has gone.")
    folders = [sources.fetch(model), sources.fetch(baseline) if baseline else "-"]
    folders.append(sources.fetch(model.run.snapshot))
    cache = Path(settings.CACHE_ROOT) / "training"
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="compare-", dir=cache) as name:
        out, answers = Path(name) / "verdict.json", Path(name) / "answers.json"
        by_people = {
            "new": people_posteriors(model),
            "current": people_posteriors(baseline) if baseline else [],
        }
        answers.write_text(json.dumps(by_people), encoding="utf-8")
        arguments = ["compare", *map(str, folders)]
        arguments += ["--out", str(out), "--answers", str(answers), "--cache", str(cache)]
        if beside_encoder := _replaces_encoder(model, baseline):
            pairs = standing_predictions.of_held_out(model.project)
            (Path(name) / "standing.json").write_text(json.dumps(pairs), encoding="utf-8")
            arguments += ["--standing", str(Path(name) / "standing.json")]
        arguments += _judge_options()
        processes.call(arguments, log=Path(name) / "log.txt", time_limit=TIME_LIMIT)
        verdict = progress.read_json(out)
    if not isinstance(verdict, dict):
        raise ComparisonError("its judges ended without a verdict.")
    return {**progress.finite(verdict), "beside_encoder": beside_encoder}


def _replaces_encoder(model: Model, baseline: Model | None) -> bool:
    """Return whether a model's predictions would take the place of the frozen encoder's."""
    is_first = model.recipe == "clip" and baseline is None
    return is_first and zero_shot.predicts(model.project)


def answered_questions(model: Model) -> QuerySet[Question]:
    """Return the questions whether the model's samples show their prompts that have answers."""
    samples = Sample.objects.filter(generation__model=model, question__isnull=False)
    return Question.objects.filter(
        pk__in=samples.values("question"), tile__image__generated=True, answers_count__gt=0
    )


def answers_count(*models: Model | None) -> int:
    """Return the number of answers about these models' samples."""
    totals = (
        answered_questions(model).aggregate(total=Sum("answers_count"))["total"]
        for model in models
        if model
    )
    return sum(total or 0 for total in totals)


def people_posteriors(model: Model) -> list[float]:
    """Return P(it shows its prompt) for each answered sample, by people's answers alone.

    What a CLIP has predicted shifted the prior: that shift is taken back.
    """
    rows = answered_questions(model).order_by("pk").values_list("probability", "prior_shift")
    return [_without_shift(probability, shift) for probability, shift in rows]


def _without_shift(probability: float, shift: float) -> float:
    """Return the probability whose log-odds are lower by `shift`."""
    clipped = min(max(probability, EPSILON), 1 - EPSILON)
    return 1 / (1 + math.exp(shift) * (1 - clipped) / clipped)


def _judge_options() -> list[str]:
    """Name the configured open_clip model, which judges what it did not condition."""
    if not (settings.CLIP_MODEL and settings.CLIP_PRETRAINED):
        return []
    return ["--clip-model", settings.CLIP_MODEL, "--clip-pretrained", settings.CLIP_PRETRAINED]
