"""What is said of a picture, put as one text anew each time it is seen.

Keywords are shuffled and some are left out, as trainers of LoRA do, so that none depends on its
neighbours; the first stay where they are, since they name what the LoRA is about.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.engine.data.beliefs import (
    CAPTION_SHARE,
    CHANCE,
    LABEL_SHARE,
    TAG_CONFIDENCE,
    TAG_SHARE,
    above_chance,
    gather,
)
from training.engine.data.rows import Row

Mixture = tuple[tuple[str, float], ...]  # texts and their weights: one text, or expected labels
NOTHING: Mixture = (("", 1.0),)


@dataclass(frozen=True)
class CaptionMixtures:
    """m ways to put what is said of each of n pictures, and the belief that each deserves."""

    mixtures: list[Mixture]
    index: NDArray[np.int64]  # (n, m) into mixtures
    belief: NDArray[np.float32]  # (n, m) in [0, 1]

    @property
    def certain(self) -> float:
        """The belief to ask samples for: what the surest have."""
        known = self.belief[self.belief > 0]
        return float(np.quantile(known, 0.9)) if known.size else 1.0


def put(
    rows: Sequence[Row], concepts: Sequence[str], ways: int, *, keep: int, drop: float, seed: int
) -> CaptionMixtures:
    """Draw ``ways`` (m) for each row: a caption, its keywords, or its labels together.

    The first ``keep`` keywords stay in place; each other is left out with probability ``drop``.
    """
    gathered = gather(rows, concepts)
    known: dict[Mixture, int] = {NOTHING: 0}
    index = np.zeros((len(rows), ways), np.int64)
    belief = np.zeros((len(rows), ways), np.float32)
    for number, (row, weights) in enumerate(zip(rows, gathered.labels, strict=True)):
        chance = random.Random(f"{seed} {row.key}")
        labels = _labels(gathered.concepts, weights)
        for way in range(ways):
            mixture, trust = _one(row, labels, float(weights.sum()), chance, keep, drop)
            index[number, way] = known.setdefault(mixture, len(known))
            belief[number, way] = trust
    return CaptionMixtures(list(known), index, belief)


def _one(
    row: Row, labels: Mixture, trust: float, chance: random.Random, keep: int, drop: float
) -> tuple[Mixture, float]:
    keywords, spelt_out = _trusted(row)
    captions = [] if spelt_out else row.captions
    kinds = [
        ("caption", CAPTION_SHARE * bool(captions)),
        ("keywords", TAG_SHARE * bool(keywords)),
        ("labels", LABEL_SHARE * bool(labels)),
    ]
    shares = [share for _, share in kinds]
    if not any(shares):
        return NOTHING, 0.0
    (kind,) = chance.choices([kind for kind, _ in kinds], shares)
    if kind == "labels":
        return labels, trust
    if kind == "caption":
        text, probability = chance.choice(captions)
        return ((text, 1.0),), above_chance(probability, CHANCE)
    chosen = arranged(keywords, chance, keep, drop)
    text = ", ".join(keyword for keyword, _ in chosen)
    return ((text, 1.0),), sum(trust for _, trust in chosen) / max(1, len(chosen))


def arranged(
    keywords: Sequence[tuple[str, float]], chance: random.Random, keep: int, drop: float
) -> list[tuple[str, float]]:
    """The first ``keep`` as they are, then the others shuffled, but for those left out."""
    rest = [keyword for keyword in keywords[keep:] if chance.random() >= drop]
    chance.shuffle(rest)
    return [*keywords[:keep], *rest]


def _trusted(row: Row) -> tuple[list[tuple[str, float]], bool]:
    """The keywords believed, with how far, and whether a caption is nothing but their list.

    Then they are trusted as that caption is.
    """
    caption = dict(row.captions).get(", ".join(row.tags))
    unjudged = TAG_CONFIDENCE if caption is None else caption
    trusted = [(tag, above_chance(row.concepts.get(tag, unjudged), CHANCE)) for tag in row.tags]
    believed = [(tag, trust) for tag, trust in trusted if trust > 0]
    return believed, caption is not None and bool(believed)


def _labels(concepts: Sequence[str], weights: NDArray[np.float32]) -> Mixture:
    """Σ q(y)·y, q brought to one."""
    total = float(weights.sum())
    return tuple(
        (concept, round(float(weight) / total, 6))
        for concept, weight in zip(concepts, weights, strict=True)
        if weight > 0
    )
