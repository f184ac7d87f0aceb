"""What a clip model is worth: retrieval of captions and pictures, and predictions of concepts."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy

from training.engine.data.rows import Snapshot
from training.engine.encoders.clip import Clip
from training.engine.encoders.embeddings import encode_pictures
from training.engine.evaluation import intervals, metrics
from training.engine.evaluation.calibration import Calibration, informed
from training.engine.evaluation.intervals import Values, entries

FEWEST = 10  # held-out captions that retrieval needs
RANK = 10  # of recall@10
OTHERS = 9  # captions that a picture's own must beat


def evaluate_clip(
    clip: Clip, calibration: Calibration, snapshot: Snapshot, cache: Path
) -> dict[str, float]:
    """Return ``recall@10``, ``caption_among_ten``, and ``concept_…`` of held-out pictures."""
    figures: dict[str, float] = {}
    retrieved = retrieval(clip, snapshot, cache)
    if retrieved:
        chance = RANK / len(retrieved.recall)
        figures |= entries("recall@10", intervals.mean(retrieved.recall), chance=chance)
        among_ten = intervals.mean(retrieved.among_ten)
        figures |= entries("caption_among_ten", among_ten, chance=1 / (OTHERS + 1))
    if snapshot.test and snapshot.concepts:
        figures |= _concept_figures(concept_predictions(clip, calibration, snapshot, cache))
    return figures


class Retrieval(NamedTuple):
    """For each captioned held-out picture (n,), 1 or 0, between them where texts tie."""

    recall: Values  # its caption finds it among the first ten
    among_ten: Values  # its own caption suits it better than nine others'


def retrieval(clip: Clip, snapshot: Snapshot, cache: Path) -> Retrieval | None:
    """Return how well held-out captions and pictures find each other; None of fewer than ten."""
    captioned = [row for row in snapshot.test if row.captions]
    if len(captioned) < FEWEST:
        return None
    images = encode_pictures(captioned, clip, cache)
    texts = clip.encode_texts([row.captions[0][0] for row in captioned])
    own = torch.arange(len(captioned))
    ranked = (texts @ images.T).topk(RANK, dim=1).indices
    recall = ranked.eq(own[:, None]).any(1).double().numpy()
    return Retrieval(recall, metrics.r_precision(images, texts, own, others=OTHERS))


class ConceptPrediction(NamedTuple):
    """Of one concept: what is known of k held-out pictures, and what the model makes of them."""

    name: str
    rows: Tensor  # (k,) numbers of the pictures
    shown: Tensor  # (k,) bool: whether they show it
    z_score: Tensor  # (k,) how many deviations better than usual its name suits them
    probability: Tensor  # (k,) calibrated

    @property
    def log_losses(self) -> Tensor:
        """Return the log loss (k,) of each picture, in nats."""
        return binary_cross_entropy(self.probability, self.shown.float(), reduction="none")

    @property
    def chance_log_losses(self) -> Tensor:
        """Return the log loss (k,) of giving each picture the share of these that show it."""
        shown = self.shown.float()
        return binary_cross_entropy(shown.mean().expand_as(shown), shown, reduction="none")


def concept_predictions(
    clip: Clip, calibration: Calibration, snapshot: Snapshot, cache: Path
) -> list[ConceptPrediction]:
    """Return predictions for each concept that some held-out pictures show and some do not."""
    names = snapshot.concepts
    images = encode_pictures(snapshot.test, clip, cache)
    truth = informed(snapshot.test, names)
    predictions = []
    for name, text, column in zip(names, clip.encode_texts(names), truth.T, strict=True):
        known = column.isfinite()
        shown = column[known] > 0.5
        if 0 < int(shown.sum()) < len(shown):
            probability = calibration.probability(images[known], name, text, "concept")
            z = calibration.z_scores(images[known], text)
            rows = known.nonzero()[:, 0]
            predictions.append(ConceptPrediction(name, rows, shown, z, probability))
    return predictions


def _concept_figures(predictions: list[ConceptPrediction]) -> dict[str, float]:
    """Return average precision and log loss; their intervals are over concepts."""
    if not predictions:
        return {}
    shown = [prediction.shown for prediction in predictions]
    chance = float(np.mean([float(each.float().mean()) for each in shown]))
    by_probability, by_z_score = (
        np.array([average_precision(s, t) for s, t in zip(scores, shown, strict=True)])
        for scores in (
            [prediction.probability for prediction in predictions],
            [prediction.z_score for prediction in predictions],
        )
    )
    losses = np.array([float(prediction.log_losses.mean()) for prediction in predictions])
    return {
        **entries("concept_ap", intervals.mean(by_probability), chance=chance),
        **entries("concept_ap_zero_shot", intervals.mean(by_z_score), chance=chance),
        **entries("concept_log_loss", intervals.mean(losses)),
    }


def average_precision(scores: Tensor, shown: Tensor) -> float:
    """Return the mean precision (0 to 1) at the rank of each positive: scores and truth (k,)."""
    hits = shown[scores.argsort(descending=True)].float()
    precision = hits.cumsum(0) / torch.arange(1, len(hits) + 1)
    return float((precision * hits).sum() / hits.sum())
