"""Prototypes of confusion matrices alone, as a peer of ours, which learns two of them as a prior.

J. Chen, J. Feng and S. Zhang, "Understanding the essence: delving into annotator prototype learning
for multi-class annotation aggregation" (2025), by what its abstract says: a few prototypes are
shared by all annotators, who are Dirichlet mixtures of them; each answer comes from one of its
annotator's. Learned by variational inference, in which the prototype of an answer depends on the
truth. Not the authors' program: how they begin and stop, and their constants, may differ.
"""

import numpy as np
from crowds import Crowd, Floats
from scipy.sparse import csr_array  # type: ignore[import-untyped]
from scipy.special import digamma  # type: ignore[import-untyped]

from labeling.aggregation.em import softmax

PROTOTYPES = 5
DIAGONAL, ELSEWHERE = 2.0, 1.0  # pseudo-answers of a prototype's row
ITERATIONS, ENOUGH = 50, 1e-4  # at most; change of a probability at which it ends


def ptbcc(crowd: Crowd, prototypes: int = PROTOTYPES) -> Floats:
    """Return the posterior (T, K) of T tasks, given N answers of W annotators in P prototypes."""
    task, worker, label, k = crowd.task, crowd.worker, crowd.label, len(crowd.classes)
    count, rows = len(task), np.arange(len(task))
    tasks, workers = int(task.max()) + 1, int(worker.max()) + 1
    by_task = csr_array((np.ones(count), (task, rows)), shape=(tasks, count))
    by_worker = csr_array((np.ones(count), (worker, rows)), shape=(workers, count))
    by_label = [np.flatnonzero(label == each) for each in range(k)]
    votes = by_task @ np.eye(k)[label]
    posterior = votes / votes.sum(1, keepdims=True)
    start = _first_mixtures(by_worker @ posterior[task, label], np.bincount(worker), prototypes)
    of_answer = np.repeat(start[worker][:, None], k, 1)  # (N, K, P), given the truth
    pseudo = np.full((k, k), ELSEWHERE) + (DIAGONAL - ELSEWHERE) * np.eye(k)
    for _ in range(ITERATIONS):
        weights = posterior[task][:, :, None] * of_answer
        tables = np.stack([weights[each].sum(0).T for each in by_label], 2) + pseudo  # (P, K, K)
        mixture = by_worker @ weights.sum(1) + 1 / prototypes  # (W, P)
        scores = _expected_log(mixture)[worker][:, None] + _expected_log(tables).T[label]
        top = scores.max(2, keepdims=True)
        of_answer = np.exp(scores - top)
        total = of_answer.sum(2, keepdims=True)
        of_answer /= total
        evidence = (np.log(total) + top)[:, :, 0]  # (N, K)
        found = softmax(_expected_log(posterior.sum(0)[None] + 1) + by_task @ evidence)
        change = np.abs(found - posterior).max()
        posterior = found
        if change < ENOUGH:
            break
    return posterior


def _first_mixtures(agreeing: Floats, answers: Floats, prototypes: int) -> Floats:
    """Return (W, P) mixtures by the rank of how often annotators agree with the votes."""
    ability = (agreeing + 0.5) / (answers + 1)
    rank = ability.argsort(kind="stable").argsort(kind="stable") / len(ability)
    centres = (np.arange(prototypes) + 0.5) / prototypes
    mixtures = np.exp(-(((rank[:, None] - centres) * prototypes) ** 2))
    shares: Floats = mixtures / mixtures.sum(1, keepdims=True)
    return shares


def _expected_log(counts: Floats) -> Floats:
    """Return the expected logarithms of Dirichlet draws, by the last axis."""
    logs: Floats = digamma(counts) - digamma(counts.sum(-1, keepdims=True))
    return logs
