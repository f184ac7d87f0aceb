"""How often labels are right, with a 95 % interval: prediction-powered inference.

A few labels are judged, by known truths or by answers of people who err; all state a confidence.
What the judged ones lack or exceed their confidence by corrects the mean confidence of all
(A. N. Angelopoulos et al., "Prediction-powered inference", Science 382, 2023), after the confidence
c was tuned (PPI++, A. N. Angelopoulos, J. C. Duchi and T. Zrnic, arXiv 2311.01453):

    p_b(c) = σ(a · logit c + b)
    accuracy = mean of p_b over the labels + Σ w (right - p_b) over the judged ones

Labels may be judged the more often, the less sure they are (T. Zrnic and E. J. Candès, "Active
statistical inference", ICML 2024). Where chances depend on the label and its confidence alone they
need not be known: each judged label weighs as many labels as it stands for (`_weigh`).

Near 1, and of few labels, ± 1.96 standard errors are too narrow. So the interval holds every
accuracy that a score test does not refuse: with the b whose p_b has that mean, the sum above is
compared with the variance that it then has. With a = 0 it is E. B. Wilson's interval (1927).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit  # type: ignore[import-untyped]

from labeling.aggregation.answers import Floats, Ints
from labeling.aggregation.calibration import AnnotatorAccuracies, Z

LEAST = 20  # judged labels for an interval; and …
LEAST_EACH = 5  # … of a group, without which nothing is said of its labels
CELL, CELLS = 10, 5  # judged labels in a cell of a group, at least; its cells, at most
CHANCE = 5.0  # labels beyond all judged ones that chance leaves, once in 150 samples, in n-ths
NEAR = 0.5  # log-odds between confidences that are about the same
SUREST = 0.999  # confidences beyond are taken for it
LEAST_SURE = 0.01  # and those below for this: of many classes, the likeliest may be unlikely
SLOPE, SLOPE_SPREAD = 0.5, 0.5  # of the prior of a: its mean and standard deviation
SHIFT_SPREAD = 3.0  # of the prior of b, around 0
STEPS, ENOUGH = 30, 1e-4  # of Newton's method, at most; the last one's size
HALVINGS = 22  # of the range in which an end of the interval is sought
FARTHEST = 12.0  # log-odds from the fitted shift, within which ends are sought
BINS = 100  # of confidence, in which labels are summed up
FINE = 0.01  # log-odds of confidence in a row of `Labels.summed`


@dataclass(frozen=True)
class LabelAccuracy:
    """The share of right ones among some labels."""

    labels: int  # of which it speaks
    judged: int  # truths, or answers, that tell
    accuracy: float  # 0 … 1
    low: float  # of its 95 % interval
    high: float


@dataclass(frozen=True)
class Labels:
    """Labels of one kind, or several: they may be of groups that were judged at different rates."""

    confidence: Floats  # (N,) 0 … 1
    group: Ints  # (N,) such as its concept and whether it is a yes
    count: Floats | None = None  # (N,) labels for which each row stands; without it 1

    def __post_init__(self) -> None:
        sizes = {len(self.confidence), len(self.group)}
        sizes |= set() if self.count is None else {len(self.count)}
        if len(sizes) > 1:
            raise ValueError("confidences, groups and counts of labels must be as many")
        if not ((self.confidence >= 0) & (self.confidence <= 1)).all():
            raise ValueError("a confidence lies between 0 and 1")

    def counts(self) -> Floats:
        """Return (N,) how many labels each row stands for."""
        return np.ones(len(self.group)) if self.count is None else self.count

    def summed(self) -> "Labels":
        """Return the same labels, as one row for those of a group of about the same confidence."""
        if not len(self.group):
            return self
        bins = np.floor(_logit(self.confidence) / FINE).astype(np.intp)
        bins -= bins.min()
        width = int(bins.max()) + 1
        keys, row = np.unique(self.group * width + bins, return_inverse=True)
        count = np.bincount(row, self.counts()).astype(np.float64)
        confidence = np.bincount(row, self.counts() * self.confidence) / count
        return Labels(confidence.clip(0, 1), keys // width, count)

    @classmethod
    def joined(cls, parts: Sequence["Labels"]) -> "Labels":
        """Return the labels of all parts."""
        count = np.concatenate([part.counts() for part in parts])
        confidence = np.concatenate([part.confidence for part in parts])
        return cls(confidence, np.concatenate([part.group for part in parts]), count)


@dataclass(frozen=True)
class Judgements:
    """n judgements of labels, whose truth, and their judge, had no part in them.

    labels: (n,) as they were without that; each row is one. agrees: (n,) whether the truth, or an
    answer, is the label. With answers: `yes`, (n,) whether the label is yes, `annotator`, (n,)
    index into `accuracies`, and `question`, (n,) equal where answers are about the same one.
    """

    labels: Labels
    agrees: npt.NDArray[np.bool_]
    yes: npt.NDArray[np.bool_] | None = None
    annotator: Ints | None = None
    accuracies: AnnotatorAccuracies | None = None
    question: Ints | None = None


def estimate(labels: Labels, judgements: Judgements) -> LabelAccuracy | None:
    """Return how often labels are right; None where too few of them were judged.

    labels: those whose truth is not known. Judged labels are to be drawn without regard to their
    truth: at random, or by group and confidence. It speaks of the labels of groups of which
    LEAST_EACH were judged, and of about the same confidences. Raises ValueError for columns of
    different length.
    """
    sample = _Sample.of(labels, judgements)
    if sample is None:
        return None
    slope, shift = sample.fit()
    low, high = sample.interval(slope, shift)
    found = float(np.clip(sample.mean(slope, shift) + sample.excess(slope, shift), low, high))
    return LabelAccuracy(round(sample.size), len(sample.agrees), found, low, high)


@dataclass(frozen=True)
class _Sample:
    """n judgements with their weights, and the confidences of the labels for which they stand."""

    logit: Floats  # (n,) of the confidence
    agrees: Floats  # (n,) 1 where the judgement is the label
    weight: Floats  # (n,) ω
    base: Floats  # (n,) c0, the chance of agreeing with a wrong label
    youden: Floats  # (n,) J; the chance of agreeing is c0 + J · P(right)
    annotators: "_Annotators | None"
    question: Ints  # (n,)
    binned: Floats  # (B,) logits of confidences of all labels; and …
    share: Floats  # (B,) … of the labels have each
    size: float  # labels

    @classmethod
    def of(cls, labels: Labels, judgements: Judgements) -> "_Sample | None":
        judged, n = judgements.labels, len(judgements.agrees)
        if len(judged.confidence) != n:
            raise ValueError("judgements and the labels that they judge must be as many")
        annotators = _Annotators.of(judgements)
        base, youden = (np.zeros(n), np.ones(n)) if annotators is None else annotators.rates()
        weight, rows = _weigh(labels, judged, youden**2)
        used = weight > 0
        if used.sum() < LEAST:
            return None
        count = labels.counts()[rows]
        confidence = labels.confidence[rows]
        binned, share = _histogram(_logit(confidence), count)
        question = np.arange(n) if judgements.question is None else judgements.question
        return cls(
            logit=_logit(judged.confidence)[used],
            agrees=judgements.agrees[used].astype(np.float64),
            weight=weight[used] / count.sum(),
            base=base[used],
            youden=youden[used],
            annotators=annotators and annotators.only(used),
            question=np.unique(question[used], return_inverse=True)[1].astype(np.intp),
            binned=binned,
            share=share,
            size=float(count.sum()),
        )

    def fit(self) -> tuple[float, float]:
        """Return the likeliest slope a and shift b, under their prior, by Fisher scoring."""
        inputs = np.stack([self.logit, np.ones_like(self.logit)])
        centre, precision = np.array([SLOPE, 0.0]), np.array([SLOPE_SPREAD, SHIFT_SPREAD]) ** -2.0
        found = centre
        for _ in range(STEPS):
            right = expit(found @ inputs)
            agree = (self.base + self.youden * right).clip(1e-9, 1 - 1e-9)
            rise = self.youden * right * (1 - right)
            slack = agree * (1 - agree)
            gradient = inputs @ (rise * (self.agrees - agree) / slack)
            information = (inputs * (rise**2 / slack)) @ inputs.T + np.diag(precision)
            step = np.linalg.solve(information, gradient - precision * (found - centre))
            found = found + step.clip(-1, 1)
            if np.abs(step).max() < ENOUGH:
                break
        slope, shift = found.tolist()
        return max(slope, 0.0), shift

    def mean(self, slope: float, shift: float) -> float:
        """Return the mean of p_b over all labels."""
        return float(self.share @ expit(slope * self.binned + shift))

    def excess(self, slope: float, shift: float) -> float:
        """Return how much more often the judged labels are right than p_b says."""
        right = expit(slope * self.logit + shift)
        return float((self.weight * self.youden) @ (self.agrees - self.base - self.youden * right))

    def variance(self, slope: float, shift: float) -> float:
        """Return the variance of the excess if p_b is the chance of being right.

        Of what is judged, of the annotators' accuracies, and of the labels that are not judged.
        """
        right = expit(slope * self.logit + shift)
        agree = self.base + self.youden * right
        weight = self.weight * self.youden
        found = weight**2 @ (agree * (1 - agree))
        squares = weight * self.youden * np.sqrt(right * (1 - right))
        shared = np.bincount(self.question, squares) ** 2
        found += shared.sum() - squares @ squares  # answers to a question share its truth
        if self.annotators is not None:
            found += self.annotators.variance(weight, right)
        others = expit(slope * self.binned + shift)
        return float(found + self.share @ (others * (1 - others)) / self.size)

    def interval(self, slope: float, shift: float) -> tuple[float, float]:
        """Return the ends of the accuracies that the score test does not refuse."""

        def end(side: float) -> float:
            """Return the mean by the farthest shift on that side that is not refused."""
            inside, outside = centre, centre + side * 2 * FARTHEST
            if self._accepts(slope, outside):
                return float(side > 0)
            for _ in range(HALVINGS):
                middle = (inside + outside) / 2
                if self._accepts(slope, middle):
                    inside = middle
                else:
                    outside = middle
            return self.mean(slope, inside)

        centre = self._balanced(slope, shift)
        return end(-1.0), end(1.0)

    def _accepts(self, slope: float, shift: float) -> bool:
        excess = self.excess(slope, shift)
        return excess**2 <= Z**2 * self.variance(slope, shift)

    def _balanced(self, slope: float, shift: float) -> float:
        """Return the shift without excess, as near as there is one: it falls with the shift."""
        low, high = shift - FARTHEST, shift + FARTHEST
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.excess(slope, middle) > 0 else (low, middle)
        return (low + high) / 2


@dataclass(frozen=True)
class _Annotators:
    """Who gave n answers, and how often they are right."""

    index: Ints  # (n,)
    yes: npt.NDArray[np.bool_]  # (n,) the label
    accuracies: AnnotatorAccuracies

    @classmethod
    def of(cls, judgements: Judgements) -> "_Annotators | None":
        index, yes, accuracies = judgements.annotator, judgements.yes, judgements.accuracies
        if index is None or yes is None or accuracies is None:
            return None
        return cls(index, yes, accuracies)

    def only(self, chosen: npt.NDArray[np.bool_]) -> "_Annotators":
        return _Annotators(self.index[chosen], self.yes[chosen], self.accuracies)

    def rates(self) -> tuple[Floats, Floats]:
        """Return (n,) c0 and (n,) J of the answers."""
        sensitivity = self.accuracies.sensitivity[self.index]
        specificity = self.accuracies.specificity[self.index]
        base = np.where(self.yes, 1 - specificity, 1 - sensitivity)
        return base, sensitivity + specificity - 1

    def variance(self, weight: Floats, right: Floats) -> float:
        """Return the variance of Σ weight · agree by what is not known of their accuracies.

        Beta variances, by the delta method; right: (n,) the chances that the labels are right.
        """
        known, size = self.accuracies, len(self.accuracies.sensitivity)
        total = 0.0
        for rate, rests_on, is_hit in (
            (known.sensitivity, known.positives, self.yes),
            (known.specificity, known.negatives, ~self.yes),
        ):
            slope = np.bincount(self.index, weight * np.where(is_hit, right, right - 1), size)
            total += float((rate * (1 - rate) / (rests_on + 1)) @ slope**2)
        return total


def _weigh(labels: Labels, judged: Labels, power: Floats) -> tuple[Floats, Ints]:
    """Return (n,) what each judgement weighs, and which rows of the labels they stand for.

    The judged labels of a group are cut into cells of equally many, by their confidence; together,
    those of a cell weigh as many labels as are in it. power: (n,) J² of each.
    """
    weight, covered = np.zeros(len(power)), np.zeros(len(labels.group), bool)
    count = labels.counts()
    order, of_judged = _by_group(labels.group), _by_group(judged.group)
    for group, own in of_judged.items():
        rows = order.get(group)
        if rows is None or len(own) < LEAST_EACH or not count[rows].sum():
            continue
        rows = rows[_within(labels.confidence[rows], count[rows], judged.confidence[own])]
        edges = _edges(judged.confidence[own])
        places = np.searchsorted(edges, judged.confidence[own], side="right")
        cells = np.searchsorted(edges, labels.confidence[rows], side="right")
        strength = np.bincount(places, power[own], len(edges) + 1)
        if (strength <= 0).any():
            continue
        sizes = np.bincount(cells, count[rows], len(edges) + 1)
        weight[own] = (sizes / strength)[places]
        covered[rows] = True
    return weight, np.flatnonzero(covered)


def _within(confidence: Floats, count: Floats, judged: Floats) -> npt.NDArray[np.bool_]:
    """Return (N,) which labels are of about the confidences of the n that were judged.

    More than CHANCE / n of them do not lie beyond the surest one, nor beyond the least sure one,
    unless labels like those could not be drawn.
    """
    of_labels, of_judged = _logit(confidence), _logit(judged)
    below, above = of_labels < of_judged.min() - NEAR, of_labels > of_judged.max() + NEAR
    most = CHANCE / len(judged) * count.sum()
    inside = np.ones(len(confidence), bool)
    for beyond in (below, above):
        if count[beyond].sum() > most:
            inside &= ~beyond
    return inside


def _by_group(group: Ints) -> dict[int, Ints]:
    """Return by group its rows."""
    order: Ints = np.argsort(group, kind="stable")
    names, starts = np.unique(group[order], return_index=True)
    parts = np.split(order, starts[1:]) if len(order) else []
    return dict(zip(names.tolist(), parts, strict=True))


def _edges(confidence: Floats) -> Floats:
    """Return the confidences at which the cells of n judged labels begin, but for the first."""
    n = len(confidence)
    cells = min(n // CELL, CELLS)
    ordered = np.sort(confidence)
    edges = np.unique(ordered[[n * cell // cells for cell in range(1, cells)]])
    found: Floats = edges[edges > ordered[0]]
    return found


def _logit(confidence: Floats) -> Floats:
    found: Floats = logit(confidence.clip(LEAST_SURE, SUREST))
    return found


def _histogram(values: Floats, count: Floats) -> tuple[Floats, Floats]:
    """Return the mean of the values in up to BINS bins of equal width, and their shares."""
    low, width = values.min(), np.ptp(values) / BINS
    bins = ((values - low) / width).astype(np.intp) if width > 0 else np.zeros(len(values), np.intp)
    counts = np.bincount(bins, count)
    sums = np.bincount(bins, count * values)
    full = counts > 0
    return sums[full] / counts[full], counts[full] / count.sum()
