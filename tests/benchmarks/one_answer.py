"""One answer a photograph, where the photograph can be seen: how many labels are right.

    .venv/bin/python -m tests.benchmarks.one_answer CIFAR10 --out FOLDER [--photographs 20000]

CIFAR10 holds train.zip and human_labels_train.csv (CIFAR-10N: three people's labels each). What the
product's frozen encoder sees of the photographs is kept in FOLDER (35 photographs a second on one
core). Beside what people say, the table has what a probe sees that is told the true labels, out of
fold: no probe on these features can be expected to do better.
"""

import argparse
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from labeling.aggregation import aggregate
from labeling.aggregation.probe import cross_val_predict
from labeling.aggregation.with_features import aggregate_with_features
from tests.benchmarks.uncertain_labels.crowds import (
    NAMES,
    Crowd,
    Floats,
    Ints,
    Singles,
    answers,
    files,
    people,
)
from training.engine.encoders.efficientnet import load_efficientnet
from training.engine.encoders.tile_features import see

CROWDS = {
    "one": Crowd(1, None),
    "three": Crowd(3, None),
    "three, 60 % wrong": Crowd(3, 0.6),
    "three, 60 % wrong, agreed": Crowd(3, None),
}
AGREED = "three, 60 % wrong, agreed"
WRONG = 0.6
Answers = tuple[Ints, Ints, Ints]  # task, annotator, label


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path(".data/one-answer"))
    parser.add_argument("--photographs", type=int, default=50_000, help="the first so many")
    parser.add_argument("--crowds", nargs="+", choices=CROWDS, default=[*CROWDS])
    options = parser.parse_args()
    chosen, features = seen(options.folder, options.out, options.photographs)
    labels, truth = (each[chosen] for each in people(options.folder))
    told = cross_val_predict(features, np.eye(len(NAMES))[truth])
    print(f"{len(truth):,} photographs\n")
    print("| answers | by | right | NLL | CPU s |\n|---|---|---:|---:|---:|")
    _print("none", "a probe told the truth", told, truth, 0)
    for name in options.crowds:
        of_crowd = crowd(name, labels, truth)
        for method, posterior, seconds in methods(of_crowd, features, told):
            _print(name, method, posterior, truth, seconds)


def methods(crowd: Answers, features: Singles, told: Floats) -> Iterator[tuple[str, Floats, float]]:
    """Yield the name, the posterior (n, 10) and the seconds of each."""
    votes = np.full(told.shape, 0.5)
    np.add.at(votes, (crowd[0], crowd[2]), 1)
    yield "majority", votes / votes.sum(1, keepdims=True), 0
    known = range(len(NAMES))
    started = time.process_time()
    alone = aggregate(*crowd, classes=known)
    yield "people alone", alone.posterior, time.process_time() - started
    started = time.process_time()
    both = aggregate_with_features(*crowd, features, classes=known)
    yield "people with probes", both.posterior, time.process_time() - started
    best = aggregate(*crowd, classes=known, model_probabilities=told)
    yield "people with a probe told the truth", best.posterior, 0


def crowd(name: str, labels: Ints, truth: Ints) -> Answers:
    """Return a crowd's answers; agreed: those who were made to err about a photograph agree."""
    task, worker, label = answers(CROWDS[name], labels, truth, seed=0)
    if name != AGREED:
        return task, worker, label
    dice = np.random.default_rng(1)
    lie = (truth + dice.integers(1, len(NAMES), len(truth))) % len(NAMES)
    right = label == truth[task]
    slips = right & (dice.random(len(label)) < (WRONG - 1 + right.mean()) / right.mean())
    return task, worker, np.where(slips, lie[task], label)


def seen(folder: Path, out: Path, count: int) -> tuple[Ints, Singles]:
    """Return numbers of photographs, and what the encoder sees of them, as the product does."""
    kept = out / f"seen of {count}.npz"
    if not kept.exists():
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out) as work:
            with zipfile.ZipFile(folder / "train.zip") as archive:
                names = files(folder, "train")[:count]
                tiles = [(Path(archive.extract(name, work)), None) for name in names]
            found = see(tiles, load_efficientnet(), out / "cache", Path(work) / "seen.npy")
            np.savez(kept, photographs=np.arange(len(names)), roots=np.array(found.roots))
    with np.load(kept) as known:
        return known["photographs"], known["roots"].astype(np.float32)


def _print(name: str, method: str, posterior: Floats, truth: Ints, seconds: float) -> None:
    there = posterior[np.arange(len(truth)), truth]
    best = posterior >= posterior.max(1, keepdims=True) - 1e-9
    right = (best[np.arange(len(truth)), truth] / best.sum(1)).mean()
    loss = -np.log(there.clip(1e-9)).mean()
    spent = f"{seconds:.0f}" if seconds else ""
    print(f"| {name} | {method} | {right:.4f} | {loss:.3f} | {spent} |", flush=True)


if __name__ == "__main__":
    main()
