"""Compare a new clip model with the current one, on held-out pictures."""

from pathlib import Path

import numpy as np
import torch

from training.engine.data.rows import Snapshot
from training.engine.encoders.clip_models import load_clip
from training.engine.evaluation import clips, intervals
from training.engine.evaluation.calibration import Calibration
from training.engine.evaluation.intervals import Values
from training.engine.evaluation.verdict import Judgement, paired

MARGIN = 0.05  # of shares
LOG_LOSS_MARGIN = 0.02  # nats


def judge(new: Path, current: Path | None, snapshot: Snapshot, cache: Path) -> list[Judgement]:
    """Judge a new model beside the current one, or beside chance where there is none."""
    of_new = _measure(new, snapshot, cache)
    of_current = _measure(current, snapshot, cache) if current else _chance(of_new)
    margins = {"concept_log_loss": LOG_LOSS_MARGIN}
    return [
        paired(name, of_new[name], values, margins.get(name, MARGIN), up="loss" not in name)
        for name, values in of_current.items()
    ]


def _measure(folder: Path, snapshot: Snapshot, cache: Path) -> dict[str, Values]:
    """Return for each held-out picture whether it is found, and its mean log loss of concepts."""
    clip, measured = load_clip(folder), {}
    retrieved = clips.retrieval(clip, snapshot, cache)
    if retrieved:
        measured = {"recall@10": retrieved.recall, "caption_among_ten": retrieved.among_ten}
    if snapshot.test and snapshot.concepts:
        calibration = Calibration.load(folder)
        predictions = clips.concept_predictions(clip, calibration, snapshot, cache)
        if predictions:
            losses = torch.cat([prediction.log_losses for prediction in predictions])
            rows = torch.cat([prediction.rows for prediction in predictions])
            by_picture = intervals.mean_by_prompt(losses.double().numpy(), rows)
            measured["concept_log_loss"] = by_picture
    return measured


def _chance(measured: dict[str, Values]) -> dict[str, Values]:
    """Return what chance reaches of what was measured, where that is known."""
    count = max(1, len(measured.get("recall@10", ())))
    chance = {"recall@10": clips.RANK / count, "caption_among_ten": 1 / (clips.OTHERS + 1)}
    return {
        name: np.full(len(values), chance[name])
        for name, values in measured.items()
        if name in chance
    }
