"""A posterior that may be believed: answers to one task are not independent of each other.

L. Kish, "Survey Sampling" (1965): n answers with correlation ρ are worth n / (1 + ρ (n - 1)). Here
ρ is how far annotators err together on the same tasks, beyond what their tables explain, and n is
counted in average answers.
"""

import numpy as np
from scipy.sparse import csr_array  # type: ignore[import-untyped]

from labeling.aggregation.answers import Answers, Floats
from labeling.aggregation.em import Crowd, show_of_hands, softmax
from labeling.aggregation.states import Block

SHARED = 0.25  # many answers to a task are worth 1 / (1 + SHARED) of as many to different tasks
DESIGN = 8.0  # times the correlation: whole tasks mislead more than pairs of answers show
UNSEEN = 10.0  # in units of a pair of coins: how much independence is taken for granted
DEPENDENCE = 0.1  # chance that all answers to a task are worth no more than a show of hands


def error_correlation(crowd: Crowd, answers: Answers) -> float:
    """ρ: the correlation of annotators' errors within tasks, not below zero.

    Compares how often a task's annotators give its class with what their tables expect, by its
    variance, in proportion to the probability of each class.
    """
    k = crowd.shape[1]
    if k == 1:
        return 0.0
    right = np.einsum("jkk->jk", crowd.table[:, :k])  # (W, K)
    variance = right * (1 - right)
    who = csr_array(
        (np.ones(len(answers.task)), (answers.task, answers.worker)),
        shape=(len(answers.tasks), crowd.shape[0]),
    )
    log_table = crowd.log_table()
    excess, most = 0.0, 0.0
    for block in crowd.blocks:
        belief = crowd.belief(block, crowd.log_likelihood(block, log_table))[:, :k]
        belief = belief * (crowd.sizes[block.tasks] > 1)[:, None]
        there = who[block.tasks]
        noise = there @ variance
        beyond = (crowd.votes[block.tasks] - there @ right) ** 2 - noise
        excess += float((belief * beyond).sum())
        most += float((belief * ((there @ np.sqrt(variance)) ** 2 - noise)).sum())
    return max(excess / (most + UNSEEN), 0.0)


def tempered(
    crowd: Crowd, block: Block, likelihood: Floats, correlation: float, truth: Floats | None = None
) -> tuple[Floats, Floats]:
    """(n, K) probabilities of the classes, gold not counted in, and (n,) that the truth is split.

    likelihood: (n, s) as of `Crowd.log_likelihood`. truth: (n, s, K) what the states mean, where
    that differs from task to task.
    """
    k = crowd.shape[1]
    more = np.maximum(_average_answers(crowd, block) - 1, 0)
    worth = 1 / (1 + SHARED * more / (more + 1) + min(DESIGN * correlation, 1) * more)
    prior = crowd.log_prior(block)
    states = softmax(prior + worth[:, None] * likelihood)
    if truth is None:
        classes = states @ crowd.truth[block.columns]
    else:
        classes = np.einsum("ns,nsk->nk", states, truth)
    hands = show_of_hands(crowd.votes[block.tasks], _blank_vote(crowd, block))
    return (1 - DEPENDENCE) * classes + DEPENDENCE * hands, states[:, k:].sum(1)


def _average_answers(crowd: Crowd, block: Block) -> Floats:
    """(n,) how many average answers each task's answers weigh.

    An answer weighs what it adds for the class that it speaks for, against the mean of the others.
    Were they merely counted, one more that says little would weaken those that say much.
    """
    k = crowd.shape[1]
    if k == 1:
        sizes: Floats = crowd.sizes[block.tasks]
        return sizes
    logs = np.log(crowd.table[:, :k])  # (W, truth, answer)
    most = logs.max(1)
    weight = most - (logs.sum(1) - most) / (k - 1)  # (W, answer)
    average = (weight * crowd.given).sum() / crowd.given.sum()
    weights: Floats = block.said @ (weight / average).ravel()
    return weights


def _blank_vote(crowd: Crowd, block: Block) -> Floats:
    """(n, K): how a vote would be cast that knows none of the answers."""
    tasks, k = block.tasks, crowd.shape[1]
    given = crowd.known.prior
    vote = np.full((len(tasks), k), 1 / k)
    if given is not None:
        vote = np.where(np.isnan(given[tasks]), vote, given[tasks])
    if crowd.model_log_ratio is not None:
        vote = vote * np.exp(crowd.model_weight * crowd.model_log_ratio[tasks])
        vote /= vote.sum(1, keepdims=True)
    return vote
