"""Weigh answers without a picture together with those of people who saw it.

    python -m tests.benchmarks.text_answers

Simulated people judge captions, some by the picture, some by another sentence about it, some by
either. A caption that is true may speak of something else than the sentence that it is compared
with, and one that is false may differ in a word: there, text is weaker evidence. Each question is
asked until it settles, as online inference does it. Compared are one confusion for all answers of
a person, one for answers by text and one for those by sight, and text answers at half their weight.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from labeling.aggregation import online

CAPTIONS, GOLD, PEOPLE = 3_000, 200, 60
TRUE = 0.8  # of the captions
SETTLE_AT, LEAST, MOST = 0.95, 2, 8  # answers
GOLD_SHARE = 0.25
KINDS = {"same": 0.6, "other": 0.4}, {"unlike": 0.7, "near": 0.3}  # of true, of false captions
YES = {  # that somebody says yes to, by text; or says nothing
    "same": (0.93, 0.03),
    "other": (0.40, 0.30),
    "unlike": (0.04, 0.05),
    "near": (0.18, 0.05),
}
SIGHTED = 0.92  # right by the picture
Weigh = Callable[[online.ConfusionCounts, bool, str], float]


class Caption(NamedTuple):
    truth: bool
    kind: str


class Scheme(NamedTuple):
    """How answers are weighed."""

    apart: bool  # a confusion of its own for answers by text
    weight: float  # of an answer by text


SCHEMES: Mapping[str, Scheme] = {
    "one confusion": Scheme(apart=False, weight=1),
    "apart": Scheme(apart=True, weight=1),
    "half the weight": Scheme(apart=False, weight=0.5),
}


def main() -> None:
    """Print a table: for each crowd and scheme, the wrong labels and how right posteriors are."""
    print("| by text | weighed | settled | wrong of them | wrong no | answers each | log loss |")
    print("|---|---|---|---|---|---|---|")
    for share in (0.0, 0.3, 1.0):
        for name, scheme in SCHEMES.items():
            runs = np.array([_run(seed, share, scheme) for seed in range(5)])
            settled, wrong, wrong_no, answers, loss = runs.mean(axis=0)
            print(
                f"| {share:.0%} | {name} | {settled:.1%} | {wrong:.2%} | {wrong_no:.2%} "
                f"| {answers:.2f} | {loss:.3f} |"
            )


def _run(seed: int, share: float, scheme: Scheme) -> tuple[float, float, float, float, float]:
    """Return what share settled, is wrong, is wrongly no; answers a caption; and the log loss.

    share: of the answers that are given by text, by people of whom most do both.
    """
    chance = random.Random(seed)
    counts: dict[tuple[int, bool], online.ConfusionCounts] = defaultdict(online.ConfusionCounts)
    captions = [_caption(chance) for _ in range(CAPTIONS)]
    posteriors, given = [], 0
    for caption in captions:
        evidence: list[float] = []
        people = chance.sample(range(PEOPLE), k=PEOPLE)
        posterior = TRUE
        for person in people:
            by_text = chance.random() < share
            key = (person, by_text and scheme.apart)
            if chance.random() < GOLD_SHARE:
                gold = _caption(chance)
                value = _answer(gold, chance, by_text=by_text)
                if value is not None:
                    counts[key] = online.update_counts(counts[key], value, float(gold.truth))
            value = _answer(caption, chance, by_text=by_text)
            if value is None:
                continue
            ratio = online.evidence(counts[key], value) * (scheme.weight if by_text else 1)
            others = online.untempered_posterior(TRUE, evidence)
            counts[key] = online.update_counts(counts[key], value, others)
            evidence.append(ratio)
            posterior = online.tempered_posterior(TRUE, evidence)
            certain = max(posterior, 1 - posterior) >= SETTLE_AT
            if len(evidence) >= MOST or (len(evidence) >= LEAST and certain):
                break
        given += len(evidence)
        posteriors.append(posterior)
    return _measure(captions, np.array(posteriors), given)


def _measure(
    captions: list[Caption], posteriors: "np.ndarray[tuple[int], np.dtype[np.float64]]", given: int
) -> tuple[float, float, float, float, float]:
    truth = np.array([caption.truth for caption in captions])
    settled = np.maximum(posteriors, 1 - posteriors) >= SETTLE_AT
    wrong = settled & ((posteriors >= 0.5) != truth)
    right = np.where(truth, posteriors, 1 - posteriors).clip(1e-6)
    count = settled.sum()
    return (
        float(settled.mean()),
        float(wrong.sum() / count),
        float((wrong & truth).sum() / count),
        given / len(captions),
        float(-np.log(right).mean()),
    )


def _caption(chance: random.Random) -> Caption:
    truth = chance.random() < TRUE
    kinds = KINDS[0 if truth else 1]
    (kind,) = chance.choices(list(kinds), list(kinds.values()))
    return Caption(truth, kind)


def _answer(caption: Caption, chance: random.Random, *, by_text: bool) -> bool | None:
    """Return yes or no, or None for a skip."""
    if not by_text:
        return caption.truth == (chance.random() < SIGHTED)
    yes, nothing = YES[caption.kind]
    drawn = chance.random()
    return True if drawn < yes else None if drawn < yes + nothing else False


if __name__ == "__main__":
    main()
