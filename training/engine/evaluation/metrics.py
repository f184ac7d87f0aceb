"""What drawn pictures are worth: figures from features alone, each with an interval.

Features are unit rows (n, E) of a CLIP's; whoever reports a figure names that CLIP. Intervals
run from the 5th to the 95th percentile, so that either end is a one-sided bound of 95 %.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

RESAMPLES = 1000
GROUPS = 10  # of rows, one of which is left out at a time
QUANTILE = 1.6449  # of the normal distribution at 95 %
BANDWIDTH = 10.0  # σ of CMMD
NEIGHBOURS = 5  # of density and coverage
OTHERS = 99  # texts that a picture's own must beat

Values = NDArray[np.float64]
Kept = tuple[Tensor, Tensor]  # which rows of two sets take part


class Figure(NamedTuple):
    value: float
    low: float
    high: float


def named(name: str, figure: Figure, **beside: float) -> dict[str, float]:
    """A figure and what stands beside it as flat keys, without what is no number."""
    values = {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
    values |= {f"{name}_{key}": value for key, value in beside.items()}
    return {key: float(value) for key, value in values.items() if math.isfinite(value)}


def mean(values: Values) -> Figure:
    """The mean of independent values (n,), one a prompt or picture."""
    return bootstrap(values, np.mean)


def bootstrap(values: Values, statistic: Callable[[Values], Any], seed: int = 0) -> Figure:
    """A statistic of independent values (n,), with the interval of its resamples (Efron 1979)."""
    random = np.random.default_rng(seed)
    found = [
        float(statistic(values[random.integers(len(values), size=len(values))]))
        for _ in range(RESAMPLES)
    ]
    return Figure(float(statistic(values)), *_ends(found))


def difference(first: Values, second: Values, seed: int = 0) -> Figure:
    """Mean of the first less mean of the second, which are not paired."""
    random = np.random.default_rng(seed)
    found = [
        first[random.integers(len(first), size=len(first))].mean()
        - second[random.integers(len(second), size=len(second))].mean()
        for _ in range(RESAMPLES)
    ]
    return Figure(float(first.mean() - second.mean()), *_ends(found))


def _ends(values: list[float]) -> tuple[float, float]:
    low, high = np.quantile(values, [0.05, 0.95])
    return float(low), float(high)


# How far two sets of pictures are apart


def kid(real: Tensor, drawn: Tensor) -> Figure:
    """The kernel distance (arXiv 1801.01401): cubic kernel, unbiased; blocks are left out.

    Features are brought to length √E first, so that the kernel is (cos + 1)³.
    """
    return _blockwise(kid_statistic(real, drawn), len(real), len(drawn))


def kid_difference(real: Tensor, first: Tensor, second: Tensor) -> Figure:
    """The first's kernel distance less the second's.

    Both (n · copies, E) hold as many pictures for each of the real ones (n, E), side by side, and
    are left out together with them.
    """
    one, other = kid_statistic(real, first), kid_statistic(real, second)
    return _blockwise(lambda kept: one(kept) - other(kept), len(real), len(first))


def kid_statistic(real: Tensor, drawn: Tensor) -> Callable[[Kept], float]:
    kernels = [(a.double() @ b.double().T + 1) ** 3 for a, b in _pairs(real, drawn)]

    def unbiased(kept: Kept) -> float:
        within = [_off_diagonal(kernels[i][rows][:, rows]) for i, rows in enumerate(kept)]
        return sum(within) - 2 * float(kernels[2][kept[0]][:, kept[1]].mean())

    return unbiased


def cmmd(real: Tensor, drawn: Tensor) -> Figure:
    """CMMD (arXiv 2401.09603): Gaussian kernel, σ = 10, biased, × 1000."""
    kernels = [
        torch.exp(-(2 - 2 * a.double() @ b.double().T) / (2 * BANDWIDTH**2))
        for a, b in _pairs(real, drawn)
    ]

    def biased(kept: Kept) -> float:
        within = [float(kernels[i][rows][:, rows].mean()) for i, rows in enumerate(kept)]
        return 1000 * (sum(within) - 2 * float(kernels[2][kept[0]][:, kept[1]].mean()))

    return _blockwise(biased, len(real), len(drawn))


def _pairs(first: Tensor, second: Tensor) -> list[tuple[Tensor, Tensor]]:
    return [(first, first), (second, second), (first, second)]


def _off_diagonal(kernel: Tensor) -> float:
    count = len(kernel)
    return float((kernel.sum() - kernel.diagonal().sum()) / (count * (count - 1)))


def _blockwise(statistic: Callable[[Kept], float], first: int, second: int) -> Figure:
    """The statistic of all rows, with the interval of a jackknife that leaves out blocks."""
    copies = max(1, second // first)
    blocks = torch.arange(first) % GROUPS, torch.arange(second) // copies % GROUPS
    whole = statistic((torch.arange(first), torch.arange(second)))
    groups = min(GROUPS, first // 2, second // 2)
    if groups < 2:
        return Figure(whole, -np.inf, np.inf)
    parts = np.array(
        [statistic(((blocks[0] != g).nonzero()[:, 0], (blocks[1] != g).nonzero()[:, 0]))
         for g in range(groups)]
    )  # fmt: skip
    error = float(np.sqrt((groups - 1) * np.square(parts - parts.mean()).mean()))
    return Figure(whole, whole - QUANTILE * error, whole + QUANTILE * error)


def density_and_coverage(real: Tensor, drawn: Tensor) -> tuple[Figure, Figure]:
    """Arxiv 2002.09797: in how many fifth-neighbour balls of real pictures a drawn one lies,
    over 5; and the share of real pictures whose ball holds a drawn one."""
    count = min(NEIGHBOURS, len(real) - 1)
    radius = torch.cdist(real.double(), real.double()).kthvalue(count + 1, dim=1).values
    inside = torch.cdist(real.double(), drawn.double()) < radius[:, None]  # (real, drawn)
    density = inside.double().sum(0).numpy() / count
    return mean(density), mean(inside.any(1).double().numpy())


# How well pictures suit their texts


def hits(images: Tensor, texts: Tensor, own: Tensor, others: int = OTHERS, seed: int = 0) -> Values:
    """R-precision of each picture (n,): whether its own of the texts (t, E) suits it best.

    Of more than ``others`` other texts, as many are drawn. The best of k that tie counts 1/k, so
    that features which say nothing reach what chance does.
    """
    scores = images @ texts.T  # (n, t)
    if others < len(texts) - 1:
        random = np.random.default_rng(seed)
        for row, mine in zip(scores, own.tolist(), strict=True):
            away = random.permutation(np.delete(np.arange(len(texts)), mine))[others:]
            row[torch.from_numpy(away)] = -torch.inf
    best = scores.max(1, keepdim=True).values
    ties = scores >= best - 1e-6
    found = ties[torch.arange(len(own)), own] / ties.sum(1)
    return np.asarray(found.double().numpy())


def chance(texts: int, others: int = OTHERS) -> float:
    """What ``hits`` are on average where features say nothing."""
    return 1 / min(texts, others + 1)


def cosines(images: Tensor, texts: Tensor, own: Tensor) -> Values:
    """Each picture's cosine with its own text (n,)."""
    return np.asarray((images * texts[own]).sum(1).double().numpy())


def by_prompt(values: Values, prompts: Tensor) -> Values:
    """The mean for each prompt: pictures of one prompt are no independent witnesses."""
    names, index = np.unique(prompts.numpy(), return_inverse=True)
    return np.bincount(index, values, len(names)) / np.bincount(index, minlength=len(names))


# What pictures show


def classifier(images: Tensor, truth: Tensor, strength: float = 1.0) -> Tensor:
    """Ridge weights (C, E + 1) for beliefs (n, C), NaN where unknown; yes and no weigh alike."""
    features = torch.cat([images, torch.ones(len(images), 1)], 1).double()
    weights = torch.zeros(truth.shape[1], features.shape[1])
    for column in range(truth.shape[1]):
        known = truth[:, column].isfinite()
        yes = truth[known, column] > 0.5
        x, y = features[known], torch.where(yes, 1.0, -1.0).double()
        weight = torch.where(yes, 0.5 / yes.sum().clamp(min=1), 0.5 / (~yes).sum().clamp(min=1))
        weighted = x * (weight.double() * len(y))[:, None]
        penalty = strength * torch.eye(x.shape[1], dtype=torch.double)
        weights[column] = torch.linalg.solve(x.T @ weighted + penalty, weighted.T @ y).float()
    return weights


def says_yes(images: Tensor, weights: Tensor) -> Tensor:
    """Whether the classifier sees each concept: bool (n, C)."""
    return images @ weights[:, :-1].T + weights[:, -1] > 0
