"""CPU seconds of truth inference by the number of annotators, as a Markdown table.

python tests/benchmarks/many_annotators.py [--answers 1000000] [--classes 5] [--annotators N ...]

Five answers a task, by annotators of different skill who all answer equally often; each number has
a process of its own.
"""

import argparse
import multiprocessing
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

PER_TASK = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--answers", type=int, default=1_000_000)
    parser.add_argument("--classes", type=int, default=5)
    parser.add_argument("--annotators", type=int, nargs="+", default=[1_000, 100_000, 1_000_000])
    wanted = parser.parse_args()
    print(
        "| annotators | tables | CPU s | labels that are right |\n|---:|---:|---:|---:|", flush=True
    )
    for annotators in wanted.annotators:
        arguments = wanted.answers, annotators, wanted.classes
        process = multiprocessing.get_context("spawn").Process(target=measure, args=arguments)
        process.start()
        process.join()


def measure(answers: int, annotators: int, classes: int) -> None:
    """Infer once, and print a row."""
    from labeling.aggregation import aggregate

    draw = np.random.default_rng(0)
    truth = draw.integers(0, classes, answers // PER_TASK)
    task = np.repeat(np.arange(len(truth)), PER_TASK)
    worker = draw.permutation(len(task)) % annotators
    right = draw.random(len(task)) < draw.beta(6, 3, annotators)[worker]
    label = np.where(right, truth[task], draw.integers(0, classes, len(task)))
    started = time.process_time()
    found = aggregate(task, worker, label)
    seconds = time.process_time() - started
    share = (found.label == truth).mean()
    print(f"| {annotators:,} | {len(found.tables):,} | {seconds:.1f} | {share:.4f} |", flush=True)


if __name__ == "__main__":
    main()
