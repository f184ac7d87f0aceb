"""Answers that the frozen encoders' predictions save, with answers that people once gave.

python tests/benchmarks/zero_shot_answers.py FOLDER [--photographs N] [--seeds N]

FOLDER holds cifar10/ as for `frugality.py`, and in it test.zip and files_test.csv (task,file). The
simulation is that of `frugality.py`; instead of a classifier taught on CIFAR-10, the model is what
is predicted of the photographs before anybody has answered, without any caption (`zero_shot`).
Probes, which the product fits to answers as they come in, are not simulated.
"""

import argparse
import csv
import sys
import tempfile
import zipfile
from pathlib import Path

import frugality
import numpy as np
import simulation
from crowds import Floats, Ints
from frugality import needed
from scipy.special import expit  # type: ignore[import-untyped]
from simulation import OPEN, Product, Rules
from supplies import Counted

from training.engine.encoders.specs import default_spec, load_text_encoder
from training.engine.evaluation import zero_shot
from training.engine.evaluation.zero_shot import Subjects

CLASSES = "airplane automobile bird cat deer dog frog horse ship truck"
GOAL = 0.95  # label accuracy
SETTLED = 0.9  # share of all questions


def main() -> int:
    parser = argparse.ArgumentParser(description="What zero-shot predictions save.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photographs", type=int, default=1_000, help="of CIFAR-10's test set")
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    counts, truth, tasks = _humans(args.folder / "cifar10", args.photographs)
    probabilities = _predicted(args.folder / "cifar10", tasks)
    top = (probabilities.argmax(1) == truth).mean()
    print(f"{len(truth)} photographs, zero-shot top-1 {top:.3f}\n")
    print(
        f"| answers an item | label accuracy {GOAL:.0%} | {SETTLED:.0%} settled | accuracy then |"
    )
    print("|---|---:|---:|---:|")
    for name, model in (("without a model", None), ("zero-shot", probabilities.reshape(-1))):
        runs = [_measure(counts, truth, model, seed) for seed in range(args.seeds)]
        cells = [f"{value:.2f}" for value in np.mean(runs, axis=0)[:2]]
        print(f"| {name} | {' | '.join(cells)} | {np.mean(runs, axis=0)[2]:.3f} |", flush=True)
    return 0


def _measure(
    counts: Ints, truth: Ints, model: Floats | None, seed: int
) -> tuple[float, float, float]:
    """Return answers an item until labels are right, until questions are settled, and accuracy."""
    supply = Counted(counts, truth, np.random.default_rng(seed))
    size = supply.items * supply.concepts
    draw = np.random.default_rng(1000 + seed)
    product = Product(supply, np.full(size, 1 / supply.concepts), model, Rules(), draw)
    curve = [(0.0, simulation.accuracy(supply, product.posterior))]
    due, idle, settled, accuracy = size // 16, 0, float("nan"), float("nan")
    while idle < 500 and (product.state == OPEN).any():
        went = product.challenge()
        if went is None:
            break
        idle = 0 if went else idle + 1
        if len(product.answers) >= due:
            product.recompute()
            curve.append(simulation._point(product))
            due += size // 16
        if np.isnan(settled) and (product.state != OPEN).mean() >= SETTLED:
            settled, accuracy = simulation._point(product)
    product.recompute()
    curve.append(simulation._point(product))
    return needed(curve, GOAL), settled, accuracy


def _humans(folder: Path, photographs: int) -> tuple[Ints, Ints, list[int]]:
    """Return counts (n, 10), classes (n,) and the tasks of some photographs."""
    humans = np.loadtxt(folder / "human_counts_test.csv", np.intp, delimiter=",", skiprows=1)
    drawn = np.random.default_rng(0).permutation(len(humans))[:photographs]
    return humans[drawn, 1:11], humans[drawn, 11], humans[drawn, 0].tolist()


def _predicted(folder: Path, tasks: list[int]) -> Floats:
    """Return the zero-shot probabilities (n, 10)."""
    with (folder / "files_test.csv").open() as file:
        members = {int(row["task"]): row["file"] for row in csv.DictReader(file)}
    with tempfile.TemporaryDirectory() as name, zipfile.ZipFile(folder / "test.zip") as archive:
        work, subjects = Path(name), Subjects()
        for tile, task in enumerate(tasks):
            path = work / f"{task}.jpg"
            path.write_bytes(archive.read(members[task]))
            subjects.tiles[tile] = path, None
        for concept, word in enumerate(CLASSES.split()):
            subjects.concepts[concept] = f"{'an' if word[0] == 'a' else 'a'} {word}", 0.1
        encoder, file_ = load_text_encoder(default_spec()), work / "log_odds.npy"
        files = {"features": work / "features", "log_odds": file_}
        zero_shot.predict(subjects, encoder, work / "cache", **files)
        log_odds: Floats = np.load(file_).astype(np.float64).T
    return expit(log_odds).clip(frugality.SURE, 1 - frugality.SURE)


if __name__ == "__main__":
    sys.exit(main())
