"""The design effect of correlated answers: a posterior that is not too sure of itself.

L. Kish, "Survey Sampling" (1965): n answers with correlation ρ are worth n / (1 + ρ (n - 1)). Here
ρ is how far annotators err together on the same tasks, beyond what their tables explain, and n is
counted in average answers.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from labeling.aggregation.answers import Floats
from labeling.aggregation.em import Part, close, smoothed_votes, softmax
from labeling.aggregation.states import Block

SHARED = 0.5  # many answers to a task are worth 1 / (1 + SHARED) of as many to different tasks
DESIGN = 4.0  # factor of the correlation: whole tasks mislead more than pairs of answers show
PRIOR_PAIRS = 10.0  # weight of no correlation before any is seen, in pairs of random answers
VOTE_MIX = 0.1  # share of the plain votes in the posterior


@dataclass(frozen=True)
class Excess:
    """How far annotators err together, summed over pairs of answers to a task."""

    found: float = 0.0  # beyond what their tables explain
    largest: float = 0.0  # if errors were the same

    def __add__(self, other: "Excess") -> "Excess":
        return Excess(self.found + other.found, self.largest + other.largest)

    @property
    def correlation(self) -> float:
        """ρ, the correlation of annotators' errors within tasks, not below zero."""
        return max(self.found / (self.largest + PRIOR_PAIRS), 0.0)


def excess(part: Part) -> Excess:
    """Return how far annotators err together on the tasks of a part.

    Compares how often a task's annotators give its class with what their tables expect, by its
    variance, in proportion to the probability of each class.
    """
    k = part.crowd.shape[1]
    if k == 1:
        return Excess()
    right = np.einsum("jkk->jk", part.crowd.table[:, :k])  # (M, K)
    variance = right * (1 - right)
    # Whatever their answers are, as many as are expected to be right, and how that varies.
    moments = np.concatenate([right, np.sqrt(variance)], 1).repeat(k, 0)  # (M · K, 2 K)
    spread = variance.repeat(k, 0)  # (M · K, K)
    likelihoods = part.likelihoods()

    def of(blocks: Iterable[Block]) -> Excess:
        sums = Excess()
        for block in blocks:
            kind = block.answers.dtype
            posterior = part.posterior(block, likelihoods(block))[:, :k]
            posterior = posterior * (part.sizes[block.tasks] > 1).astype(kind)[:, None]
            expected, deviation = np.split(block.answers @ moments.astype(kind), 2, axis=1)
            squares = block.answers if part.groups.weight is None else block.answers.power(2)
            noise = squares @ spread.astype(kind)
            beyond = (part.votes[block.tasks] - expected) ** 2 - noise
            largest = deviation**2 - noise
            sums += Excess(float((posterior * beyond).sum()), float((posterior * largest).sum()))
        return sums

    return sum(part.in_chains(of), Excess())


def tempered(
    part: Part, block: Block, likelihood: Floats, correlation: float, truth: Floats | None = None
) -> tuple[Floats, Floats]:
    """Return (n, K) probabilities of the classes without gold, and (n,) that the truth is split.

    likelihood: (n, s) as of `Part.likelihoods`.
    correlation: as of `Excess.correlation`.
    truth: (n, s, K) what the states mean, where that differs from task to task.
    """
    k = part.crowd.shape[1]
    more = np.maximum(_effective_answers(part, block) - 1, 0)
    exponent = 1 / (1 + SHARED * more / (more + 1) + min(DESIGN * correlation, 1) * more)
    scores = part.log_prior(block) + exponent.astype(likelihood.dtype)[:, None] * likelihood
    close(scores, block)
    states = softmax(scores)
    if truth is None:
        classes = states @ part.crowd.truth[block.columns].astype(states.dtype)
    else:
        classes = np.einsum("ns,nsk->nk", states, truth)
    classes = classes.astype(np.float64)
    classes /= (classes @ np.ones(k))[:, None]
    votes = smoothed_votes(part.votes[block.tasks], _prior_vote(part, block))
    return (1 - VOTE_MIX) * classes + VOTE_MIX * votes, states[:, k:].sum(1)


def _effective_answers(part: Part, block: Block) -> Floats:
    """Return (n,) how many average answers each task's answers weigh.

    An answer weighs what it adds for the class that it names, against the mean of the others. If
    answers were merely counted, a weak one more would take from the strong ones.
    """
    crowd = part.crowd
    k = crowd.shape[1]
    if k == 1:
        sizes: Floats = part.sizes[block.tasks]
        return sizes
    logs = np.log(crowd.table[:, :k])  # (M, truth, answer)
    largest = logs.max(1)
    weight = largest - (logs.sum(1) - largest) / (k - 1)  # (M, answer)
    average = (weight * crowd.given).sum() / crowd.given.sum()
    relative = (weight / average).astype(block.answers.dtype)
    weights: Floats = block.answers @ relative.ravel()
    return weights


def _prior_vote(part: Part, block: Block) -> Floats:
    """Return (n, K) the vote that prior and model cast without any answer."""
    tasks, k = block.tasks, part.crowd.shape[1]
    prior = part.known.prior
    vote = np.full((len(tasks), k), 1 / k)
    if prior is not None:
        vote = np.where(np.isnan(prior[tasks]), vote, prior[tasks])
    if part.model_log_ratio is not None:
        vote = vote * np.exp(part.crowd.model_weight * part.model_log_ratio[tasks])
        vote /= vote.sum(1, keepdims=True)
    return vote
