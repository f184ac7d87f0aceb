"""Vary the text of a picture: a caption, its keywords in some order, or its labels together.

Keywords are shuffled and some are left out, as is usual in training a LoRA, so that none depends
on its neighbours; the first stay where they are, since they name what the LoRA is about.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.engine.data.conditioning import (
    CAPTION_SHARE,
    LABEL_SHARE,
    TAG_PROBABILITY,
    TAG_SHARE,
    above_chance,
    gather_texts,
    surest,
)
from training.engine.data.rows import Row

Mixture = tuple[tuple[str, float], ...]  # texts and their weights: one text, or expected labels
Keyword = tuple[str, float]  # with the confidence in it
NOTHING: Mixture = (("", 1.0),)


@dataclass(frozen=True)
class CaptionMixtures:
    """For each of n pictures, m variants of its text and the confidence in each."""

    mixtures: list[Mixture]
    index: NDArray[np.int64]  # (n, m) into mixtures
    confidence: NDArray[np.float32]  # (n, m) in [0, 1]

    @property
    def sampling_confidence(self) -> float:
        """Return the confidence to ask samples for: that of the surest texts."""
        return surest(self.confidence[self.confidence > 0])


def sample_mixtures(
    rows: Sequence[Row],
    concepts: Sequence[str],
    variants: int,
    *,
    keep: int,
    dropout: float,
    seed: int,
) -> CaptionMixtures:
    """Sample ``variants`` for each row: a caption, its keywords, or its labels together.

    The first ``keep`` keywords stay in place; each other is left out with probability ``dropout``.
    What a row gets depends on the row and the seed alone.
    """
    texts = gather_texts(rows, concepts)
    known: dict[Mixture, int] = {NOTHING: 0}
    index = np.zeros((len(rows), variants), np.int64)
    confidence = np.zeros((len(rows), variants), np.float32)
    for number, (row, weights) in enumerate(zip(rows, texts.labels, strict=True)):
        chance = random.Random(f"{seed} {row.key}")
        labels = _normalized(texts.concepts, weights), float(weights.sum())
        for variant in range(variants):
            mixture, sureness = _sample(row, labels, chance, keep, dropout)
            index[number, variant] = known.setdefault(mixture, len(known))
            confidence[number, variant] = sureness
    return CaptionMixtures(list(known), index, confidence)


def shuffled(
    keywords: Sequence[Keyword], chance: random.Random, keep: int, dropout: float
) -> list[Keyword]:
    """Return the first ``keep`` keywords as they are, then the others, shuffled and thinned."""
    rest = [keyword for keyword in keywords[keep:] if chance.random() >= dropout]
    chance.shuffle(rest)
    return [*keywords[:keep], *rest]


def _sample(
    row: Row, labels: tuple[Mixture, float], chance: random.Random, keep: int, dropout: float
) -> tuple[Mixture, float]:
    """Return one variant of a row's text, and the confidence in it."""
    keywords, spelt_out = _keywords(row)
    captions = [] if spelt_out else row.captions
    shares = {
        "caption": CAPTION_SHARE * bool(captions),
        "keywords": TAG_SHARE * bool(keywords),
        "labels": LABEL_SHARE * bool(labels[0]),
    }
    if not any(shares.values()):
        return NOTHING, 0.0
    (kind,) = chance.choices(list(shares), list(shares.values()))
    if kind == "labels":
        return labels
    if kind == "caption":
        text, probability = chance.choice(captions)
        return ((text, 1.0),), above_chance(probability)
    chosen = shuffled(keywords, chance, keep, dropout)
    text = ", ".join(keyword for keyword, _ in chosen)
    mean = sum(confidence for _, confidence in chosen) / max(1, len(chosen))
    return ((text, 1.0),), mean


def _keywords(row: Row) -> tuple[list[Keyword], bool]:
    """Return the keywords that are likely true, and whether a caption merely lists them.

    Where one does, keywords that nobody judged are as likely as that caption.
    """
    caption = dict(row.captions).get(", ".join(row.tags))
    unjudged = TAG_PROBABILITY if caption is None else caption
    every = [(tag, above_chance(row.concepts.get(tag, unjudged))) for tag in row.tags]
    likely = [(tag, confidence) for tag, confidence in every if confidence > 0]
    return likely, caption is not None and bool(likely)


def _normalized(concepts: Sequence[str], weights: NDArray[np.float32]) -> Mixture:
    """Return the concepts with weights above 0, scaled to sum to one."""
    total = float(weights.sum())
    return tuple(
        (concept, round(float(weight) / total, 6))
        for concept, weight in zip(concepts, weights, strict=True)
        if weight > 0
    )
