"""The design effect of correlated answers: a posterior that is not too sure of itself.

L. Kish, "Survey Sampling" (1965): n answers with correlation ρ are worth n / (1 + ρ (n - 1)). Here
ρ is how far annotators err together on the same tasks, beyond what their tables explain, and n is
counted in average answers.
"""

import numpy as np
from scipy.sparse import csr_array  # type: ignore[import-untyped]

from labeling.aggregation.answers import Answers, Floats
from labeling.aggregation.em import Crowd, smoothed_votes, softmax
from labeling.aggregation.states import Block

SHARED = 0.25  # many answers to a task are worth 1 / (1 + SHARED) of as many to different tasks
DESIGN = 8.0  # factor of the correlation: whole tasks mislead more than pairs of answers show
PRIOR_PAIRS = 10.0  # weight of no correlation before any is seen, in pairs of random answers
VOTE_MIX = 0.1  # share of the plain votes in the posterior


def error_correlation(crowd: Crowd, answers: Answers) -> float:
    """Return ρ, the correlation of annotators' errors within tasks, not below zero.

    Compares how often a task's annotators give its class with what their tables expect, by its
    variance, in proportion to the probability of each class.
    """
    k = crowd.shape[1]
    if k == 1:
        return 0.0
    right = np.einsum("jkk->jk", crowd.table[:, :k])  # (M, K)
    variance = right * (1 - right)
    weight = np.ones(len(answers.task)) if answers.weight is None else answers.weight
    cells = answers.task, crowd.places.of[answers.worker]
    shape = len(answers.tasks), crowd.shape[0]
    incidence, squares = (csr_array((each, cells), shape=shape) for each in (weight, weight**2))
    log_table = crowd.log_table()
    excess, largest = 0.0, 0.0
    for block in crowd.blocks:
        posterior = crowd.posterior(block, crowd.log_likelihood(block, log_table))[:, :k]
        posterior = posterior * (crowd.sizes[block.tasks] > 1)[:, None]
        annotators = incidence[block.tasks]  # (n, M)
        noise = squares[block.tasks] @ variance
        beyond = (crowd.votes[block.tasks] - annotators @ right) ** 2 - noise
        excess += float((posterior * beyond).sum())
        largest += float((posterior * ((annotators @ np.sqrt(variance)) ** 2 - noise)).sum())
    return max(excess / (largest + PRIOR_PAIRS), 0.0)


def tempered(
    crowd: Crowd, block: Block, likelihood: Floats, correlation: float, truth: Floats | None = None
) -> tuple[Floats, Floats]:
    """Return (n, K) probabilities of the classes without gold, and (n,) that the truth is split.

    likelihood: (n, s) as of `Crowd.log_likelihood`.
    correlation: as of `error_correlation`.
    truth: (n, s, K) what the states mean, where that differs from task to task.
    """
    k = crowd.shape[1]
    more = np.maximum(_effective_answers(crowd, block) - 1, 0)
    exponent = 1 / (1 + SHARED * more / (more + 1) + min(DESIGN * correlation, 1) * more)
    states = softmax(crowd.log_prior(block) + exponent[:, None] * likelihood)
    if truth is None:
        classes = states @ crowd.truth[block.columns]
    else:
        classes = np.einsum("ns,nsk->nk", states, truth)
    votes = smoothed_votes(crowd.votes[block.tasks], _prior_vote(crowd, block))
    return (1 - VOTE_MIX) * classes + VOTE_MIX * votes, states[:, k:].sum(1)


def _effective_answers(crowd: Crowd, block: Block) -> Floats:
    """Return (n,) how many average answers each task's answers weigh.

    An answer weighs what it adds for the class that it names, against the mean of the others. If
    answers were merely counted, a weak one more would take from the strong ones.
    """
    k = crowd.shape[1]
    if k == 1:
        sizes: Floats = crowd.sizes[block.tasks]
        return sizes
    logs = np.log(crowd.table[:, :k])  # (M, truth, answer)
    largest = logs.max(1)
    weight = largest - (logs.sum(1) - largest) / (k - 1)  # (M, answer)
    average = (weight * crowd.given).sum() / crowd.given.sum()
    weights: Floats = block.answers @ (weight / average).ravel()
    return weights


def _prior_vote(crowd: Crowd, block: Block) -> Floats:
    """Return (n, K) the vote that prior and model cast without any answer."""
    tasks, k = block.tasks, crowd.shape[1]
    prior = crowd.known.prior
    vote = np.full((len(tasks), k), 1 / k)
    if prior is not None:
        vote = np.where(np.isnan(prior[tasks]), vote, prior[tasks])
    if crowd.model_log_ratio is not None:
        vote = vote * np.exp(crowd.model_weight * crowd.model_log_ratio[tasks])
        vote /= vote.sum(1, keepdims=True)
    return vote
