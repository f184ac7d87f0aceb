"""One answer at a time: what it says about its question, and about the one who gave it.

An annotator is held as four expected counts of the two-coin model (V. C. Raykar et al., "Learning
from crowds", JMLR 11, 2010): sensitivity is the chance of "yes" where the truth is yes,
specificity that of "no" where it is no. An answer is then evidence: a log-likelihood ratio of yes
against no, bounded both ways. A question is believed by what all its answers are worth now.

What is learned from is the plain sum of the evidence; what is shown is tempered, and admits that
the truth of a question may lie between yes and no, as the batch method does.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from scipy.special import betaincinv  # type: ignore[import-untyped]

RIGHT, WRONG = 8.5, 1.5  # the Beta prior of both coins: .85 right, worth ten answers
MEMORY = 200.0  # a coin remembers so many answers: an older one is half forgotten after 140 more
CAP = 3.0  # one answer is worth at most a likelihood ratio of 20 …
REVERSED_CAP = 0.5  # … and that of someone worse than chance at most 1.6, the other way round
TAIL = 0.05  # on each side of the credible interval …
DEVIATIONS = 1.645  # … which is about so many standard deviations
SPLITS = 0.25, 0.5, 0.75  # shares of yes in the truth of a question that is between yes and no
DEPENDENCE = 0.1  # answers to a question are not independent: each more counts less …
ONE = math.log(RIGHT / WRONG)  # … in units of what a newcomer's answer is worth


class Counts(NamedTuple):
    """Expected answers of an annotator by truth and answer, without the prior."""

    tp: float = 0.0  # truth yes, said yes
    fn: float = 0.0  # truth yes, said no
    tn: float = 0.0  # truth no, said no
    fp: float = 0.0  # truth no, said yes

    @property
    def sensitivity(self) -> float:
        return (self.tp + RIGHT) / (self.tp + self.fn + RIGHT + WRONG)

    @property
    def specificity(self) -> float:
        return (self.tn + RIGHT) / (self.tn + self.fp + RIGHT + WRONG)


class Temper(NamedTuple):
    """How far answers are believed when a probability is shown."""

    strength: float = 0.7  # of the evidence of a single answer
    ambiguity: float = 0.1  # how probable a split truth is, before answers, at even odds


USUAL = Temper()  # where nothing was found out yet


def log_odds(probability: float) -> float:
    """Log-odds of a probability, which is kept away from 0 and 1 by a millionth."""
    probability = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(probability / (1 - probability))


def probability(log_odds: float) -> float:
    """The inverse of `log_odds`, for a number of any size."""
    return 0.5 * (1 + math.tanh(log_odds / 2))


def evidence(counts: Counts, answer: bool) -> float:
    """What the answer adds to its question's log-odds.

    It is in [-REVERSED_CAP, CAP] towards the answer: beyond zero an annotator who is more often
    wrong than right speaks for the opposite, but only a little, or lying would be a lever.
    """
    if answer:
        towards = math.log(counts.sensitivity / (1 - counts.specificity))
        return min(max(towards, -REVERSED_CAP), CAP)
    towards = math.log(counts.specificity / (1 - counts.sensitivity))
    return -min(max(towards, -REVERSED_CAP), CAP)


def learned(prior: float, evidence: Sequence[float]) -> float:
    """Probability of "yes" by all the evidence as it is: what annotators are rated by."""
    return probability(log_odds(prior) + math.fsum(evidence))


def shown(prior: float, evidence: Sequence[float], temper: Temper = USUAL) -> float:
    """Probability of "yes" to be believed: in [0, 1], and the prior where there is no evidence.

    States are yes, no and the splits between them, P(state) ∝ w_state · P(answers | state)^τ,
    where τ = strength / (1 + .1 (n - 1)) and n is the evidence in newcomers' answers.
    """
    if not evidence:
        return prior
    count = max(math.fsum(map(abs, evidence)) / ONE, 1.0)
    strength = temper.strength / (1 + DEPENDENCE * (count - 1))
    split = 2 * temper.ambiguity * min(prior, 1 - prior)
    scores = [(0.0, 1 - prior - split / 2, 0.0), (1.0, prior - split / 2, math.fsum(evidence))]
    for share in SPLITS:
        mixed = math.fsum(math.log(share * math.exp(each) + 1 - share) for each in evidence)
        scores.append((share, split / len(SPLITS), mixed))
    most = max(score for _, _, score in scores)
    weights = [(z, w * math.exp(strength * (score - most))) for z, w, score in scores]
    return math.fsum(z * w for z, w in weights) / math.fsum(w for _, w in weights)


def credit(counts: Counts, answer: bool, belief: float) -> Counts:
    """The annotator's counts after an answer, given the probability of "yes" before that answer.

    The answer is shared out between both truths in proportion to their probability with the
    answer counted in, and weighs |2 belief - 1|: nothing is learned about an annotator from a
    question on which nothing is known. On gold the belief is 0 or 1, and the answer counts whole.
    """
    if not 0 <= belief <= 1:
        raise ValueError(f"a belief is a probability, not {belief}")
    weight = abs(2 * belief - 1)
    true = belief
    if 0 < belief < 1:
        true = probability(log_odds(belief) + evidence(counts, answer))
    if answer:
        counts = counts._replace(tp=counts.tp + weight * true, fp=counts.fp + weight * (1 - true))
    else:
        counts = counts._replace(fn=counts.fn + weight * true, tn=counts.tn + weight * (1 - true))
    return remembered(counts)


def remembered(counts: Counts) -> Counts:
    """The counts with both coins worth at most MEMORY answers, in unchanged proportions."""
    yes = min(1.0, MEMORY / max(counts.tp + counts.fn, 1.0))
    no = min(1.0, MEMORY / max(counts.tn + counts.fp, 1.0))
    return Counts(counts.tp * yes, counts.fn * yes, counts.tn * no, counts.fp * no)


def reliability(counts: Counts) -> tuple[float, float, float]:
    """(mean, low, high) of the chance of a right answer where yes and no are equally frequent.

    This is the mean of sensitivity and specificity, so that always saying "no" earns .5. The
    interval holds 90 %, by the Beta distribution with the same mean and variance.
    """
    mean, variance = _moments(counts)
    size = mean * (1 - mean) / variance - 1
    low, high = betaincinv(mean * size, (1 - mean) * size, [TAIL, 1 - TAIL])
    return mean, float(low), float(high)


def at_least(counts: Counts) -> float:
    """What the same chance very probably is at least, nearly the lower end of its interval."""
    mean, variance = _moments(counts)
    return mean - DEVIATIONS * math.sqrt(variance)


def _moments(counts: Counts) -> tuple[float, float]:
    """Mean and variance of that chance."""
    sensitivity, specificity = counts.sensitivity, counts.specificity
    variance = (
        sensitivity * (1 - sensitivity) / (counts.tp + counts.fn + RIGHT + WRONG + 1)
        + specificity * (1 - specificity) / (counts.tn + counts.fp + RIGHT + WRONG + 1)
    ) / 4
    return (sensitivity + specificity) / 2, variance
