"""Reliability diagrams of aggregators, and their figures.

python tests/benchmarks/calibration.py FOLDER [--picture FILE.svg]

FOLDER holds a folder a set, with answers.csv (task,worker,label) and truth.csv (task,label). Tasks
of all sets are taken together by tenths of confidence; each set has the same weight, and a dot the
more area the more tasks it stands for.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import crowds
import drawing
import numpy as np
from crowds import Crowd, Floats
from drawing import Axis, Panel

from labeling.aggregation import aggregate

LARGEST = 9.0  # radius of a dot that stands for everything
TICKS = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]


def main() -> int:
    parser = argparse.ArgumentParser(description="A reliability diagram.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--picture", type=Path, help="where to draw it, as SVG")
    args = parser.parse_args()
    sets = [crowds.read(folder) for folder in crowds.folders(args.folder)]
    if not sets:
        print(f"No folder in {args.folder} holds answers.csv and truth.csv.", file=sys.stderr)
        return 2
    bins = {name: _bins(sets, method) for name, method in METHODS.items()}
    _print(bins)
    if args.picture:
        panels = [_panel(name, *parts) for name, parts in bins.items()]
        drawing.save(args.picture, panels, len(panels), "How often labels are right, by confidence")
    return 0


def _majority(crowd: Crowd) -> Floats:
    """Shares of the votes with half a vote more for each class."""
    k = len(crowd.classes)
    votes = np.bincount(crowd.task * k + crowd.label, minlength=(crowd.task.max() + 1) * k)
    shares = votes.reshape(-1, k) + 0.5
    smoothed: Floats = shares / shares.sum(1, keepdims=True)
    return smoothed


def _dawid_skene(crowd: Crowd) -> Floats:
    shape = crowd.task.max() + 1, crowd.worker.max() + 1, len(crowd.classes)
    return crowds.dawid_skene(crowd.task, crowd.worker, crowd.label, shape)


def _ours(crowd: Crowd) -> Floats:
    classes = range(len(crowd.classes))
    return aggregate(crowd.task, crowd.worker, crowd.label, classes=classes).posterior


METHODS: dict[str, Callable[[Crowd], Floats]] = {
    "vote shares": _majority,
    "Dawid-Skene": _dawid_skene,
    "this product": _ours,
}


def _bins(sets: list[Crowd], method: Callable[[Crowd], Floats]) -> tuple[Floats, Floats, Floats]:
    """By tenth of confidence: share of tasks, mean confidence, share right."""
    parts = []
    for crowd in sets:
        found = np.stack(crowds.reliability(method(crowd)[crowd.known], crowd.truth))
        parts.append(found / len(crowd.truth))
    weight, confidence, hits = np.mean(parts, axis=0)
    with np.errstate(invalid="ignore"):
        return weight, confidence / weight, hits / weight


def _print(bins: dict[str, tuple[Floats, Floats, Floats]]) -> None:
    print("| confidence | " + " | ".join(f"{name}: right (of tasks)" for name in bins) + " |")
    print("|---|" + "---:|" * len(bins))
    for tenth in range(crowds.BINS):
        cells = [
            f"{hits[tenth]:.3f} ({weight[tenth]:.0%})" if weight[tenth] > 0 else "–"
            for weight, _, hits in bins.values()
        ]
        if any(cell != "–" for cell in cells):
            print(f"| {tenth / 10:.1f} to {(tenth + 1) / 10:.1f} | " + " | ".join(cells) + " |")


def _panel(name: str, weight: Floats, confidence: Floats, hits: Floats) -> Panel:
    full = np.flatnonzero(weight > 0)
    return Panel(
        name,
        Axis("confidence", 0, 1, TICKS),
        Axis("accuracy", 0, 1, TICKS),
        {name: [(confidence[i], hits[i]) for i in full]},
        {name: [(confidence[i], hits[i], LARGEST * weight[i] ** 0.5 + 1.5) for i in full]},
        guides=[[(0, 0), (1, 1)]],
    )


if __name__ == "__main__":
    sys.exit(main())
