"""What a generator makes of uncertain labels: CIFAR-10 with what people said of it.

    python -m tests.benchmarks.uncertain_labels CIFAR10 --out FOLDER [--arms a,b] [--crowds 1,3]

One network (a flow on principal components), equal steps, equal seeds; what differs is what it is
conditioned on. A convolutional judge that was trained on the true labels says which class each
sample shows. Every run's result is kept in FOLDER, so that it goes on where it stopped; the tables
are printed at the end. About three minutes a run on one core, and eight for the judge before them.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is imported

import torch

from tests.benchmarks.uncertain_labels.arms import ARMS
from tests.benchmarks.uncertain_labels.bench import Bench
from tests.benchmarks.uncertain_labels.crowds import NAMES, Crowd
from tests.benchmarks.uncertain_labels.flow import SAMPLES
from tests.benchmarks.uncertain_labels.grid import grid
from tests.benchmarks.uncertain_labels.tables import (
    CLEAN,
    TYPICAL,
    print_judge,
    print_labels,
    print_samples,
)

CROWDS = {
    "1": Crowd(1, None),
    "3": Crowd(3, None),
    "3-40": Crowd(3, 0.4),
    "3-60": Crowd(3, 0.6),
    "1-40": Crowd(1, 0.4),
    "1-60": Crowd(1, 0.6),
}


def main() -> None:
    """Carry out the runs, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path(".data/uncertain-labels"))
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--judge-epochs", type=float, default=5.0)
    parser.add_argument("--crowds", default="3-40,1,3-60,3")
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--grid", type=Path, help="a PNG of samples for the first of the crowds")
    options = parser.parse_args()
    arms = options.arms.split(",")
    if not (options.folder / "human_labels_train.csv").is_file():
        parser.error(f"{options.folder} holds no human_labels_train.csv: name CIFAR-10's folder.")
    if not {*arms} <= {*ARMS} or not {*options.crowds.split(",")} <= {*CROWDS}:
        parser.error(f"Choose from the arms {', '.join(ARMS)} and the crowds {', '.join(CROWDS)}.")
    torch.set_num_threads(options.threads)
    bench = Bench(options.folder, options.out, options.steps, options.judge_epochs)
    crowds = [CROWDS[name] for name in options.crowds.split(",")]
    report(bench, crowds, arms, options.seeds)
    if options.grid:
        shown = {CLEAN: bench.shown(CLEAN, None)}
        shown |= {name: bench.shown(name, crowds[0]) for name in arms}
        grid(shown, NAMES).save(options.grid, optimize=True)


def report(bench: Bench, crowds: Sequence[Crowd], arms: Sequence[str], seeds: int) -> None:
    """Carry out what is missing, seed by seed, then print all of it."""

    def runs(name: str, crowd: Crowd | None) -> list[dict[str, Any]]:
        return [bench.run(name, crowd, seed) for seed in range(seeds)]

    for seed in range(seeds):
        for name in (CLEAN, TYPICAL):
            bench.run(name, None, seed)
        for crowd in crowds:
            for name in arms:
                bench.run(name, crowd, seed)
    print_judge(bench.photographs_judged())
    print_labels({crowd.name: bench.posteriors(crowd) for crowd in crowds}, bench.truth)
    print_samples(runs, crowds, arms, SAMPLES * len(NAMES))


if __name__ == "__main__":
    main()
