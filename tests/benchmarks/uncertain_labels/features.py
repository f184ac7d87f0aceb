"""What can be seen in photographs without any label: patches, by the words they are most like.

After Coates, Ng and Lee (AISTATS 2011): whitened patches of six pixels, k-means, how much nearer
than usual a patch is to each centre, summed over the quarters of the picture.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.engine.data.pictures import Pixels

WORDS, PATCH, STRIDE, DRAWN, ROUNDS = 300, 6, 2, 40_000, 6

Singles = npt.NDArray[np.float32]


def features(pixels: Pixels, cache: Path) -> Singles:
    """Return features (n, 4 · WORDS) of uint8 (n, 32, 32, 3); computed once."""
    path = cache / "features.npy"
    if not path.exists():
        patches = _patches(pixels, np.random.default_rng(0))
        mean, whiten = _whitening(patches)
        white: Singles = ((patches - mean) @ whiten).astype(np.float32)
        words = _words(white, np.random.default_rng(1))
        parts = [
            _described(pixels[start : start + 100], mean, whiten, words)
            for start in range(0, len(pixels), 100)
        ]
        np.save(path, np.concatenate(parts))
    known: Singles = np.load(path)
    return known


def _patches(pixels: Pixels, dice: np.random.Generator) -> Singles:
    picture = dice.integers(len(pixels), size=DRAWN)
    row, column = dice.integers(33 - PATCH, size=(2, DRAWN))
    drawn = [
        pixels[i, a : a + PATCH, b : b + PATCH].ravel()
        for i, a, b in zip(picture, row, column, strict=True)
    ]
    return _normal(np.stack(drawn).astype(np.float32))


def _normal(patches: Singles) -> Singles:
    deviation = np.sqrt(patches.var(1, keepdims=True) + 10)
    normal: Singles = (patches - patches.mean(1, keepdims=True)) / deviation
    return normal


def _whitening(patches: Singles) -> tuple[Singles, Singles]:
    mean = patches.mean(0)
    values, vectors = np.linalg.eigh(np.cov(patches - mean, rowvar=False))
    return mean, ((vectors / np.sqrt(values + 0.1)) @ vectors.T).astype(np.float32)


def _words(white: Singles, dice: np.random.Generator) -> Singles:
    centres = white[dice.choice(len(white), WORDS, replace=False)]
    for _ in range(ROUNDS):
        nearest = ((centres**2).sum(1) - 2 * white @ centres.T).argmin(1)
        counts = np.bincount(nearest, minlength=WORDS)[:, None]
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, white)
        centres = np.where(counts > 0, sums / np.maximum(counts, 1), centres)
    return centres


def _described(pixels: Pixels, mean: Singles, whiten: Singles, words: Singles) -> Singles:
    windows = np.lib.stride_tricks.sliding_window_view(
        pixels.astype(np.float32), (PATCH, PATCH), (1, 2)
    )[:, ::STRIDE, ::STRIDE]  # (n, side, side, 3, PATCH, PATCH)
    count, side = windows.shape[:2]
    patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, 3 * PATCH**2)
    white = (_normal(patches) - mean) @ whiten
    square = (white**2).sum(1, keepdims=True) + (words**2).sum(1) - 2 * white @ words.T
    distance = np.sqrt(np.maximum(square, 0))
    near = np.maximum(distance.mean(1, keepdims=True) - distance, 0)
    near = near.reshape(count, side, side, WORDS)
    half = side // 2
    quarters = [
        near[:, rows, columns].sum((1, 2))
        for rows in (slice(half), slice(half, None))
        for columns in (slice(half), slice(half, None))
    ]
    return np.concatenate(quarters, 1).astype(np.float32)
