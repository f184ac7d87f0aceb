"""Truth inference beside majority vote, as a Markdown table.

python tests/benchmarks/aggregation.py DATA_FOLDER, which holds a folder a data set with answers.csv
(task,worker,label) and truth.csv (task,label).
"""

import csv
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.aggregation import aggregate
from labeling.aggregation.answers import encode

Floats = npt.NDArray[np.float64]
Columns = list[list[str]]


def majority(task: list[str], worker: list[str], label: list[str], classes: list[str]) -> Floats:
    """Shares of the votes with half a vote more for each class: (T, K)."""
    votes = encode(task, worker, label, classes=classes).votes() + 0.5
    shares: Floats = votes / votes.sum(1, keepdims=True)
    return shares


def scores(posterior: Floats, truth: npt.NDArray[np.intp]) -> tuple[float, float, float]:
    """Accuracy, negative log-likelihood (nats a task), calibration error over ten bins."""
    confidence = posterior.max(1)
    right = posterior.argmax(1) == truth
    chance = posterior[np.arange(len(truth)), truth].clip(min=1e-12)
    bins = np.minimum((confidence * 10).astype(int), 9)
    error = np.abs(np.bincount(bins, right, 10) - np.bincount(bins, confidence, 10))
    return float(right.mean()), float(-np.log(chance).mean()), float(error.sum() / len(truth))


def read(path: Path) -> Columns:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    return [list(column) for column in zip(*rows[1:], strict=True)]


def measure(folder: Path) -> list[float]:
    """Accuracy, NLL, ECE and seconds of majority vote, then ours."""
    task, worker, label = read(folder / "answers.csv")
    names, truths = read(folder / "truth.csv")
    classes = sorted({*label, *truths})
    tasks = {name: row for row, name in enumerate(sorted(set(task)))}
    known = [(tasks[t], classes.index(c)) for t, c in zip(names, truths, strict=True) if t in tasks]
    rows, truth = np.array(known).T
    figures: list[float] = []
    for method in (majority, _ours):
        started = time.perf_counter()
        posterior = method(task, worker, label, classes)
        seconds = time.perf_counter() - started
        figures += [*scores(posterior[rows], truth), seconds]
    return figures


def _ours(task: list[str], worker: list[str], label: list[str], classes: list[str]) -> Floats:
    return aggregate(task, worker, label, classes=classes).posterior


def main(argv: list[str]) -> int:
    if len(argv) != 2 or not Path(argv[1]).is_dir():
        print("Name one folder that holds a folder a data set.", file=sys.stderr)
        return 2
    folders = sorted(path.parent for path in Path(argv[1]).glob("*/truth.csv"))
    table: dict[str, Any] = {folder.name: measure(folder) for folder in folders}
    if not table:
        print(f"No folder in {argv[1]} holds answers.csv and truth.csv.", file=sys.stderr)
        return 2
    table["**mean**"] = np.mean(list(table.values()), axis=0).tolist()
    columns = [
        f"{who} {what}" for who in ("majority", "ours") for what in ("acc", "NLL", "ECE", "s")
    ]
    print("| set | " + " | ".join(columns) + " |")
    print("|---|" + "---:|" * len(columns))
    for name, figures in table.items():
        print(f"| {name} | " + " | ".join(f"{figure:.3f}" for figure in figures) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
