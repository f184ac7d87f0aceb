"""What the answers add up to: Dawid-Skene with a hierarchy of priors over annotators.

A. P. Dawid and A. M. Skene, "Maximum likelihood estimation of observer error-rates using the EM
algorithm", Applied Statistics 28 (1979). The concentrations of the priors are learned by the fixed
point of T. P. Minka, "Estimating a Dirichlet distribution" (2000).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array  # type: ignore[import-untyped]
from scipy.special import digamma, expit, logit  # type: ignore[import-untyped]

from .answers import Answers, Floats, Ints, encode, gold_rows, prior_rows

EXPECTED_ACCURACY = 0.8  # of the crowd, before anything is known about it …
EXPECTED_WEIGHT = 10.0  # … worth so many answers
VOTE_SHARE = 0.5  # weight of the plain votes beside the learned class prior, which alone can drift
CROWD_WEIGHT = 4.0  # pseudo-answers per class for each row of the crowd's confusion matrix
CONCENTRATIONS = 0.5, 200.0  # bounds of what is learned about how alike annotators are
SATURATION = 0.1  # answers to one task are not independent: log-odds L count as L / (1 + .1 L)
DEPENDENCE = 0.1  # chance that all answers to a task are worth no more than a show of hands
LARGEST = 2 * 10**8  # cells of all confusion matrices: 1.6 GB
TIE = 1e-9


@dataclass(frozen=True)
class Aggregate:
    """T tasks, K classes and W workers, each sorted by id."""

    tasks: npt.NDArray[Any]  # (T,) ids
    classes: npt.NDArray[Any]  # (K,) ids
    posterior: Floats  # (T, K) probabilities, rows sum to one
    label: npt.NDArray[Any]  # (T,) the most probable class, by id
    confidence: Floats  # (T,) its probability
    workers: npt.NDArray[Any]  # (W,) ids
    answers: Ints  # (W,) how many answers each worker gave
    confusion: (
        Floats  # (W, K, K) probability of answering [.., .., l] where the truth is [.., k, ..]
    )
    reliability: Floats  # (W,) probability of a right answer, over all tasks


def aggregate(
    task: npt.ArrayLike,
    worker: npt.ArrayLike,
    label: npt.ArrayLike,
    *,
    gold: Mapping[Any, Any] | None = None,
    prior: npt.ArrayLike | Mapping[Any, Sequence[float]] | None = None,
    classes: Sequence[Any] | None = None,
    iterations: int = 20,
) -> Aggregate:
    """Infer the true class of each task from answers, given as three columns of N ids.

    gold: task id → class id; those tasks are clamped. A gold task without answers is left out.
    prior: class probabilities by task, instead of the learned class prior: either (T, K) with
        rows in the order of the sorted task ids, or task id → K numbers for some of the tasks.
    classes: all classes, where the answers may not show each of them; needed with a prior.
    iterations: few by intent, since some data get worse when run to convergence.

    Of several answers of a worker to a task the last one counts; otherwise order does not matter.
    Nor do names, but for a tie in the posterior: then the class with more answers over all tasks
    wins, and after that the first by id. Raises ValueError on columns, gold or priors that do not
    fit together.
    """
    gold = gold or {}
    known = set(np.asarray(task).tolist()) if gold else set()
    gold = {key: value for key, value in gold.items() if key in known}
    answers = encode(task, worker, label, classes=classes, also=list(gold.values()))
    workers, k = len(answers.workers), len(answers.classes)
    if workers * k * k > LARGEST:
        raise ValueError(f"{k} classes times {workers} workers are too many for confusion matrices")
    model = _Model(answers, gold_rows(gold, answers), prior_rows(prior, answers))
    for _ in range(iterations):
        model.m_step()
        model.e_step()
    posterior = model.tempered()
    best = _best(posterior, answers.votes().sum(0))
    truth = model.belief.mean(0)  # (K,)
    return Aggregate(
        tasks=answers.tasks,
        classes=answers.classes,
        posterior=posterior,
        label=answers.classes[best],
        confidence=posterior[np.arange(len(best)), best],
        workers=answers.workers,
        answers=np.bincount(answers.worker, minlength=len(answers.workers)),
        confusion=model.confusion,
        reliability=np.einsum("jkk,k->j", model.confusion, truth),
    )


class _Model:
    """The state of EM: beliefs over tasks, confusion matrices of workers, class prior."""

    def __init__(self, answers: Answers, gold: Floats, prior: Floats) -> None:
        self.shape = len(answers.workers), len(answers.classes)  # W, K
        workers, k = self.shape
        cells = answers.worker * k + answers.label
        ones = np.ones(len(cells))
        size = len(answers.tasks), workers * k
        self.said = csr_array((ones, (answers.task, cells)), shape=size)  # (T, W·K)
        self.votes = answers.votes()  # (T, K)
        self.gold = gold  # (T, K) one-hot rows, or NaN
        self.prior = prior  # (T, K) rows that sum to one, or NaN
        self.concentration = {"ability": 8.0, "row": 8.0}
        self.confusion = np.ones((workers, k, k))
        self.log_prior = np.zeros((1, k))
        self.log_likelihood = np.zeros_like(self.votes)
        start = np.where(np.isnan(prior), 1 / k, prior)
        self.belief = self._clamp(_show_of_hands(self.votes, start))  # (T, K)

    def m_step(self) -> None:
        """Confusion rows, shrunk to the crowd's row shifted by the worker's own ability."""
        workers, k = self.shape
        if k == 1:
            return
        counts = (
            (self.said.T @ self.belief).reshape(workers, k, k).transpose(0, 2, 1)
        )  # truth, said
        right = np.einsum("jkk->j", counts)
        total = counts.sum((1, 2))
        accuracy = _shrunk(right.sum(), total.sum(), EXPECTED_ACCURACY, EXPECTED_WEIGHT)
        crowd = _crowd_confusion(counts.sum(0), accuracy)
        sides = np.stack([right, total - right], 1)
        chances = np.broadcast_to([accuracy, 1 - accuracy], sides.shape)
        weight = self._learned("ability", sides, chances)
        ability = (right + weight * accuracy) / (total + weight)  # (W,)
        expected = _shifted(crowd, ability, accuracy)
        weight = self._learned("row", counts.reshape(-1, k), expected.reshape(-1, k))
        self.confusion = (counts + weight * expected) / (counts.sum(2, keepdims=True) + weight)

    def e_step(self) -> None:
        """Class prior (learned plus half the votes) times the likelihood of the answers."""
        workers, k = self.shape
        votes = self.votes.sum(0) / self.votes.sum()
        share = self.belief.sum(0) + 1 + VOTE_SHARE * len(self.votes) * votes
        prior = np.where(np.isnan(self.prior), share / share.sum(), self.prior)
        table = np.log(self.confusion).transpose(0, 2, 1).reshape(workers * k, k)
        self.log_likelihood = self.said @ table  # (T, K)
        with np.errstate(divide="ignore"):
            self.log_prior = np.log(prior)
        self.belief = self._clamp(_softmax(self.log_prior + self.log_likelihood))

    def tempered(self) -> Floats:
        """The posterior for display, which admits that answers to one task are not independent.

        Evidence saturates, and is mixed with the show of hands. Both rise with each more answer.
        """
        behind = self.log_likelihood.max(1, keepdims=True) - self.log_likelihood
        learned = _softmax(self.log_prior - behind / (1 + SATURATION * behind))
        hands = _show_of_hands(self.votes, np.exp(self.log_prior))
        return self._clamp((1 - DEPENDENCE) * learned + DEPENDENCE * hands)

    def _clamp(self, belief: Floats) -> Floats:
        return np.where(np.isnan(self.gold), belief, self.gold)

    def _learned(self, name: str, counts: Floats, mean: Floats) -> float:
        self.concentration[name] = _concentration(counts, mean, self.concentration[name])
        return self.concentration[name]


def _crowd_confusion(counts: Floats, accuracy: float) -> Floats:
    """Everyone's confusion matrix (K, K), smoothed towards equal errors."""
    k = len(counts)
    base = np.full((k, k), (1 - accuracy) / (k - 1))
    np.fill_diagonal(base, accuracy)
    weight = CROWD_WEIGHT * k
    smoothed: Floats = (counts + weight * base) / (counts.sum(1, keepdims=True) + weight)
    return smoothed


def _shifted(crowd: Floats, ability: Floats, accuracy: float) -> Floats:
    """The crowd's matrix as a worker of that ability would have it: (W, K, K).

    Diagonal: logit d_jk = logit m_kk + logit r_j - logit r. Errors: half the crowd's, half uniform.
    """
    k = len(crowd)
    shift = _logit(ability)[:, None] - _logit(np.asarray(accuracy))
    diagonal = expit(_logit(np.diag(crowd)) + shift)  # (W, K)
    errors = crowd * (1 - np.eye(k)) + 1e-9 * (1 - np.eye(k))
    errors = 0.5 * errors / errors.sum(1, keepdims=True) + 0.5 * (1 - np.eye(k)) / (k - 1)
    rows: Floats = (1 - diagonal)[:, :, None] * errors
    rows[:, np.arange(k), np.arange(k)] = diagonal
    return rows


def _concentration(counts: Floats, mean: Floats, start: float) -> float:
    """Three steps of Minka's fixed point for a Dirichlet of known mean; rows are draws."""
    total = counts.sum(1)
    used = total > 0
    counts, mean, total = counts[used], mean[used], total[used]
    value = start
    for _ in range(3):
        gain = (mean * (digamma(counts + value * mean) - digamma(value * mean))).sum()
        cost = (digamma(total + value) - digamma(value)).sum()
        value = float(np.clip(value * gain / max(cost, 1e-9), *CONCENTRATIONS))
    return value


def _best(posterior: Floats, popularity: Floats) -> Ints:
    ties = posterior >= posterior.max(1, keepdims=True) - TIE
    best: Ints = np.where(ties, popularity, -1.0).argmax(1)
    return best


def _show_of_hands(votes: Floats, prior: Floats) -> Floats:
    shares: Floats = (votes + prior) / (votes.sum(1, keepdims=True) + 1)
    return shares


def _shrunk(hits: float, total: float, mean: float, weight: float) -> float:
    return float((hits + weight * mean) / (total + weight))


def _logit(chance: Floats) -> Floats:
    logits: Floats = logit(np.clip(chance, 1e-4, 1 - 1e-4))
    return logits


def _softmax(scores: Floats) -> Floats:
    powers = np.exp(scores - scores.max(1, keepdims=True))
    shares: Floats = powers / powers.sum(1, keepdims=True)
    return shares
