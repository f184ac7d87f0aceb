"""What generated pictures are worth: figures from features alone, each with an interval.

Features are unit rows (n, E) of a CLIP's; whoever reports a figure names that CLIP.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from training.engine.evaluation import intervals
from training.engine.evaluation.intervals import Estimate, Selection, Values

BANDWIDTH = 10.0  # σ of CMMD
NEIGHBOURS = 5  # of density and coverage
OTHERS = 99  # texts that a picture's own must beat

# How far two sets of pictures are apart


def kid(real: Tensor, generated: Tensor) -> Estimate:
    """Return the kernel inception distance (Bińkowski et al. 2018, arXiv 1801.01401).

    The squared maximum mean discrepancy of features (n, E) and (m, E) under the cubic kernel
    (x·y/E + 1)³, unbiased, so that it may fall below 0; n and m are 2 or more. Unit rows are
    brought to length √E first, which makes the kernel (cos + 1)³. Lower is better.
    """
    return intervals.jackknife(kid_statistic(real, generated), len(real), len(generated))


def kid_difference(real: Tensor, first: Tensor, second: Tensor) -> Estimate:
    """Return the first model's `kid` less the second's, on the same real pictures.

    ``first`` and ``second`` (n · copies, E) hold as many pictures for each of the real ones
    (n, E), side by side, and are left out together with them.
    """
    of_first, of_second = kid_statistic(real, first), kid_statistic(real, second)
    return intervals.jackknife(
        lambda selection: of_first(selection) - of_second(selection), len(real), len(first)
    )


def kid_statistic(real: Tensor, generated: Tensor) -> Callable[[Selection], float]:
    """Return `kid` as a function of the rows that take part; the kernels are computed once."""
    kernels = [(a.double() @ b.double().T + 1) ** 3 for a, b in _pairs(real, generated)]

    def unbiased(selection: Selection) -> float:
        within = [_off_diagonal_mean(kernels[i][rows][:, rows]) for i, rows in enumerate(selection)]
        return sum(within) - 2 * float(kernels[2][selection[0]][:, selection[1]].mean())

    return unbiased


def cmmd(real: Tensor, generated: Tensor) -> Estimate:
    """Return CMMD (Jayasumana et al. 2024, arXiv 2401.09603): from 0, lower is better.

    1000 times the squared maximum mean discrepancy of unit features (n, E) and (m, E) under the
    Gaussian kernel exp(−|x − y|² / 2σ²), σ = 10, biased as in the paper.
    """
    kernels = [
        torch.exp(-(2 - 2 * a.double() @ b.double().T) / (2 * BANDWIDTH**2))
        for a, b in _pairs(real, generated)
    ]

    def biased(selection: Selection) -> float:
        within = [float(kernels[i][rows][:, rows].mean()) for i, rows in enumerate(selection)]
        across = float(kernels[2][selection[0]][:, selection[1]].mean())
        return 1000 * (sum(within) - 2 * across)

    return intervals.jackknife(biased, len(real), len(generated))


def _pairs(first: Tensor, second: Tensor) -> list[tuple[Tensor, Tensor]]:
    return [(first, first), (second, second), (first, second)]


def _off_diagonal_mean(kernel: Tensor) -> float:
    count = len(kernel)
    if count < 2:
        return math.nan
    return float((kernel.sum() - kernel.diagonal().sum()) / (count * (count - 1)))


def density_and_coverage(real: Tensor, generated: Tensor) -> tuple[Estimate, Estimate]:
    """Return density and coverage (Naeem et al. 2020, arXiv 2002.09797); higher is better.

    Around each real picture (n, E), n from 2, lies a ball up to its fifth nearest real neighbour.
    Density (from 0, about 1 for real pictures) is the number of balls that a generated picture
    (m, E) lies in, over 5. Coverage (0 to 1) is the share of balls that hold a generated picture.
    """
    count = min(NEIGHBOURS, len(real) - 1)
    radius = torch.cdist(real.double(), real.double()).kthvalue(count + 1, dim=1).values
    inside = torch.cdist(real.double(), generated.double()) < radius[:, None]  # (n, m)
    density = inside.double().sum(0).numpy() / count
    return intervals.mean(density), intervals.mean(inside.any(1).double().numpy())


# How well pictures suit their texts


def r_precision(
    images: Tensor, texts: Tensor, own: Tensor, others: int = OTHERS, seed: int = 0
) -> Values:
    """Return for each picture (n,) whether its own text suits it best (Xu et al. 2018, AttnGAN).

    ``images`` (n, E), ``texts`` (t, E), and ``own`` (n,), the number of each picture's text. Of
    more than ``others`` other texts as many are drawn at random. The best of k that tie counts
    1/k, so that features which say nothing reach `chance`.
    """
    scores = images @ texts.T  # (n, t)
    if others < len(texts) - 1:
        random = np.random.default_rng(seed)
        for row, mine in zip(scores, own.tolist(), strict=True):
            excluded = random.permutation(np.delete(np.arange(len(texts)), mine))[others:]
            row[torch.from_numpy(excluded)] = -torch.inf
    best = scores.max(1, keepdim=True).values
    ties = scores >= best - 1e-6
    hits = ties[torch.arange(len(own)), own] / ties.sum(1)
    return np.asarray(hits.double().numpy())


def chance(texts: int, others: int = OTHERS) -> float:
    """Return the mean `r_precision` of features that say nothing, for so many texts."""
    return 1 / min(texts, others + 1)


def cosines(images: Tensor, texts: Tensor, own: Tensor) -> Values:
    """Return each picture's cosine (n,), from −1 to 1, with its own text ``texts[own]``."""
    return np.asarray((images * texts[own]).sum(1).double().numpy())


def clip_scores(cosine: Values) -> Values:
    """Return CLIPScore (Hessel et al. 2021, arXiv 2104.08718) in per cent, without its factor 2.5.

    Take cosines (n,), return 100 · max(cosine, 0), from 0 to 100.
    """
    return np.asarray(100 * cosine.clip(min=0))


# What pictures show


def fit_classifier(images: Tensor, probabilities: Tensor, strength: float = 1.0) -> Tensor:
    """Return weights (C, E + 1) of a ridge classifier for each of C concepts.

    ``probabilities`` (n, C) say how likely each picture (n, E) shows each concept, NaN where
    nobody knows; above a half counts as yes. Yes and no weigh alike, however many there are.
    """
    features = torch.cat([images, torch.ones(len(images), 1)], 1).double()
    weights = torch.zeros(probabilities.shape[1], features.shape[1])
    for column in range(probabilities.shape[1]):
        known = probabilities[:, column].isfinite()
        yes = probabilities[known, column] > 0.5
        x, y = features[known], torch.where(yes, 1.0, -1.0).double()
        weight = torch.where(yes, 0.5 / yes.sum().clamp(min=1), 0.5 / (~yes).sum().clamp(min=1))
        weighted = x * (weight.double() * len(y))[:, None]
        penalty = strength * torch.eye(x.shape[1], dtype=torch.double)
        weights[column] = torch.linalg.solve(x.T @ weighted + penalty, weighted.T @ y).float()
    return weights


def classify(images: Tensor, weights: Tensor) -> Tensor:
    """Return whether the classifier (C, E + 1) sees each concept in each picture: bool (n, C)."""
    return images @ weights[:, :-1].T + weights[:, -1] > 0
