"""What texts of some tiles say of concepts, as targets for all: likeness, regression, and trust."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from training.engine.encoders.embeddings import embed_texts
from training.engine.encoders.text import TextEncoder

NARROWNESS = 0.1  # of the likeness of texts, as a cosine
RIDGE = 300.0  # for features of about unit spread
NAMES_ALONE = 1 / 3  # deviations of the target that one of the classes' scores is worth
TRUST = 50.0  # tiles with texts that must speak against that


class Blend(NamedTuple):
    """How many deviations of the target a deviation of each of two scores is worth."""

    classes: float
    texts: float


def targets(
    texts: Sequence[Sequence[str]], phrases: Sequence[str], encoder: TextEncoder, cache: Path
) -> Tensor:
    """Return how like C phrases n tiles' texts are, in deviations of each column: (n, C).

    The best of a tile's texts and their mean count alike, as the exponential of their cosine.
    """
    distinct = {text: row for row, text in enumerate(dict.fromkeys(chain.from_iterable(texts)))}
    cosines = embed_texts(list(distinct), encoder, cache) @ encoder.encode(list(phrases)).T
    of_tiles = torch.stack(
        [
            (of_texts.amax(0) + of_texts.mean(0)) / 2
            for of_texts in (cosines[[distinct[text] for text in each]] for each in texts)
        ]
    )
    likeness = (of_tiles / NARROWNESS).exp()
    mean, deviation = moments(likeness)
    return (likeness - mean) / deviation


def fit_blend(by_classes: Tensor, by_texts: Tensor, target: Tensor) -> Blend:
    """Fit how far two scores (n, C) are believed to targets (n, C), by least squares.

    A pull to the classes alone is worth TRUST tiles.
    """
    x = torch.stack([by_classes.flatten(), by_texts.flatten()], 1).double()
    start = torch.tensor([NAMES_ALONE, 0.0], dtype=torch.double)
    pull = TRUST * target.shape[1] * torch.eye(2, dtype=torch.double)
    fitted = torch.linalg.solve(x.T @ x + pull, x.T @ target.flatten().double() + pull @ start)
    return Blend(*fitted.clamp(min=0).tolist())


def ridge(roots: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return weights (D, C) and constants (C,) of ridge regression of targets on rows (n, D)."""
    mean, usual = roots.mean(0), target.mean(0)
    x, y = (roots - mean).double(), (target - usual).double()
    penalty = RIDGE * torch.eye(min(x.shape), dtype=torch.double)
    if len(x) < x.shape[1]:  # the same by the smaller of two systems
        weights = (x.T @ torch.linalg.solve(x @ x.T + penalty, y)).float()
    else:
        weights = torch.linalg.solve(x.T @ x + penalty, x.T @ y).float()
    return weights, usual - mean @ weights


def moments(columns: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and the deviation of columns (n, C); 0 and 1 where there is none."""
    if len(columns) < 2:
        return columns.mean(0).nan_to_num(0), torch.ones(columns.shape[1])
    deviation = columns.std(0)
    return columns.mean(0), torch.where(deviation > 1e-6, deviation, torch.ones(()))
