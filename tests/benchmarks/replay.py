"""Answers of real crowds, replayed one at a time in random order, beside the batch method.

Each answer updates its task and its annotator at once, as in the product. A set of two classes is
one yes/no question a task; of more classes, one question a task and class, whose probabilities are
scaled to a sum of one. Nothing is recomputed in between. Prints Markdown.

python tests/benchmarks/replay.py DATA_FOLDER [SEEDS], which holds a folder a data set with
answers.csv (task,worker,label) and truth.csv (task,label).
"""

import csv
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labeling.aggregation import aggregate, online
from labeling.aggregation.answers import encode

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
HEADER = "| set | batch acc | online acc | batch NLL | online NLL | mean gap |"


def replay(columns: list[Ints], classes: int, order: Ints) -> Floats:
    """(T, K) beliefs after all answers, by the rules of `labeling.answers`."""
    task, worker, label = columns
    asked = [1] if classes == 2 else list(range(classes))
    prior = 1 / classes
    counts = [online.Counts()] * (int(worker.max()) + 1)
    said: dict[tuple[int, int], list[tuple[int, bool]]] = {}
    believed = np.full((int(task.max()) + 1, classes), prior)
    for row in order.tolist():
        one, who = int(task[row]), int(worker[row])
        for c in asked:
            value = bool(label[row] == c)
            heard = said.setdefault((one, c), [])
            others = [online.evidence(counts[other], word) for other, word in heard]
            mine = online.evidence(counts[who], value)
            believed[one, c] = online.shown(prior, [*others, mine])
            counts[who] = online.credit(counts[who], value, online.learned(prior, others))
            heard.append((who, value))
    if classes == 2:
        believed[:, 0] = 1 - believed[:, 1]
    shares: Floats = believed / believed.sum(1, keepdims=True)
    return shares


def measure(folder: Path, seeds: int) -> list[float]:
    """Accuracy and NLL of batch and online, and the mean absolute gap of their posteriors."""
    task, worker, label = _read(folder / "answers.csv")
    names, truths = _read(folder / "truth.csv")
    classes = sorted({*label, *truths})
    answers = encode(task, worker, label, classes=classes)
    columns = [c.astype(np.intp) for c in (answers.task, answers.worker, answers.label)]
    rows = {name: row for row, name in enumerate(answers.tasks.tolist())}
    known = [(rows[t], classes.index(c)) for t, c in zip(names, truths, strict=True) if t in rows]
    at, truth = np.array(known).T
    batch = aggregate(*columns, classes=list(range(len(classes)))).posterior[at]
    figures = []
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(answers.task))
        live = replay(columns, len(classes), order)[at]
        gap = float(np.abs(live - batch).mean())
        (acc, nll), (live_acc, live_nll) = _scores(batch, truth), _scores(live, truth)
        figures.append([acc, live_acc, nll, live_nll, gap])
    mean: list[float] = np.mean(figures, axis=0).tolist()
    return mean


def _scores(posterior: Floats, truth: Ints) -> tuple[float, float]:
    chance = posterior[np.arange(len(truth)), truth].clip(min=1e-12)
    return float((posterior.argmax(1) == truth).mean()), float(-np.log(chance).mean())


def _read(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    return [list(column) for column in zip(*rows[1:], strict=True)]


def main(argv: list[str]) -> int:
    if len(argv) not in (2, 3) or not Path(argv[1]).is_dir():
        print("Name one folder that holds a folder a data set.", file=sys.stderr)
        return 2
    folders = sorted(path.parent for path in Path(argv[1]).glob("*/truth.csv"))
    if not folders:
        print(f"No folder in {argv[1]} holds answers.csv and truth.csv.", file=sys.stderr)
        return 2
    print(HEADER + "\n|---|" + "---:|" * 5)
    table = []
    for folder in folders:
        table.append(measure(folder, int(argv[2]) if len(argv) == 3 else 3))
        print(f"| {folder.name} | " + " | ".join(f"{f:.3f}" for f in table[-1]) + " |", flush=True)
    mean = np.mean(table, axis=0)
    print("| **mean** | " + " | ".join(f"{figure:.3f}" for figure in mean) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
