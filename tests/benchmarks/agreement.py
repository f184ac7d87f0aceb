"""How long agreement takes, beside the package `krippendorff`, which tells no interval.

    .venv/bin/python tests/benchmarks/agreement.py

Made-up answers: 70 % are right, the others anything. Prints a Markdown table.
"""

import time
from collections.abc import Callable
from typing import Any

import krippendorff
import numpy as np

from labeling.aggregation import agreement

ANSWERS = 1_000_000
SIZES = [(100_000, 2), (200_000, 10), (50_000, 10), (20_000, 50)]  # (tasks, classes)
WORKERS = 1000


def answers(tasks: int, classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    task, worker = rng.integers(tasks, size=ANSWERS), rng.integers(WORKERS, size=ANSWERS)
    pairs = np.unique(task * WORKERS + worker)
    task, worker = np.divmod(rng.permutation(pairs), WORKERS)
    truth = rng.integers(classes, size=tasks)[task]
    anything = rng.integers(classes, size=len(task))
    return task, worker, np.where(rng.random(len(task)) < 0.7, truth, anything)


def votes(task: np.ndarray, label: np.ndarray, classes: int) -> np.ndarray:
    table = np.zeros((task.max() + 1, classes), np.int64)
    np.add.at(table, (task, label), 1)
    return table


def theirs(votes: np.ndarray, level: str) -> float:
    return float(krippendorff.alpha(value_counts=votes, level_of_measurement=level))


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


def main() -> None:
    print(
        "| tasks | classes | level | alpha (interval) | seconds | krippendorff: alpha | seconds |"
    )
    print("|---|---|---|---|---|---|---|")
    for tasks, classes in SIZES:
        task, worker, label = answers(tasks, classes)
        table = votes(task, label, classes)
        for level in ("nominal", "ordinal"):
            ours, found = timed(lambda: agreement(task, worker, label, level=level))  # noqa: B023
            other, alpha = timed(lambda: theirs(table, level))  # noqa: B023
            interval = f"{found.alpha:.4f} ({found.low:.4f} to {found.high:.4f})"
            print(
                f"| {tasks:,} | {classes} | {level} | {interval} | {ours:.2f} |"
                f" {alpha:.4f} | {other:.2f} |"
            )


if __name__ == "__main__":
    main()
