"""Who errs together: copies of one program, which are worth one annotator and not many.

Annotators of whom little is known each, such as the visitors of a site, are told apart by which
known questions they get wrong. A mixture: most err on their own, at each question's rate; the
members of a cluster err at rates of the cluster's own, which are near 0 or 1 for copies of one
program. Clusters are sought one after the other, each from a question on that is got wrong
surprisingly often, and kept where the evidence for them (the integrated likelihood) is clear.

The answers of a cluster's members that say the same about a question count together as Kish's
design effect has it: n with error correlation ρ are worth n / (1 + ρ (n - 1)).

Mixtures of this form: P. F. Lazarsfeld and N. W. Henry, "Latent Structure Analysis" (1968); the
integrated likelihood: C. Biernacki et al., IEEE PAMI 22 (2000); L. Kish, "Survey Sampling" (1965).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import betaln  # type: ignore[import-untyped]

MOST, TRIES = 6, 10  # clusters, and questions from which one is sought
ITERATIONS = 12  # of EM for each
LEAST_ERRORS = 3.0  # about a question, beyond what is usual, from which a cluster is sought
GAIN = 10.0  # nats of evidence that a cluster must add
FITTED_BY = 20_000  # annotators by which clusters are found; the others join the likeliest
# Beta priors of the error rate of a question, in answers: on their own around the mean rate, and
# in a cluster, where most rates are near 0 or 1.
OWN, CLUSTERED = 10.0, 0.5
USUAL_ERRORS, MEAN_WEIGHT = 0.05, 20.0  # the prior of a mean rate, and its weight in answers
EDGE = 0.01  # distance that rates keep from 0 and 1

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Index = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Clusters:
    """M clusters of W annotators who err together."""

    membership: Floats  # (W, M) probabilities; whoever is in none errs on their own
    correlation: Floats  # (M,) of errors about the same question, 0 … 1


@dataclass(frozen=True)
class _Answers:
    """N answers of W annotators to Q known questions."""

    annotator: Index  # (N,) below W
    question: Index  # (N,) below Q
    wrong: Bools  # (N,)
    annotators: int
    questions: int

    def tally(self, member: Floats) -> tuple[Floats, Floats, float]:
        """Return (Q,) wrong answers and all answers of members (W,), and their mean error rate."""
        weight = member[self.annotator]
        wrong = np.bincount(self.question, weight * self.wrong, self.questions)
        total = np.bincount(self.question, weight, self.questions)
        prior = MEAN_WEIGHT * USUAL_ERRORS
        return (
            wrong.astype(np.float64),
            total.astype(np.float64),
            float((wrong.sum() + prior) / (total.sum() + MEAN_WEIGHT)),
        )

    def of(self, chosen: Bools) -> "_Answers":
        """Return those of the annotators (W,) that are chosen."""
        kept = chosen[self.annotator]
        number = np.cumsum(chosen) - 1
        columns = number[self.annotator[kept]], self.question[kept], self.wrong[kept]
        return _Answers(*columns, int(chosen.sum()), self.questions)


def find(
    annotator: Index, question: Index, wrong: Bools, *, annotators: int, questions: int
) -> Clusters:
    """Return the clusters of those who err together.

    annotator, question, wrong: (N,) of the answers whose truth is known; below `annotators` and
    `questions`.
    """
    everybody = _Answers(annotator, question, wrong, annotators, questions)
    chosen = np.zeros(annotators, bool)
    chosen[np.random.default_rng(0).permutation(annotators)[:FITTED_BY]] = True
    answers = everybody.of(chosen)
    member = np.ones((answers.annotators, 1))  # the first column: on their own
    evidence = _evidence(answers, member)
    tried = np.zeros(questions, bool)
    while member.shape[1] <= MOST and tried.sum() < TRIES:
        start = _start(answers, member[:, 0], tried)
        if start is None:
            break
        found = np.column_stack([member, start])
        for _ in range(ITERATIONS):
            found = _expected(answers, *_rates(answers, found))
        gained = _evidence(answers, found)
        if gained > evidence + GAIN:
            member, evidence = found, gained
    membership = _expected(everybody, *_rates(answers, member))[:, 1:]
    return Clusters(
        membership, np.array([_correlation(answers, column) for column in member.T[1:]])
    )


def discount(clusters: Clusters, annotator: Index, question: Index, value: Bools) -> Floats:
    """Return (N,) what each answer weighs beside those that say the same, in its clusters."""
    alike = 2 * question + value
    others = np.zeros(len(annotator))
    for column, correlation in zip(clusters.membership.T, clusters.correlation, strict=True):
        member = column[annotator]
        others += correlation * member * (np.bincount(alike, member)[alike] - member)
    weights: Floats = 1 / (1 + others)
    return weights


def beside_model(clusters: Clusters, annotator: Index, model: int, agrees: Bools) -> Floats:
    """Return (N,) what each answer adds to a prior that has the model's word in it already.

    model: its place among the annotators. agrees: (N,) whether the answer says what it does. Those
    who err as the model does are the model: by them it must not be believed twice.
    """
    both = clusters.correlation * clusters.membership[model] * clusters.membership
    weights: Floats = np.where(agrees, 1 - both.sum(1)[annotator], 1.0)
    return weights


def _start(answers: _Answers, own: Floats, tried: Bools) -> Floats | None:
    """Return (W,) those on their own who got the question wrong with most surprising errors.

    Each question is tried once. None where too few got any wrong.
    """
    wrong, total, mean = answers.tally(own)
    surprise = np.where(tried, 0.0, wrong - total * mean)
    if not len(surprise) or surprise.max() < LEAST_ERRORS:
        return None
    question = int(surprise.argmax())
    tried[question] = True
    start = np.zeros(answers.annotators)
    err = answers.annotator[(answers.question == question) & answers.wrong]
    start[err] = own[err]
    return start


def _rates(answers: _Answers, member: Floats) -> tuple[Floats, Floats]:
    """Return (1 + M, Q) the error rates and (1 + M,) the shares of members (W, 1 + M)."""
    rates = np.empty((member.shape[1], answers.questions))
    for place, column in enumerate(member.T):
        wrong, total, mean = answers.tally(column)
        size = CLUSTERED if place else OWN
        rates[place] = (wrong + size * mean) / (total + size)
    shares = (member.sum(0) + 1) / (answers.annotators + member.shape[1])
    return rates.clip(EDGE, 1 - EDGE), shares


def _expected(answers: _Answers, rates: Floats, shares: Floats) -> Floats:
    """Return (W, 1 + M) the probabilities of each place by its rates and shares."""
    logs = np.empty((answers.annotators, len(shares)))
    for place, rate in enumerate(rates):
        log = np.where(answers.wrong, *np.log([rate, 1 - rate])[:, answers.question])
        logs[:, place] = np.bincount(answers.annotator, log, answers.annotators)
    logs += np.log(shares)
    member = np.exp(logs - logs.max(1, keepdims=True))
    normed: Floats = member / member.sum(1, keepdims=True)
    return normed


def _evidence(answers: _Answers, member: Floats) -> float:
    """Return the integrated log-likelihood with everybody in their most probable place."""
    place = member.argmax(1)
    counts = np.bincount(place, minlength=member.shape[1])
    evidence = float((counts * np.log(counts.clip(1) / max(len(place), 1))).sum())
    for column in range(member.shape[1]):
        wrong, total, mean = answers.tally((place == column).astype(np.float64))
        size = CLUSTERED if column else OWN
        a, b = size * mean, size * (1 - mean)
        evidence += float((betaln(a + wrong, b + total - wrong) - betaln(a, b)).sum())
    return evidence


def _correlation(answers: _Answers, member: Floats) -> float:
    """Return the correlation of two members' errors about the same question."""
    wrong, total, mean = answers.tally(member)
    pairs = (total * (total - 1)).clip(0)
    both = (wrong * (wrong - 1)).clip(0)
    if not pairs.sum():
        return 0.0
    covariance = both.sum() / pairs.sum() - mean**2
    return float(np.clip(covariance / (mean * (1 - mean)), 0, 1))
