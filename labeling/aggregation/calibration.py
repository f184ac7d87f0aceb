"""How often labels said to be so sure are right: by known truths, or by answers drawn at random.

A label is the likelier of yes and no, its confidence c = max(p, 1 - p). Where truth is not known,
one more answer tells of it as far as its annotator can be trusted. With J = sensitivity +
specificity - 1, and r = 1 where the answer agrees with the label, (r - c0) / J is an unbiased
estimate of whether the label is right; c0 is the chance of agreeing with it where it is wrong
(W. J. Rogan and B. Gladen, "Estimating prevalence from the results of a screening test", American
Journal of Epidemiology 107, 1978). Each answer weighs J², by which answers of chance weigh nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from labeling.aggregation.answers import Floats, Ints

EDGES = 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0  # of the bins of confidence
Z = 1.959964  # of a 95 % interval
LEAST = 1e-3  # what an answer must tell, J², in all of a bin together


@dataclass(frozen=True)
class AnnotatorAccuracies:
    """W annotators, and on how many answers what is known of them rests."""

    sensitivity: Floats  # (W,) chance of "yes" where the truth is yes, 0 … 1
    specificity: Floats  # (W,) chance of "no" where the truth is no
    positives: Floats  # (W,) answers on which the sensitivity rests; inf: it is known
    negatives: Floats  # (W,) those on which the specificity rests


@dataclass(frozen=True)
class Share:
    """How sure labels were said to be, and how often they were right, with a 95 % interval."""

    n: int
    said: float  # mean confidence, .5 … 1
    right: float  # by answers it is an estimate that chance may carry beyond 0 and 1
    low: float  # 0 … 1
    high: float


@dataclass(frozen=True)
class Bin:
    """Labels that were said to be from `at_least` to below `below` sure (1 is in the last)."""

    at_least: float
    below: float
    share: Share


@dataclass(frozen=True)
class Calibration:
    """Of n labels: all of them, and by how sure they were said to be; bins without any left out."""

    whole: Share
    bins: tuple[Bin, ...]
    ece: float  # mean of |said - right| over bins, by their n: the expected calibration error
    chance: float  # what it would be on average by chance alone, if all was right as often as said
    brier: float  # mean of (p - truth)²


def by_truth(
    probability: npt.ArrayLike, truth: npt.ArrayLike, *, edges: Sequence[float] = EDGES
) -> Calibration | None:
    """Calibration of n probabilities of yes (0 … 1) against n truths; None where n is 0."""
    known = AnnotatorAccuracies(np.ones(1), np.ones(1), np.full(1, np.inf), np.full(1, np.inf))
    nobody = np.zeros(np.shape(truth), np.intp)
    return by_answers(probability, truth, nobody, known, edges=edges)


def by_answers(
    probability: npt.ArrayLike,
    answer: npt.ArrayLike,
    annotator: npt.ArrayLike,
    coins: AnnotatorAccuracies,
    *,
    question: npt.ArrayLike | None = None,
    edges: Sequence[float] = EDGES,
) -> Calibration | None:
    """The same against one answer each, by the annotators (n,), places in `coins`.

    The probabilities must be what was believed without the answer, of questions that were not
    chosen for what was believed, or for who would be asked; `question` (n,) says which of them are
    about one question, all different without it. Intervals hold chance and what is not known of the
    annotators. None without answers, or where all are by annotators who answer as chance would.
    """
    said = _Said.of(probability, answer, annotator, coins, question)
    if not said.n or said.power.sum() < LEAST:
        return None
    place = np.searchsorted(np.asarray(edges)[1:-1], said.confidence, side="right")
    bins, gaps, noise = [], [], []
    for number, (at_least, below) in enumerate(pairwise(edges)):
        part = said.only(place == number)
        if part.n and part.power.sum() >= LEAST:
            share, deviation = part.share(coins)
            bins.append(Bin(at_least, below, share))
            gaps.append(abs(share.said - share.right))
            noise.append(deviation)
    sizes = np.array([each.share.n for each in bins])
    return Calibration(
        whole=said.share(coins)[0],
        bins=tuple(bins),
        ece=float(sizes @ gaps / sizes.sum()),
        chance=float(np.sqrt(2 / np.pi) * sizes @ noise / sizes.sum()),
        brier=said.brier(),
    )


@dataclass(frozen=True)
class _Said:
    """n answers: what they say of their labels."""

    probability: Floats  # (n,) of yes
    confidence: Floats  # (n,) of the label
    label: npt.NDArray[np.bool_]  # (n,)
    agrees: Floats  # (n,) 1 where the answer agrees with the label
    base: Floats  # (n,) c0, the chance of that where the label is wrong
    youden: Floats  # (n,) J
    annotator: Ints  # (n,)
    question: Ints  # (n,)

    @classmethod
    def of(
        cls,
        probability: npt.ArrayLike,
        answer: npt.ArrayLike,
        annotator: npt.ArrayLike,
        coins: AnnotatorAccuracies,
        question: npt.ArrayLike | None,
    ) -> "_Said":
        believed, who = np.asarray(probability, np.float64), np.asarray(annotator, np.intp)
        label, yes = believed >= 0.5, np.asarray(answer, bool)
        asked = np.arange(len(believed)) if question is None else np.asarray(question)
        if not len(believed) == len(yes) == len(who) == len(asked):
            raise ValueError("probabilities, answers, annotators and questions must be as many")
        if not ((believed >= 0) & (believed <= 1)).all():
            raise ValueError("a probability lies between 0 and 1")
        sensitivity, specificity = coins.sensitivity[who], coins.specificity[who]
        return cls(
            probability=believed,
            confidence=np.maximum(believed, 1 - believed),
            label=label,
            agrees=(yes == label).astype(np.float64),
            base=np.where(label, 1 - specificity, 1 - sensitivity),
            youden=sensitivity + specificity - 1,
            annotator=who,
            question=np.unique(asked, return_inverse=True)[1].astype(np.intp),
        )

    def only(self, chosen: npt.NDArray[np.bool_]) -> "_Said":
        return _Said(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    @property
    def n(self) -> int:
        return len(self.agrees)

    @property
    def power(self) -> Floats:
        """(n,) what each answer tells: J², the weight of its estimate."""
        return self.youden**2

    def share(self, coins: AnnotatorAccuracies) -> tuple[Share, float]:
        """What the answers say together; and the deviation of it, were `said` the truth."""
        total = self.power.sum()
        right = float(self.youden @ (self.agrees - self.base) / total)
        said = float(self.power @ self.confidence / total)
        variance = self._chance() / total**2 + self._doubt(coins) / total**2
        low, high = _interval(right, variance)
        if_true = np.array([1, said, said**2]) @ variance
        return Share(self.n, said, right, low, high), float(np.sqrt(max(if_true, 0.0)))

    def _chance(self) -> Floats:
        """The variance of Σ J (r - c0) as a polynomial of the share that is right, (3,).

        An answer agrees by a chance of c0 + J · share; answers to one question share its truth.
        """
        j, base = self.youden, self.base
        together = np.bincount(self.question, self.power)
        shared = (together**2).sum() - (j**4).sum()
        return np.array(
            [
                (j**2 * base * (1 - base)).sum(),
                (j**3 * (1 - 2 * base)).sum() + shared,
                -(j**4).sum() - shared,
            ]
        )

    def _doubt(self, coins: AnnotatorAccuracies) -> Floats:
        """The same of what is not known of the annotators: Beta variances, by the delta method."""
        size = len(coins.sensitivity)
        yes = np.bincount(self.annotator, self.youden * self.label, size)
        no = np.bincount(self.annotator, self.youden * ~self.label, size)
        both = yes + no
        doubt = np.zeros(3)
        for coin, rests_on, slope in (
            (coins.sensitivity, coins.positives, no),
            (coins.specificity, coins.negatives, yes),
        ):
            variance = coin * (1 - coin) / (rests_on + 1)
            doubt += np.array(
                [variance @ slope**2, -2 * variance @ (slope * both), variance @ both**2]
            )
        return doubt

    def brier(self) -> float:
        """Mean of (p - truth)² = p² + truth · (1 - 2p), with truth as the answers tell it."""
        p, label = self.probability, self.label
        power_right = self.youden * (self.agrees - self.base)  # J² times the estimate
        power_yes = np.where(label, power_right, self.power - power_right)
        return float((self.power * p**2 + power_yes * (1 - 2 * p)).sum() / self.power.sum())


def _interval(right: float, variance: Floats) -> tuple[float, float]:
    """The shares s in [0, 1] with (right - s)² ≤ Z² · variance(s): Wilson's, for any coins."""
    constant, linear, square = Z**2 * variance
    a, b, c = 1 - square, -2 * right - linear, right**2 - constant
    inside = b * b - 4 * a * c
    if a <= 0 or inside < 0:
        return 0.0, 1.0
    ends = (-b + np.array([-1.0, 1.0]) * np.sqrt(inside)) / (2 * a)
    low, high = ends.clip(0, 1).tolist()
    return low, high
