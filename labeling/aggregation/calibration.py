"""Calibration of labels, against known truths or against answers of people who err.

A label is the likelier of yes and no, its confidence c = max(p, 1 - p). Where the truth is not
known, one more answer estimates it as well as its annotator can be trusted. With J = sensitivity +
specificity - 1, and r = 1 where the answer agrees with the label, (r - c0) / J is an unbiased
estimate of whether the label is right; c0 is the chance of agreeing with it where it is wrong
(W. J. Rogan and B. Gladen, "Estimating prevalence from the results of a screening test", American
Journal of Epidemiology 107, 1978). Each answer weighs J², so that random answers weigh nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from labeling.aggregation.answers import Floats, Ints

EDGES = 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0  # of the bins of confidence
Z = 1.959964  # standard deviations to each end of a 95 % interval
MIN_POWER = 1e-3  # sum of J² below which the answers of a bin say nothing


@dataclass(frozen=True)
class AnnotatorAccuracies:
    """Sensitivity and specificity of W annotators, and the answers on which they rest."""

    sensitivity: Floats  # (W,) chance of "yes" where the truth is yes, in [0, 1]
    specificity: Floats  # (W,) chance of "no" where the truth is no
    positives: Floats  # (W,) answers on which the sensitivity rests; inf: it is known exactly
    negatives: Floats  # (W,) those on which the specificity rests


@dataclass(frozen=True)
class Reliability:
    """Mean confidence and accuracy of n labels, with a 95 % interval of the accuracy."""

    n: int
    confidence: float  # .5 … 1
    accuracy: float  # estimated by answers, it may by chance lie beyond 0 or 1
    low: float  # 0 … 1
    high: float


@dataclass(frozen=True)
class Bin:
    """Labels of a confidence from `at_least` to below `below` (1 is in the last bin)."""

    at_least: float
    below: float
    reliability: Reliability


@dataclass(frozen=True)
class Calibration:
    """The reliability of n labels: of all, and by confidence in bins, without the empty ones."""

    whole: Reliability
    bins: tuple[Bin, ...]
    ece: float  # expected calibration error: mean |confidence - accuracy| over bins, by their n
    chance: float  # what the error would be on average if accuracy were confidence in each bin
    brier: float  # mean of (p - truth)²


def by_truth(
    probability: npt.ArrayLike, truth: npt.ArrayLike, *, edges: Sequence[float] = EDGES
) -> Calibration | None:
    """Return the calibration of n probabilities of yes against n known truths; None for n = 0."""
    oracle = AnnotatorAccuracies(np.ones(1), np.ones(1), np.full(1, np.inf), np.full(1, np.inf))
    annotator = np.zeros(np.shape(truth), np.intp)
    return by_answers(probability, truth, annotator, oracle, edges=edges)


def by_answers(
    probability: npt.ArrayLike,
    answer: npt.ArrayLike,
    annotator: npt.ArrayLike,
    accuracies: AnnotatorAccuracies,
    *,
    question: npt.ArrayLike | None = None,
    edges: Sequence[float] = EDGES,
) -> Calibration | None:
    """Return the calibration of n probabilities of yes against one answer each.

    probability: (n,) of yes before the answer was given, of questions that were chosen neither for
        their probability nor for their annotator.
    answer: (n,) yes or no.
    annotator: (n,) index into `accuracies`.
    question: (n,) equal where answers are about the same question; all different without it.

    Intervals hold sampling error and the uncertainty of the accuracies. Returns None without
    answers, or where all annotators answer at random. Raises ValueError for columns of different
    length and for probabilities beyond [0, 1].
    """
    answers = _Answers.of(probability, answer, annotator, accuracies, question)
    if not answers.n or answers.power.sum() < MIN_POWER:
        return None
    place = np.searchsorted(np.asarray(edges)[1:-1], answers.confidence, side="right")
    bins, gaps, noise = [], [], []
    for number, (at_least, below) in enumerate(pairwise(edges)):
        part = answers.only(place == number)
        if part.n and part.power.sum() >= MIN_POWER:
            reliability, deviation = part.reliability(accuracies)
            bins.append(Bin(at_least, below, reliability))
            gaps.append(abs(reliability.confidence - reliability.accuracy))
            noise.append(deviation)
    sizes = np.array([each.reliability.n for each in bins])
    return Calibration(
        whole=answers.reliability(accuracies)[0],
        bins=tuple(bins),
        ece=float(sizes @ gaps / sizes.sum()),
        chance=float(np.sqrt(2 / np.pi) * sizes @ noise / sizes.sum()),
        brier=answers.brier(),
    )


@dataclass(frozen=True)
class _Answers:
    """n answers, each a test of one label."""

    probability: Floats  # (n,) of yes
    confidence: Floats  # (n,) of the label
    label: npt.NDArray[np.bool_]  # (n,)
    agrees: Floats  # (n,) 1 where the answer agrees with the label
    base: Floats  # (n,) c0, the chance of agreeing where the label is wrong
    youden: Floats  # (n,) J
    annotator: Ints  # (n,)
    question: Ints  # (n,)

    @classmethod
    def of(
        cls,
        probability: npt.ArrayLike,
        answer: npt.ArrayLike,
        annotator: npt.ArrayLike,
        accuracies: AnnotatorAccuracies,
        question: npt.ArrayLike | None,
    ) -> "_Answers":
        yes_probability = np.asarray(probability, np.float64)
        label, yes = yes_probability >= 0.5, np.asarray(answer, bool)
        who = np.asarray(annotator, np.intp)
        asked = np.arange(len(label)) if question is None else np.asarray(question)
        if not len(label) == len(yes) == len(who) == len(asked):
            raise ValueError("probabilities, answers, annotators and questions must be as many")
        if not ((yes_probability >= 0) & (yes_probability <= 1)).all():
            raise ValueError("a probability lies between 0 and 1")
        sensitivity, specificity = accuracies.sensitivity[who], accuracies.specificity[who]
        return cls(
            probability=yes_probability,
            confidence=np.maximum(yes_probability, 1 - yes_probability),
            label=label,
            agrees=(yes == label).astype(np.float64),
            base=np.where(label, 1 - specificity, 1 - sensitivity),
            youden=sensitivity + specificity - 1,
            annotator=who,
            question=np.unique(asked, return_inverse=True)[1].astype(np.intp),
        )

    def only(self, chosen: npt.NDArray[np.bool_]) -> "_Answers":
        return _Answers(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    @property
    def n(self) -> int:
        return len(self.agrees)

    @property
    def power(self) -> Floats:
        """(n,) the weight J² of each answer."""
        return self.youden**2

    def reliability(self, accuracies: AnnotatorAccuracies) -> tuple[Reliability, float]:
        """Return the reliability, and the standard error if accuracy were confidence."""
        total = self.power.sum()
        accuracy = float(self.youden @ (self.agrees - self.base) / total)
        confidence = float(self.power @ self.confidence / total)
        variance = (self._sampling_variance() + self._annotator_variance(accuracies)) / total**2
        low, high = _interval(accuracy, variance)
        calibrated = np.array([1, confidence, confidence**2]) @ variance
        error = float(np.sqrt(max(calibrated, 0.0)))
        return Reliability(self.n, confidence, accuracy, low, high), error

    def _sampling_variance(self) -> Floats:
        """Return the variance of Σ J (r - c0) as a polynomial (3,) in the accuracy.

        An answer agrees with the chance c0 + J · accuracy; answers to a question share its truth.
        """
        j, base = self.youden, self.base
        by_question = np.bincount(self.question, self.power)
        shared = (by_question**2).sum() - (j**4).sum()
        return np.array(
            [
                (j**2 * base * (1 - base)).sum(),
                (j**3 * (1 - 2 * base)).sum() + shared,
                -(j**4).sum() - shared,
            ]
        )

    def _annotator_variance(self, accuracies: AnnotatorAccuracies) -> Floats:
        """Return the same (3,) of the accuracies: Beta variances, by the delta method."""
        size = len(accuracies.sensitivity)
        yes = np.bincount(self.annotator, self.youden * self.label, size)
        no = np.bincount(self.annotator, self.youden * ~self.label, size)
        both = yes + no
        polynomial = np.zeros(3)
        for rate, rests_on, slope in (
            (accuracies.sensitivity, accuracies.positives, no),
            (accuracies.specificity, accuracies.negatives, yes),
        ):
            variance = rate * (1 - rate) / (rests_on + 1)
            polynomial += np.array(
                [variance @ slope**2, -2 * variance @ (slope * both), variance @ both**2]
            )
        return polynomial

    def brier(self) -> float:
        """Return the mean of (p - truth)² = p² + truth · (1 - 2p), with truth as estimated."""
        p, label = self.probability, self.label
        right = self.youden * (self.agrees - self.base)  # J² times the estimate that it is right
        yes = np.where(label, right, self.power - right)  # J² times the estimate of the truth
        return float((self.power * p**2 + yes * (1 - 2 * p)).sum() / self.power.sum())


def _interval(accuracy: float, variance: Floats) -> tuple[float, float]:
    """Return the ends of all s in [0, 1] with (accuracy - s)² ≤ Z² · variance(s).

    For known truths it is E. B. Wilson's score interval (1927).
    """
    constant, linear, square = Z**2 * variance
    a, b, c = 1 - square, -2 * accuracy - linear, accuracy**2 - constant
    discriminant = b * b - 4 * a * c
    if a <= 0 or discriminant < 0:
        return 0.0, 1.0
    ends = (-b + np.array([-1.0, 1.0]) * np.sqrt(discriminant)) / (2 * a)
    low, high = ends.clip(0, 1).tolist()
    return low, high
