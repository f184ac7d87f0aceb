"""The ways to condition a generator on uncertain labels, which the benchmark compares."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.engine.data.conditioning import CHANCE, SUREST, normalized_above

ARMS = ("majority", "weighted", "dropped", "confidence", "probe majority", "probe")
LEAST_CONFIDENCE = 0.8  # under which an arm drops a label

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Conditioning:
    """What the network is conditioned on for each of n pictures, and how much each counts."""

    text: Tensor  # (n, E)
    confidence: Tensor  # (n,)
    weight: Tensor  # (n,) mean 1
    sampling_confidence: float


def certain(classes: npt.NDArray[np.intp], names: Tensor) -> Conditioning:
    """Take one class (n,) a picture for granted; ``names`` (C, E) are the classes' embeddings."""
    count = len(classes)
    return Conditioning(names[classes], torch.ones(count), torch.ones(count), 1.0)


def expected(probability: Floats, names: Tensor) -> Conditioning:
    """Condition on Σ q(y)·e(y) with q (n, C) above the base rate, as the product does."""
    base = np.minimum(probability.mean(0), CHANCE)
    weights = torch.from_numpy(normalized_above(probability, base)).float()
    confidence = weights.sum(1)
    text = weights @ names / confidence[:, None].clamp(min=1e-9)
    surest = float(confidence.quantile(SUREST))
    return Conditioning(text, confidence, torch.ones(len(confidence)), surest)


def conditioning(
    arm: str, votes: Floats, crowd: Floats, probe: Floats, names: Tensor
) -> Conditioning:
    """Return an arm's conditioning on posteriors (n, C): votes, aggregated, and with a probe."""
    confidence = torch.from_numpy(crowd.max(1)).float()
    likeliest = certain(crowd.argmax(1), names)
    match arm:
        case "majority":
            return certain(votes.argmax(1), names)
        case "weighted":
            weight = confidence / confidence.mean()
            return Conditioning(likeliest.text, likeliest.confidence, weight, 1.0)
        case "dropped":
            kept = (confidence >= LEAST_CONFIDENCE).float()
            return Conditioning(likeliest.text, kept, likeliest.weight, 1.0)
        case "confidence":
            return expected(crowd, names)
        case "probe majority":
            return certain(probe.argmax(1), names)
        case _:
            return expected(probe, names)
