"""Score concepts by the frozen encoders alone: by the classes' meaning, and by others' texts.

Scores are in deviations of a concept's target, about 0 where nothing speaks for or against it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.engine.device import device
from training.engine.encoders import efficientnet, imagenet
from training.engine.encoders.efficientnet import EfficientNet
from training.engine.encoders.text import TextEncoder
from training.engine.encoders.tile_features import TileFeatures
from training.engine.evaluation.text_targets import (
    NAMES_ALONE,
    Blend,
    fit_blend,
    moments,
    ridge,
    targets,
)

MOST_FITTED = 20_000  # tiles that anything is fitted to


@dataclass(frozen=True)
class ConceptScores:
    """Functions from features to scores, and the out-of-fold scores of what they were fitted to."""

    classes: "ClassScores"
    blend: Blend
    weights: Tensor  # (1280, C) from features to targets
    constant: Tensor  # (C,)
    rows: NDArray[np.intp]  # (n,) of the tiles with texts
    out_of_fold: Tensor  # (n, C)

    def of(self, roots: Tensor) -> Tensor:
        """Return scores (m, C) of tiles (m, 1280)."""
        by_texts = roots @ self.weights + self.constant
        return self.blend.classes * self.classes.of(roots) + self.blend.texts * by_texts


class ClassScores:
    """What a picture's ImageNet classes say of C phrases, in deviations from what is usual."""

    def __init__(self, network: EfficientNet, weights: Tensor, sample: Tensor) -> None:
        """Keep what is usual in a ``sample`` (n, 1280); ``weights`` (1000, C): see `imagenet`."""
        self._network, self._weights = network, weights
        self._mean, self._deviation = moments(self._raw(sample))

    def of(self, roots: Tensor) -> Tensor:
        """Return scores (m, C) of tiles (m, 1280)."""
        return (self._raw(roots) - self._mean) / self._deviation

    @torch.no_grad()
    def _raw(self, roots: Tensor) -> Tensor:
        logits = self._network.logits(roots.square().to(device())).cpu()
        return imagenet.scores(logits, self._weights)


def fit(
    seen: TileFeatures,
    texts: Mapping[int, Sequence[str]],
    phrases: Sequence[str],
    *,
    network: EfficientNet,
    encoder: TextEncoder,
    cache: Path,
) -> ConceptScores:
    """Fit the scores of C phrases to ``texts``, by the row of the tile that they are about.

    Where equal pictures aside fewer than two tiles have texts, the classes speak alone.
    """
    usable = seen.usable
    weights = imagenet.class_weights(phrases, encoder, cache)
    classes = ClassScores(network, weights, seen.rows(sampled(usable)))
    told = sampled(usable[[int(row) in texts for row in usable]])
    folds = seen.folds[told]
    if not phrases or len(np.unique(folds)) < 2:
        nothing = torch.zeros(efficientnet.WIDTH, len(phrases)), torch.zeros(len(phrases))
        none = np.zeros(0, np.intp), torch.zeros(0, len(phrases))
        return ConceptScores(classes, Blend(NAMES_ALONE, 0.0), *nothing, *none)
    roots = seen.rows(told)
    target = targets([texts[int(row)] for row in told], phrases, encoder, cache)
    by_texts, by_classes = _out_of_fold(roots, target, folds), classes.of(roots)
    blend = fit_blend(by_classes, by_texts, target)
    out_of_fold = blend.classes * by_classes + blend.texts * by_texts
    return ConceptScores(classes, blend, *ridge(roots, target), told, out_of_fold)


def sampled(rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return MOST_FITTED of the rows (n,) by lot, or all, rising."""
    return np.sort(np.random.default_rng(0).permutation(rows)[:MOST_FITTED])


def _out_of_fold(roots: Tensor, target: Tensor, folds: NDArray[np.int64]) -> Tensor:
    """Return what a regression fitted to the other folds makes of each tile: (n, C)."""
    predicted = torch.empty_like(target)
    for fold in np.unique(folds):
        others = torch.from_numpy(folds != fold)
        weights, constant = ridge(roots[others], target[others])
        predicted[~others] = roots[~others] @ weights + constant
    return predicted
