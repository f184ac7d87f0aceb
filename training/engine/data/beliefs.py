"""What a snapshot says of each picture, as texts with the belief that each deserves.

A pair (picture, belief) is never wrong, however uncertain the crowd is, so a network that is
told how far to trust a text learns from every answer (as in arXiv 2405.20324 and 2510.25897).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.engine.data.rows import Row

CHANCE = 0.5  # how often an unjudged text would be right
TAG_CONFIDENCE = 0.9  # of a keyword that no annotator judged
MAX_TAGS = 16
CAPTION_SHARE, TAG_SHARE, LABEL_SHARE = 0.5, 0.3, 0.2  # how often each kind of text is drawn


@dataclass(frozen=True)
class Beliefs:
    """``texts`` (t), and for each of n pictures m slots of which one is drawn at a time.

    A slot is an index into ``texts``; the slot ``t + i`` stands for the i-th picture's labels
    together, whose embedding is the expected one, ``labels[i] @ embeddings(concepts)``.
    """

    texts: list[str]
    slots: NDArray[np.int64]  # (n, m)
    belief: NDArray[np.float32]  # (n, m), 0: the text says nothing, 1: it is certain
    share: NDArray[np.float32]  # (n, m), rows sum to one, or to zero for a picture without text
    concepts: list[str]
    labels: NDArray[np.float32]  # (n, concepts), rows sum to one or less
    ratings: dict[str, NDArray[np.float32]]  # each (n,) in [0, 1], NaN where unknown

    @property
    def certain(self) -> float:
        """The belief to ask samples for: what the surest texts in the snapshot have."""
        known = self.belief[self.share > 0]
        return float(np.quantile(known, 0.9)) if known.size else 1.0


def above_chance(probability: float, chance: float) -> float:
    """0 where a probability says no more than chance does, 1 where it is certain."""
    return max(0.0, (probability - chance) / (1 - chance)) if chance < 1 else 0.0


def gather(rows: Sequence[Row], concepts: Sequence[str]) -> Beliefs:
    """Turn the rows' captions, tags and concepts into drawable texts, and judgements into ratings.

    A picture that a model drew, and people judged, is told what it was drawn from, whether it
    shows that or not: how right it is stands in the rating.
    """
    names = sorted({name for row in rows for name in row.concepts} | set(concepts))
    labels = _expected_labels(rows, names)
    texts: dict[str, int] = {}
    drawn = []
    for row, label in zip(rows, labels, strict=True):
        kinds = [
            (CAPTION_SHARE, [(text, above_chance(p, CHANCE)) for text, p in _captions(row)]),
            (TAG_SHARE, _tags(row)),
        ]
        slots = [
            (texts.setdefault(text, len(texts)), belief, share / len(kind))
            for share, kind in kinds
            for text, belief in kind
        ]
        if label.sum() > 0:
            slots.append((-1, float(label.sum()), LABEL_SHARE))
        drawn.append(slots)
    return _padded(list(texts), drawn, names, labels, _ratings(rows))


def _captions(row: Row) -> Sequence[tuple[str, float]]:
    return row.captions if row.shows_prompt is None else [(row.prompt, TAG_CONFIDENCE)]


def _ratings(rows: Sequence[Row]) -> dict[str, NDArray[np.float32]]:
    """``right``: where people judged drawn pictures, how right; a picture that is real is."""
    if all(row.shows_prompt is None for row in rows):
        return {}
    right = [
        row.shows_prompt if row.shows_prompt is not None else np.nan if row.prompt else 1.0
        for row in rows
    ]
    return {"right": np.array(right, np.float32)}


def _tags(row: Row) -> list[tuple[str, float]]:
    probability = {tag: row.concepts.get(tag, TAG_CONFIDENCE) for tag in row.tags[:MAX_TAGS]}
    return [(tag, above_chance(p, CHANCE)) for tag, p in probability.items()]


def _expected_labels(rows: Sequence[Row], names: Sequence[str]) -> NDArray[np.float32]:
    """Σ q(y)·e(y) needs q: each concept's belief above its base rate, at most one in all."""
    known = np.full((len(rows), len(names)), np.nan, np.float32)
    for row, line in zip(rows, known, strict=True):
        for column, name in enumerate(names):
            line[column] = row.concepts.get(name, np.nan)
    count = np.maximum((~np.isnan(known)).sum(0), 1)
    base = np.minimum(np.nan_to_num(known).sum(0) / count, CHANCE)
    above = np.clip((np.nan_to_num(known) - base) / (1 - base), 0, 1)
    weights = above / np.maximum(above.sum(1, keepdims=True), 1)
    expected: NDArray[np.float32] = weights.astype(np.float32)
    return expected


def _padded(
    texts: list[str],
    drawn: list[list[tuple[int, float, float]]],
    concepts: list[str],
    labels: NDArray[np.float32],
    ratings: dict[str, NDArray[np.float32]],
) -> Beliefs:
    shape = (len(drawn), max(1, max(map(len, drawn), default=1)))
    slots = np.zeros(shape, np.int64)
    belief, share = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for row, choices in enumerate(drawn):
        for column, (slot, trust, weight) in enumerate(choices):
            slots[row, column] = slot if slot >= 0 else len(texts) + row
            belief[row, column], share[row, column] = trust, weight
    share /= np.maximum(share.sum(1, keepdims=True), 1e-9)
    return Beliefs(texts, slots, belief, share, concepts, labels, ratings)
