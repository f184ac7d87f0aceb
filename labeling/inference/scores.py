"""Score all tiles by many concepts' probes in one pass over the features.

Scores are log-odds in float16, in a file that is mapped into memory: of 1,000 concepts and a
million tiles they take 2 GB on disk, and a block of them at a time in memory.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from django.conf import settings
from numpy.lib.format import open_memmap

from labeling.aggregation.model_weight import match_prevalence
from labeling.aggregation.online import EDGE, log_odds
from labeling.features import Features
from labeling.inference.probes import ConceptProbe, OnProgress

LARGEST = log_odds(1 - EDGE)  # of the scores, either way
_EVERY = np.arange(2**16, dtype=np.uint16)  # the bits of every float16

Scores = npt.NDArray[np.float16]


@contextmanager
def scored(
    probes: Sequence[ConceptProbe], features: Features, on_progress: OnProgress
) -> Iterator[Scores]:
    """Yield the scores (C, T) of C probes and all tiles, NaN where features are not finite.

    The rows that a probe was fitted to have the scores of the fold that was not.
    """
    work = Path(settings.CACHE_ROOT) / "scores"
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=work) as folder:
        scores = _allocated(Path(folder) / "scores.npy", (len(probes), len(features.tiles)))
        _fill(scores, probes, features, on_progress)
        for row, probe in zip(scores, probes, strict=True):
            row[probe.rows] = probe.out_of_fold.clip(-LARGEST, LARGEST)
        yield scores


def match(scores: Scores, prevalence: float) -> Scores:
    """Return scores (T,), moved by one constant so that their mean probability is the prevalence.

    As there are only so many float16 values, each is moved once, however often it occurs.
    """
    counts = np.bincount(scores.view(np.uint16), minlength=len(_EVERY))
    values = _EVERY.view(np.float16)
    present = np.flatnonzero((counts > 0) & np.isfinite(values))
    moved = np.full(len(_EVERY), np.nan, np.float16)
    if len(present):
        log_odds = values[present].astype(np.float64)
        moved[present] = match_prevalence(log_odds, prevalence, counts[present])
    return moved[scores.view(np.uint16)]


def _allocated(path: Path, shape: tuple[int, int]) -> Scores:
    """Return an array in a new file, which is gone with this process, however that ends.

    It has its place on the disk at once: a full one would kill who writes.
    """
    if 0 in shape:
        return np.zeros(shape, np.float16)
    scores: Scores = open_memmap(path, mode="w+", dtype=np.float16, shape=shape)
    with path.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    path.unlink()
    return scores


def _fill(
    scores: Scores, probes: Sequence[ConceptProbe], features: Features, on_progress: OnProgress
) -> None:
    if not probes:
        return
    weights = np.stack([probe.weights for probe in probes], 1)  # (E, C)
    constants = np.array([probe.constant for probe in probes], np.float32)
    for rows, block in features.blocks():
        finite = np.isfinite(block).all(1)
        block[~finite] = 0
        of_block = (block @ weights + constants).clip(-LARGEST, LARGEST)  # (m, C)
        of_block[~finite] = np.nan
        scores[:, rows] = of_block.T
        on_progress()
