"""Measure a model of pairs on pairs that it never saw, beside what takes no training.

- ``other_half``: how often the half that it draws is at least as near to its own true half as to
  those of 19 other held-out pairs, or of as many as there are; chance is one of them;
- ``other_half_of_nearest``: the same of the half of the training pair whose first half is nearest;
- ``other_half_error``: how far the drawn half is from the true one, the root mean square
  difference of pixels in [0, 1]; ``other_half_error_of_nearest``, and ``…_of_first``, of the first
  half itself.

Without held-out pairs there are no figures: those of training pairs say nothing of a new picture.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from training.engine.data.pairs import pack_halves, text_of
from training.engine.data.pictures import Pixels
from training.engine.data.rows import Row, Snapshot
from training.engine.evaluation import intervals
from training.engine.evaluation.intervals import Values
from training.engine.evaluation.verdict import Judgement, paired
from training.engine.files import TrainingError
from training.engine.recipes import load_translator
from training.engine.recipes.base import Translator

PAIRS = 400  # held-out pairs that are drawn, at most
FEWEST = 10  # held-out pairs by which models are compared: of two, chance alone may find both
CANDIDATES = 20
BATCH = 64
KNOWN = 512  # training pairs that are compared with at once
MATCH, ERROR = "other_half", "other_half_error"
MARGIN = 0.05  # of shares
ERROR_MARGIN = 0.01


class Measured(NamedTuple):
    """For each of n held-out pairs: whether its half is found, and how far it is."""

    match: Values  # (n,) 0 or 1
    error: Values  # (n,) in [0, 1]
    chance: float  # of a match


def evaluate_translator(folder: Path, snapshot: Snapshot, cache: Path) -> dict[str, float]:
    """Return the figures of a model folder; none where no pairs are held out."""
    translator, rows = load_translator(folder), held_out(snapshot)
    if not rows:
        return {}
    halves = pack_halves(rows, translator.size, cache)
    drawn = measure(draw(translator, rows, halves), halves)
    of_nearest = measure(_of_nearest(translator.size, halves, snapshot, cache), halves)
    of_first = measure(halves[:, 0], halves)
    return {
        **intervals.entries(MATCH, intervals.mean(drawn.match), chance=drawn.chance),
        **intervals.entries(f"{MATCH}_of_nearest", intervals.mean(of_nearest.match)),
        **intervals.entries(ERROR, intervals.mean(drawn.error)),
        **intervals.entries(f"{ERROR}_of_nearest", intervals.mean(of_nearest.error)),
        **intervals.entries(f"{ERROR}_of_first", intervals.mean(of_first.error)),
    }


def judge(new: Path, current: Path | None, snapshot: Snapshot, cache: Path) -> list[Judgement]:
    """Judge a new model beside the current one, or beside chance, on held-out pairs.

    Raise ``TrainingError`` where fewer than ``FEWEST`` pairs are held out.
    """
    if (known := len(held_out(snapshot))) < FEWEST:
        raise TrainingError(
            f"Models are compared by {FEWEST} held-out pairs or more, and of these pairs {known} "
            f"{'is' if known == 1 else 'are'} held out"
        )
    of_new = _measure(new, snapshot, cache)
    if current is None:
        chance = np.full(len(of_new.match), of_new.chance)
        return [paired(MATCH, of_new.match, chance, MARGIN)]
    of_current = _measure(current, snapshot, cache)
    return [
        paired(MATCH, of_new.match, of_current.match, MARGIN),
        paired(ERROR, of_new.error, of_current.error, ERROR_MARGIN, up=False),
    ]


def held_out(snapshot: Snapshot) -> tuple[Row, ...]:
    """Return at most ``PAIRS`` held-out pairs, evenly spread."""
    rows = snapshot.test
    count = min(PAIRS, len(rows))
    return tuple(rows[index * len(rows) // count] for index in range(count))


def draw(translator: Translator, rows: tuple[Row, ...], halves: Pixels) -> Pixels:
    """Return the other half of each pair's first, drawn with its caption and seed 0."""
    texts = [text_of(row) for row in rows]
    parts = [
        translator.translate(
            halves[start : start + BATCH, 0],
            texts[start : start + BATCH],
            [0] * len(texts[start : start + BATCH]),
        )
        for start in range(0, len(rows), BATCH)
    ]
    return np.concatenate(parts)


def measure(drawn: Pixels, halves: Pixels) -> Measured:
    """Compare drawn second halves (n, s, s, 3) with the true ones of pairs (n, 2, s, s, 3)."""
    distance = _distances(_flat(drawn), _flat(halves[:, 1]))  # (n, n)
    count = len(distance)
    candidates = min(CANDIDATES, count)
    steps = torch.arange(candidates) * count // candidates  # the first is the pair itself
    own = distance.diagonal()
    others = torch.stack([distance[i, (i + steps) % count].min() for i in range(count)])
    match = (own <= others + 1e-9).double().numpy()
    return Measured(match, own.double().numpy(), 1 / candidates)


def _measure(folder: Path, snapshot: Snapshot, cache: Path) -> Measured:
    translator, rows = load_translator(folder), held_out(snapshot)
    halves = pack_halves(rows, translator.size, cache)
    return measure(draw(translator, rows, halves), halves)


def _of_nearest(size: int, halves: Pixels, snapshot: Snapshot, cache: Path) -> Pixels:
    """Return the second halves of the training pairs whose first halves are nearest."""
    known, firsts = pack_halves(snapshot.train, size, cache), _flat(halves[:, 0])
    parts = [
        _distances(firsts, _flat(known[start : start + KNOWN, 0]))
        for start in range(0, len(known), KNOWN)
    ]
    nearest: Pixels = known[torch.cat(parts, 1).argmin(1).numpy(), 1]
    return nearest


def _flat(pixels: Pixels) -> Tensor:
    return torch.from_numpy(np.array(pixels)).flatten(1).float() / 255


def _distances(first: Tensor, second: Tensor) -> Tensor:
    """Return root mean square differences (n, m) of pictures (n, D) and (m, D)."""
    distance: Tensor = torch.cdist(first, second) / first.shape[1] ** 0.5
    return distance
