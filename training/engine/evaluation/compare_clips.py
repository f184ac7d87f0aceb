"""Compare a new clip model with the current one, on held-out pictures."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from training.engine.data.rows import Snapshot
from training.engine.encoders.clip_models import load_clip
from training.engine.evaluation import clips, intervals
from training.engine.evaluation.calibration import Calibration
from training.engine.evaluation.clips import ConceptPrediction, Retrieval
from training.engine.evaluation.intervals import Values
from training.engine.evaluation.verdict import Judgement, paired

MARGIN = 0.05  # of shares
LOG_LOSS_MARGIN = 0.02  # nats


class _Measured(NamedTuple):
    """Values (n,) by metric: one for each held-out picture."""

    model: dict[str, Values]
    chance: dict[str, Values]  # of the same metrics


def judge(new: Path, current: Path | None, snapshot: Snapshot, cache: Path) -> list[Judgement]:
    """Judge a new model beside the current one, or beside chance where there is none."""
    of_new = _measure(new, snapshot, cache)
    of_current = _measure(current, snapshot, cache).model if current else of_new.chance
    margins = {"concept_log_loss": LOG_LOSS_MARGIN}
    return [
        paired(name, of_new.model[name], values, margins.get(name, MARGIN), up="loss" not in name)
        for name, values in of_current.items()
    ]


def _measure(folder: Path, snapshot: Snapshot, cache: Path) -> _Measured:
    """Return for each held-out picture whether it is found, and its mean log loss of concepts."""
    clip, measured = load_clip(folder), _Measured({}, {})
    retrieved = clips.retrieval(clip, snapshot, cache)
    if retrieved:
        _add_retrieval(measured, retrieved)
    if snapshot.test and snapshot.concepts:
        calibration = Calibration.load(folder)
        predictions = clips.concept_predictions(clip, calibration, snapshot, cache)
        if predictions:
            _add_concepts(measured, predictions)
    return measured


def _add_retrieval(measured: _Measured, retrieved: Retrieval) -> None:
    values = {"recall@10": retrieved.recall, "caption_among_ten": retrieved.among_ten}
    chance = {
        "recall@10": clips.RANK / len(retrieved.recall),
        "caption_among_ten": 1 / (clips.OTHERS + 1),
    }
    measured.model.update(values)
    measured.chance.update({name: np.full(len(values[name]), chance[name]) for name in values})


def _add_concepts(measured: _Measured, predictions: list[ConceptPrediction]) -> None:
    """Add the log loss of each picture; chance knows how often a concept is shown, and no more."""
    rows = torch.cat([prediction.rows for prediction in predictions])
    for values, losses in (
        (measured.model, [prediction.log_losses for prediction in predictions]),
        (measured.chance, [prediction.chance_log_losses for prediction in predictions]),
    ):
        by_pair = torch.cat(losses).double().numpy()
        values["concept_log_loss"] = intervals.mean_by_prompt(by_pair, rows)
