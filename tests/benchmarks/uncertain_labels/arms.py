"""The ways to condition a generator on uncertain labels, which the benchmark compares."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.engine.data.conditioning import CHANCE, normalized_above, surest

CLEAN = "clean"  # the true labels, whatever the crowd
TYPICAL = "clean with typicality"
TDSM, TDSM_TOLD, TDSM_PROBE = "tdsm", "tdsm told transitions", "tdsm of probe majority"
HEADLINE = "probe", TDSM, TDSM_TOLD, TYPICAL, "majority", "probe majority", "confidence"
ARMS = (*HEADLINE, "weighted", "dropped", TDSM_PROBE)
LEAST_CONFIDENCE = 0.8  # under which an arm drops a label

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Posteriors:
    """Shares of votes, aggregated answers, and those with a probe: each (n, C)."""

    votes: Floats
    crowd: Floats
    probe: Floats


@dataclass(frozen=True)
class NoisyLabels:
    """Labels that a training is to correct by the transitions from true classes to labels."""

    labels: Tensor  # (n,)
    names: Tensor  # (C, E) the classes' embeddings
    transitions: Tensor | None  # (C, C) p(label | true class); None: to be estimated


@dataclass(frozen=True)
class Conditioning:
    """What the network is conditioned on for each of n pictures, and how much each counts."""

    text: Tensor  # (n, E)
    confidence: Tensor  # (n,)
    weight: Tensor  # (n,) mean 1
    sampling_confidence: float
    noisy: NoisyLabels | None = None


def certain(classes: Ints, names: Tensor) -> Conditioning:
    """Take one class (n,) a picture for granted; ``names`` (C, E) are the classes' embeddings."""
    count = len(classes)
    return Conditioning(names[classes], torch.ones(count), torch.ones(count), 1.0)


def expected(probability: Floats, names: Tensor) -> Conditioning:
    """Condition on Σ q(y)·e(y) with q (n, C) above the base rate, as the product does."""
    base = np.minimum(probability.mean(0), CHANCE)
    weights = torch.from_numpy(normalized_above(probability, base)).float()
    confidence = weights.sum(1)
    text = weights @ names / confidence[:, None].clamp(min=1e-9)
    return Conditioning(text, confidence, torch.ones(len(confidence)), surest(confidence.numpy()))


def corrected(classes: Ints, names: Tensor, transitions: Tensor | None = None) -> Conditioning:
    """Have classes (n,) corrected while the network learns (`tdsm`)."""
    noisy = NoisyLabels(torch.from_numpy(classes), names, transitions)
    return replace(certain(classes, names), noisy=noisy)


def transitions(labels: Ints, truth: Ints, classes: int) -> Tensor:
    """Return the shares (C, C) of labels (n,) that the pictures of each true class (n,) got."""
    counts = np.zeros((classes, classes))
    np.add.at(counts, (truth, labels), 1)
    return torch.from_numpy(counts / counts.sum(1, keepdims=True)).float()


def conditioning(arm: str, posteriors: Posteriors, names: Tensor, truth: Ints) -> Conditioning:
    """Return an arm's conditioning; the truth (n,) is for those alone that are told of it."""
    majority, best = posteriors.votes.argmax(1), posteriors.probe.argmax(1)
    confidence = torch.from_numpy(posteriors.crowd.max(1)).float()
    likeliest = certain(posteriors.crowd.argmax(1), names)
    match arm:
        case "clean":
            return certain(truth, names)
        case "majority":
            return certain(majority, names)
        case "weighted":
            return replace(likeliest, weight=confidence / confidence.mean())
        case "dropped":
            return replace(likeliest, confidence=(confidence >= LEAST_CONFIDENCE).float())
        case "tdsm":
            return corrected(majority, names)
        case "tdsm told transitions":
            return corrected(majority, names, transitions(majority, truth, len(names)))
        case "confidence":
            return expected(posteriors.crowd, names)
        case "probe majority":
            return certain(best, names)
        case "tdsm of probe majority":
            return corrected(best, names)
        case "probe":
            return expected(posteriors.probe, names)
        case _:  # the truth, with how sure belief is of each picture
            belief = expected(posteriors.probe, names)
            return replace(belief, text=names[truth])
