"""What a generator makes of uncertain labels: CIFAR-10 with what people said of it.

    python -m tests.benchmarks.uncertain_labels CIFAR10 --out FOLDER [--arms a,b] [--crowds 1,3]

One network (a flow on principal components), equal steps, equal seeds; what differs is what it is
conditioned on. A convolutional judge that was trained on the true labels says which class each
sample shows. Every run's result is kept in FOLDER, so that it goes on where it stopped; the tables
are printed at the end. About half a minute a run on one core, twice that for TDSM; before them
three minutes for the judge, and as many for the features.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is imported

import torch

from tests.benchmarks.uncertain_labels.arms import ARMS, CLEAN, HEADLINE
from tests.benchmarks.uncertain_labels.bench import Bench
from tests.benchmarks.uncertain_labels.crowds import NAMES, Crowd
from tests.benchmarks.uncertain_labels.grid import grid
from tests.benchmarks.uncertain_labels.tables import print_judge, print_labels, print_samples

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
    parser.add_argument("--photographs", type=int, default=20_000, help="to learn from")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--minutes", type=float, help="start no run after that; call it again")
    parser.add_argument("--judge-epochs", type=float, default=5.0)
    parser.add_argument("--crowds", default="3-40")
    parser.add_argument("--arms", default=",".join(HEADLINE))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--grid", type=Path, help="a PNG of samples for the first of the crowds")
    options = parser.parse_args()
    arms = options.arms.split(",")
    if not (options.folder / "human_labels_train.csv").is_file():
        parser.error(f"{options.folder} holds no human_labels_train.csv: name CIFAR-10's folder.")
    if not {*arms} <= {*ARMS} or not {*options.crowds.split(",")} <= {*CROWDS}:
        parser.error(f"Choose from the arms {', '.join(ARMS)} and the crowds {', '.join(CROWDS)}.")
    torch.set_num_threads(options.threads)
    bench = Bench(
        options.folder,
        options.out,
        count=options.photographs,
        steps=options.steps,
        batch=options.batch,
        judge_epochs=options.judge_epochs,
    )
    crowds = [CROWDS[name] for name in options.crowds.split(",")]
    if not carry_out(bench, crowds, arms, options.seeds, options.minutes):
        sys.exit("Some runs are missing: call it again.")
    report(bench, crowds, arms, options.seeds)
    if options.grid:
        shown = {name: bench.shown(name, crowds[0]) for name in (CLEAN, *arms)}
        grid(shown, NAMES).save(options.grid, optimize=True)


def carry_out(
    bench: Bench, crowds: Sequence[Crowd], arms: Sequence[str], seeds: int, minutes: float | None
) -> bool:
    """Carry out what is missing, seed by seed; return whether that is all within the time."""
    until = time.monotonic() + 60 * minutes if minutes else float("inf")
    for seed in range(seeds):
        for crowd in crowds:
            for name in (CLEAN, *arms):
                if time.monotonic() > until:
                    return False
                bench.run(name, crowd, seed)
    return True


def report(bench: Bench, crowds: Sequence[Crowd], arms: Sequence[str], seeds: int) -> None:
    """Print all that was carried out."""
    print_judge(bench.photographs_judged())
    print_labels({crowd.name: bench.posteriors(crowd) for crowd in crowds}, bench.truth)
    for crowd in crowds:
        runs = {
            name: [bench.run(name, crowd, seed) for seed in range(seeds)] for name in (CLEAN, *arms)
        }
        print_samples(crowd.name, runs)


if __name__ == "__main__":
    main()
