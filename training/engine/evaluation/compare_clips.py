"""Compare a new clip model with the current one, on held-out pictures."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from training.engine.data.rows import Row, Snapshot
from training.engine.encoders.clip_models import load_clip
from training.engine.evaluation import clips, intervals
from training.engine.evaluation.calibration import Calibration, platt
from training.engine.evaluation.clips import ConceptPrediction, Retrieval
from training.engine.evaluation.intervals import Values
from training.engine.evaluation.verdict import Judgement, paired
from training.engine.files import TrainingError, read_json
from training.engine.metric_names import ENCODER

LOG_LOSS = "concept_log_loss"
EDGE = 1e-4  # of a probability: beyond it, log-odds are cut
MARGIN = 0.05  # of shares
LOG_LOSS_MARGIN = 0.02  # nats


@dataclass(frozen=True)
class Standing:
    """What the frozen encoder predicts, of the pairs that somebody has spoken of.

    ``pairs``: the probability of each concept, by its name, by the name of the picture's file.
    """

    pairs: Mapping[str, Mapping[str, float]]

    @classmethod
    def read(cls, path: Path) -> "Standing":
        """Read a JSON object of these; raise ``TrainingError`` where it is none."""
        value = read_json(path)
        try:
            pairs = {file: {n: float(p) for n, p in row.items()} for file, row in value.items()}
            if not all(0 <= p <= 1 for row in pairs.values() for p in row.values()):
                raise ValueError(path)
        except (AttributeError, TypeError, ValueError):
            raise TrainingError(f"{path} must hold probabilities by file and concept.") from None
        return cls(pairs)

    def log_odds(self, rows: Sequence[Row], name: str) -> Tensor:
        """Return the log-odds (k,) of a concept in these pictures, NaN where there are none."""
        of_rows = (self.pairs.get(row.path.name, {}) for row in rows)
        return torch.tensor([of_row.get(name, math.nan) for of_row in of_rows]).logit(EDGE)


class _Measured(NamedTuple):
    """Values (n,) by metric: one for each held-out picture."""

    model: dict[str, Values]
    chance: dict[str, Values]  # of the same metrics
    concepts: list[ConceptPrediction]


def judge(
    new: Path,
    current: Path | None,
    snapshot: Snapshot,
    cache: Path,
    standing: Standing | None = None,
) -> list[Judgement]:
    """Judge a new model beside the current one, or beside chance where there is none.

    ``standing`` takes the place of chance where it has predicted what people have answered; its
    log-odds are scaled to the truth (Platt), as the model's are.
    """
    of_new = _measure(new, snapshot, cache)
    of_current = _measure(current, snapshot, cache).model if current else of_new.chance
    margins = {LOG_LOSS: LOG_LOSS_MARGIN}
    judgements = [
        paired(name, of_new.model[name], values, margins.get(name, MARGIN), up=name != LOG_LOSS)
        for name, values in of_current.items()
        if name != LOG_LOSS or not standing
    ]
    return [*judgements, *(beside(standing, of_new.concepts, snapshot) if standing else [])]


def beside(
    standing: Standing, predictions: Sequence[ConceptPrediction], snapshot: Snapshot
) -> list[Judgement]:
    """Judge a first model beside predictions that stand; return nothing without common pairs."""
    pairs = [
        (
            prediction,
            standing.log_odds([snapshot.test[i] for i in prediction.rows], prediction.name),
        )
        for prediction in predictions
    ]
    if not any(log_odds.isfinite().any() for _, log_odds in pairs):
        return []
    known = torch.cat([log_odds for _, log_odds in pairs]).isfinite()
    log_odds = torch.cat([log_odds for _, log_odds in pairs])[known]
    shown = torch.cat([prediction.shown for prediction, _ in pairs])[known].float()
    rows = torch.cat([prediction.rows for prediction, _ in pairs])[known]
    slope, constant = platt(log_odds, shown)
    current = binary_cross_entropy_with_logits(slope * log_odds + constant, shown, reduction="none")
    new = torch.cat([prediction.log_losses for prediction, _ in pairs])[known]
    of_new = intervals.mean_by_prompt(new.double().numpy(), rows)
    of_current = intervals.mean_by_prompt(current.double().numpy(), rows)
    return [paired(LOG_LOSS, of_new, of_current, LOG_LOSS_MARGIN, up=False, rival=ENCODER)]


def _measure(folder: Path, snapshot: Snapshot, cache: Path) -> _Measured:
    """Return for each held-out picture whether it is found, and its mean log loss of concepts."""
    clip, measured = load_clip(folder), _Measured({}, {}, [])
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
        values[LOG_LOSS] = intervals.mean_by_prompt(by_pair, rows)
    measured.concepts.extend(predictions)
