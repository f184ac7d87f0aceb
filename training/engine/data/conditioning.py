"""The texts that a picture may be conditioned on, each with the confidence in it.

However uncertain the crowd is, a picture together with the confidence in its text is a correct
training example: a network that is given the confidence learns from every answer (as in arXiv
2405.20324 and 2510.25897).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.engine.data.rows import Row

CHANCE = 0.5  # probability that a text which nobody judged is true
TAG_PROBABILITY = 0.9  # of a keyword that no annotator judged
MAX_TAGS = 16
CAPTION_SHARE, TAG_SHARE, LABEL_SHARE = 0.5, 0.3, 0.2  # how often each kind of text is used
DRAWN = 0.5  # the rating of a drawing that certainly shows its prompt; real pictures have 1
RATINGS = ("shows_prompt", "fits_prompt")  # of drawings; nobody has the second without the first
SUREST = 0.9  # the quantile of confidence that samples are asked for

Floats = NDArray[np.float32]


class _Choice(NamedTuple):
    """A text that may be used: its number, or None for the picture's expected label."""

    text: int | None
    confidence: float
    weight: float


@dataclass(frozen=True)
class ConditioningTexts:
    """``texts`` (t), and for each of n pictures m slots, of which one is drawn at a time.

    A slot is an index into ``texts``. The slot t + i stands for all labels of the i-th picture,
    whose embedding is the expected one, ``labels[i] @ embeddings(concepts)``.
    """

    texts: list[str]
    slots: NDArray[np.int64]  # (n, m)
    confidence: Floats  # (n, m), 0: the text says nothing, 1: it is certainly true
    weights: Floats  # (n, m) how often slots are drawn; rows sum to 1, or to 0 without any text
    concepts: list[str]
    labels: Floats  # (n, concepts), rows sum to one or less
    ratings: dict[str, Floats]  # each (n,) in [0, 1], NaN where unknown

    @property
    def sampling_confidence(self) -> float:
        """Return the confidence to ask samples for: that of the surest texts."""
        return surest(self.confidence[self.weights > 0])


def surest(confidence: Floats) -> float:
    """Return the 90th percentile of confidences (k,), in [0, 1]; 1 where there are none."""
    return float(np.quantile(confidence, SUREST)) if confidence.size else 1.0


def above_chance(probability: float, chance: float = CHANCE) -> float:
    """Return (probability − chance) / (1 − chance), at least 0: the confidence in a text."""
    return max(0.0, (probability - chance) / (1 - chance)) if chance < 1 else 0.0


def gather_texts(
    rows: Sequence[Row], concepts: Sequence[str], *, rated: int = 0
) -> ConditioningTexts:
    """Gather the rows' captions, tags and concepts as texts, and people's judgements as ratings.

    A judged drawing's text is its prompt, which is believed as people say that it shows it: one
    that does not show it teaches the unconditional model, from which guidance leads away. So many
    first `RATINGS` as ``rated`` are there even if no drawing has any.
    """
    names = sorted({name for row in rows for name in row.concepts} | set(concepts))
    labels = expected_labels(rows, names)
    numbers: dict[str, int] = {}
    choices = [
        _choices(row, float(label.sum()), numbers) for row, label in zip(rows, labels, strict=True)
    ]
    return _padded(list(numbers), choices, names, labels, _ratings(rows, rated))


def expected_labels(rows: Sequence[Row], names: Sequence[str]) -> Floats:
    """Return q(y) for Σ q(y)·e(y), (n, names): each concept's probability above its base rate.

    Rows sum to one at most; what nobody judged is 0.
    """
    known = np.full((len(rows), len(names)), np.nan, np.float32)
    for row, line in zip(rows, known, strict=True):
        for column, name in enumerate(names):
            line[column] = row.concepts.get(name, np.nan)
    count = np.maximum((~np.isnan(known)).sum(0), 1)
    base = np.minimum(np.nan_to_num(known).sum(0) / count, CHANCE)
    return normalized_above(np.nan_to_num(known), base).astype(np.float32)


def normalized_above(
    probability: NDArray[np.floating], base: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Return probabilities (n, C) above their base rates (C,), scaled so that rows sum to ≤ 1."""
    above = np.clip((probability - base) / (1 - base), 0, 1)
    weights: NDArray[np.floating] = above / np.maximum(above.sum(1, keepdims=True), 1)
    return weights


def _choices(row: Row, label_confidence: float, numbers: dict[str, int]) -> list[_Choice]:
    """Return the texts of a row; number those that are new."""
    captions = row.captions if row.shows_prompt is None else [(row.prompt, row.shows_prompt)]
    tags = [(tag, row.concepts.get(tag, TAG_PROBABILITY)) for tag in row.tags[:MAX_TAGS]]
    choices = [
        _Choice(numbers.setdefault(text, len(numbers)), above_chance(p), share / len(kind))
        for share, kind in ((CAPTION_SHARE, captions), (TAG_SHARE, list(dict(tags).items())))
        for text, p in kind
    ]
    if label_confidence > 0:
        choices.append(_Choice(None, label_confidence, LABEL_SHARE))
    return choices


def _ratings(rows: Sequence[Row], rated: int) -> dict[str, Floats]:
    """Return how well drawings show their prompts, by people and by a CLIP; 1 of real pictures.

    The best drawing is rated below: it lends its text, and no look of drawings to the next ones.
    """
    ratings: dict[str, Floats] = {}
    for place, name in enumerate(RATINGS):
        values = [getattr(row, name) for row in rows]
        if place < rated or any(value is not None for value in values):
            defaults = [np.nan if row.prompt else 1.0 for row in rows]
            known = [d if v is None else DRAWN * v for v, d in zip(values, defaults, strict=True)]
            ratings[name] = np.array(known, np.float32)
    return ratings


def _padded(
    texts: list[str],
    choices: list[list[_Choice]],
    concepts: list[str],
    labels: Floats,
    ratings: dict[str, Floats],
) -> ConditioningTexts:
    """Lay the choices of each picture out in as many slots as the longest list needs."""
    shape = (len(choices), max(1, max(map(len, choices), default=1)))
    slots = np.zeros(shape, np.int64)
    confidence, weights = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for row, of_picture in enumerate(choices):
        for column, choice in enumerate(of_picture):
            slots[row, column] = len(texts) + row if choice.text is None else choice.text
            confidence[row, column], weights[row, column] = choice.confidence, choice.weight
    weights /= np.maximum(weights.sum(1, keepdims=True), 1e-9)
    return ConditioningTexts(texts, slots, confidence, weights, concepts, labels, ratings)
