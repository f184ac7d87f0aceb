"""Online truth inference for yes-or-no questions: update one question and one annotator per answer.

The two-coin model of V. C. Raykar et al., "Learning from crowds", JMLR 11 (2010). An annotator is
four expected counts of a confusion matrix: sensitivity is the chance of "yes" where the truth is
yes, specificity that of "no" where it is no. An answer is evidence: a log-likelihood ratio of yes
to no, bounded on both sides. A question's posterior is always computed from all its answers, each
with the present counts of its annotator.

There are two posteriors. Annotators are rated by the untempered one, the plain sum of the
evidence. The tempered one is shown and decides when a question settles: it allows for correlated
answers and for a truth between yes and no, as the batch method does.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from scipy.special import betaincinv  # type: ignore[import-untyped]

# The Beta prior of sensitivity and specificity: .85 right, worth ten answers.
PRIOR_RIGHT, PRIOR_WRONG = 8.5, 1.5
# Answers per truth that count: after 140 more, an answer weighs half.
MEMORY = 200.0
# Bounds of one answer's evidence in log-odds: a likelihood ratio of 20 towards the answer, and of
# 1.6 away from it for an annotator who is worse than chance.
MAX_EVIDENCE = 3.0
MAX_REVERSED_EVIDENCE = 0.5
# The evidence of a newcomer's answer, in log-odds: the unit in which answers are counted.
NEWCOMER_EVIDENCE = math.log(PRIOR_RIGHT / PRIOR_WRONG)
# Correlation of the answers to one question, as in Kish's design effect.
ANSWER_CORRELATION = 0.1
# Shares of yes in the truth of a question that lies between yes and no.
SPLITS = 0.25, 0.5, 0.75

# Evidence from which on an answer counts as a whole one: of somebody who is right 7 times in 10.
WHOLE_ANSWER = NEWCOMER_EVIDENCE / 2

TAIL = 0.05  # probability on each side of the credible interval of a reliability
DEVIATIONS = 1.645  # standard deviations to its lower end
EDGE = 1e-6  # distance that probabilities keep from 0 and 1 where their log-odds are taken


class ConfusionCounts(NamedTuple):
    """Expected answers of an annotator by truth and answer, without the prior."""

    tp: float = 0.0  # truth yes, answer yes
    fn: float = 0.0  # truth yes, answer no
    tn: float = 0.0  # truth no, answer no
    fp: float = 0.0  # truth no, answer yes

    @property
    def sensitivity(self) -> float:
        return (self.tp + PRIOR_RIGHT) / (self.tp + self.fn + PRIOR_RIGHT + PRIOR_WRONG)

    @property
    def specificity(self) -> float:
        return (self.tn + PRIOR_RIGHT) / (self.tn + self.fp + PRIOR_RIGHT + PRIOR_WRONG)


class Tempering(NamedTuple):
    """How strongly answers count in the tempered posterior."""

    strength: float = 0.7  # exponent of the likelihood of a single answer
    ambiguity: float = 0.1  # prior probability of a split truth, at even odds


DEFAULT_TEMPERING = Tempering()  # before the first recomputation has fitted one


def log_odds(probability: float) -> float:
    """Return the log-odds of a probability in [0, 1], clipped to [EDGE, 1 - EDGE]."""
    probability = min(max(probability, EDGE), 1 - EDGE)
    return math.log(probability / (1 - probability))


def probability(log_odds: float) -> float:
    """Return the probability of any log-odds, in [0, 1]."""
    return 0.5 * (1 + math.tanh(log_odds / 2))


def evidence(counts: ConfusionCounts, answer: bool) -> float:
    """Return what an answer adds to the log-odds of its question.

    Towards the answer it lies in [-MAX_REVERSED_EVIDENCE, MAX_EVIDENCE]. An annotator who is worse
    than chance counts for the opposite, but only a little: else lying would pay.
    """
    if answer:
        towards = math.log(counts.sensitivity / (1 - counts.specificity))
        return min(max(towards, -MAX_REVERSED_EVIDENCE), MAX_EVIDENCE)
    towards = math.log(counts.specificity / (1 - counts.sensitivity))
    return -min(max(towards, -MAX_REVERSED_EVIDENCE), MAX_EVIDENCE)


def right(probability: float, answer: bool) -> float:
    """Return the probability that an answer is right, by that of "yes"."""
    return probability if answer else 1 - probability


def answers_weight(evidence: Sequence[float]) -> float:
    """Return how many answers these are worth: no more than one each, and less where one is weak.

    By the prior alone a question may look certain; answers that say nothing do not confirm it. The
    information of a weak answer grows with the square of its evidence.
    """
    return math.fsum(min((each / WHOLE_ANSWER) ** 2, 1.0) for each in evidence)


def untempered_posterior(prior: float, evidence: Sequence[float]) -> float:
    """Return the probability of "yes" by the plain sum of the evidence."""
    return probability(log_odds(prior) + math.fsum(evidence))


def tempered_posterior(
    prior: float, evidence: Sequence[float], tempering: Tempering = DEFAULT_TEMPERING
) -> float:
    """Return the tempered probability of "yes", in [0, 1]; without evidence, the prior.

    The truth may be yes, no or a split between them: P(truth) ∝ w_truth · P(answers | truth)^τ,
    where τ = strength / (1 + .1 (n - 1)) and n is the evidence in newcomers' answers.
    """
    if not evidence:
        return prior
    prior = min(max(prior, EDGE), 1 - EDGE)
    answers = max(math.fsum(map(abs, evidence)) / NEWCOMER_EVIDENCE, 1.0)
    exponent = tempering.strength / (1 + ANSWER_CORRELATION * (answers - 1))
    split = 2 * tempering.ambiguity * min(prior, 1 - prior)
    # (share of yes, prior weight, log-likelihood less that of "no") of each possible truth
    truths = [(0.0, 1 - prior - split / 2, 0.0), (1.0, prior - split / 2, math.fsum(evidence))]
    for share in SPLITS:
        mixed = math.fsum(math.log(share * math.exp(each) + 1 - share) for each in evidence)
        truths.append((share, split / len(SPLITS), mixed))
    largest = max(likelihood for _, _, likelihood in truths)
    weights = [(z, w * math.exp(exponent * (each - largest))) for z, w, each in truths]
    return math.fsum(z * w for z, w in weights) / math.fsum(w for _, w in weights)


def update_counts(counts: ConfusionCounts, answer: bool, posterior: float) -> ConfusionCounts:
    """Return an annotator's counts after one more answer.

    `posterior` is the probability of yes without that answer. The answer is divided between both
    truths in proportion to their posterior with it, and weighs |2 posterior - 1|: a question about
    which nothing is known teaches nothing about an annotator. On gold the posterior is 0 or 1, and
    the answer counts whole. Raises ValueError where the posterior is not in [0, 1].
    """
    if not 0 <= posterior <= 1:
        raise ValueError(f"a posterior is a probability, not {posterior}")
    weight = abs(2 * posterior - 1)
    yes = posterior
    if 0 < posterior < 1:
        yes = probability(log_odds(posterior) + evidence(counts, answer))
    if answer:
        counts = counts._replace(tp=counts.tp + weight * yes, fp=counts.fp + weight * (1 - yes))
    else:
        counts = counts._replace(fn=counts.fn + weight * yes, tn=counts.tn + weight * (1 - yes))
    return forget(counts)


def forget(counts: ConfusionCounts) -> ConfusionCounts:
    """Return the counts scaled down to at most MEMORY answers per truth."""
    yes = min(1.0, MEMORY / max(counts.tp + counts.fn, 1.0))
    no = min(1.0, MEMORY / max(counts.tn + counts.fp, 1.0))
    return ConfusionCounts(counts.tp * yes, counts.fn * yes, counts.tn * no, counts.fp * no)


def reliability(counts: ConfusionCounts) -> tuple[float, float, float]:
    """Return (mean, low, high) of the mean of sensitivity and specificity, with a 90 % interval.

    It is the chance of a right answer where yes and no are equally frequent, so that always
    answering "no" earns .5. The interval is that of the Beta distribution with the same moments.
    """
    mean, variance = _moments(counts)
    size = mean * (1 - mean) / variance - 1
    low, high = betaincinv(mean * size, (1 - mean) * size, [TAIL, 1 - TAIL])
    return mean, float(low), float(high)


def reliability_lower_bound(counts: ConfusionCounts) -> float:
    """Return nearly the lower end of the interval of `reliability`, by the normal distribution."""
    mean, variance = _moments(counts)
    return mean - DEVIATIONS * math.sqrt(variance)


def _moments(counts: ConfusionCounts) -> tuple[float, float]:
    """Return mean and variance of the mean of sensitivity and specificity."""
    sensitivity, specificity = counts.sensitivity, counts.specificity
    variance = (
        sensitivity * (1 - sensitivity) / (counts.tp + counts.fn + PRIOR_RIGHT + PRIOR_WRONG + 1)
        + specificity * (1 - specificity) / (counts.tn + counts.fp + PRIOR_RIGHT + PRIOR_WRONG + 1)
    ) / 4
    return (sensitivity + specificity) / 2, variance
