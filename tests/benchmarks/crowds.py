"""Sets of real answers with known truths: how they are read, how probabilities are scored.

A set is a folder with answers.csv (task,worker,label) and truth.csv (task,label). Of several
answers of a worker to a task the last one counts, for every method alike.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array  # type: ignore[import-untyped]

from labeling.aggregation.answers import encode

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

LEAST = 1e-12  # probabilities are clipped to it before their logarithm is taken
TIE = 1e-9
BINS = 10


@dataclass(frozen=True)
class Crowd:
    """N answers by index into the sorted T tasks, W workers and K classes."""

    name: str
    task: Ints  # (N,)
    worker: Ints  # (N,)
    label: Ints  # (N,)
    classes: list[str]  # K
    known: Ints  # tasks that have answers and whose truth is known
    truth: Ints  # their classes


def read(folder: Path) -> Crowd:
    task, worker, label = _columns(folder / "answers.csv", ("task", "worker", "label"))
    names, truths = _columns(folder / "truth.csv", ("task", "label"))
    classes = sorted({*label, *truths})
    answers = encode(task, worker, label, classes=classes)
    rows = {name: row for row, name in enumerate(answers.tasks.tolist())}
    known = {
        rows[name]: classes.index(c) for name, c in zip(names, truths, strict=True) if name in rows
    }
    return Crowd(
        name=folder.name,
        task=answers.task,
        worker=answers.worker,
        label=answers.label,
        classes=classes,
        known=np.array(list(known), np.intp),
        truth=np.array(list(known.values()), np.intp),
    )


def folders(path: Path) -> list[Path]:
    """Those in the folder that hold a set."""
    return sorted(found.parent for found in path.glob("*/truth.csv"))


def right(posterior: Floats, truth: Ints) -> Floats:
    """Whether the most probable class is the true one; among n equals it is worth 1/n: (T,)."""
    best = posterior >= posterior.max(1, keepdims=True) - TIE
    hits: Floats = best[np.arange(len(truth)), truth] / best.sum(1)
    return hits


def surprise(posterior: Floats, truth: Ints) -> float:
    """Mean negative log-likelihood of the truth, in nats a task."""
    return float(-np.log(posterior[np.arange(len(truth)), truth].clip(min=LEAST)).mean())


def calibration_error(posterior: Floats, truth: Ints) -> float:
    """Of the most probable class, over ten bins of equal width."""
    count, confidence, hits = reliability(posterior, truth)
    return float(np.abs(confidence - hits).sum() / count.sum())


def reliability(posterior: Floats, truth: Ints) -> tuple[Floats, Floats, Floats]:
    """By tenth of confidence: tasks, and the sums of their confidence and of what was right."""
    confidence = posterior.max(1)
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    columns = np.ones(len(truth)), confidence, right(posterior, truth)
    count, confidence, hits = (np.bincount(bins, column, BINS) for column in columns)
    return count, confidence, hits


def dawid_skene(
    task: Ints, worker: Ints, label: Ints, shape: tuple[int, int, int], iterations: int = 100
) -> Floats:
    """Plain Dawid-Skene by EM from the majority: (T, K); shape is (T, W, K).

    As in crowd-kit: no priors on annotators, until the likelihood gains less than 1e-5 an answer.
    """
    tasks, workers, k = shape
    cells = csr_array((np.ones(len(task)), (task, worker * k + label)), shape=(tasks, workers * k))
    votes = np.bincount(task * k + label, minlength=tasks * k).reshape(tasks, k)
    asked = votes.sum(1) > 0
    posterior = votes / votes.sum(1, keepdims=True).clip(min=1)
    prior = posterior[asked].mean(0)
    bound = -np.inf
    for _ in range(iterations):
        counts = (
            (cells.T @ posterior).reshape(workers, k, k).clip(min=1e-10)
        )  # worker, answer, truth
        table = np.log(counts / counts.sum(1, keepdims=True)).reshape(workers * k, k)
        scores = np.log(prior.clip(min=1e-10)) + cells @ table
        top = scores.max(1, keepdims=True)
        posterior = np.exp(scores - top)
        total = posterior.sum(1, keepdims=True)
        posterior /= total
        prior = posterior[asked].mean(0)
        new = float((np.log(total) + top)[asked].sum()) / len(task)
        if new - bound < 1e-5:
            break
        bound = new
    return posterior


def _columns(path: Path, names: tuple[str, ...]) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [[row[name] for row in rows] for name in names]
