"""CIFAR-10's photographs, what people said of them, worse crowds, and what all that adds up to."""

import csv
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from labeling.aggregation import aggregate
from labeling.aggregation.with_features import aggregate_with_features
from training.engine.data.pictures import Pixels

NAMES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
LOAD = 200  # answers an annotator

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
Singles = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Crowd:
    """What so many people said of each picture, with errors mixed in up to a share of answers."""

    people: int
    errors: float | None  # None: as they were given

    @property
    def name(self) -> str:
        worse = "" if self.errors is None else f", {self.errors:.0%} wrong"
        return f"{self.people} {'person' if self.people == 1 else 'people'}{worse}"


def photographs(folder: Path, split: str, cache: Path) -> Pixels:
    """Return uint8 (n, 32, 32, 3), in the order of the labels' tasks; decoded once."""
    path = cache / f"{split}.npy"
    if not path.exists():
        with zipfile.ZipFile(folder / f"{split}.zip") as archive:
            pictures = [
                np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGB"))
                for name in files(folder, split)
            ]
        cache.mkdir(parents=True, exist_ok=True)
        np.save(path, np.stack(pictures))
    pixels: Pixels = np.load(path)
    return pixels


def files(folder: Path, split: str) -> list[str]:
    """Return the files in order of tasks: a class's n-th photograph is the n-th of its folder."""
    if split == "test":
        return [row["file"] for row in _rows(folder / "files_test.csv")]
    seen = [0] * len(NAMES)
    files = []
    for row in _rows(folder / "human_labels_train.csv"):
        truth = int(row["truth"])
        files.append(f"train/{NAMES[truth]}/{seen[truth]:04d}.jpg")
        seen[truth] += 1
    return files


def people(folder: Path) -> tuple[Ints, Ints]:
    """Return what three people said of each training photograph (n, 3), and the truth (n,)."""
    rows = _rows(folder / "human_labels_train.csv")
    labels = np.array([[int(row[key]) for key in ("l1", "l2", "l3")] for row in rows])
    return labels, np.array([int(row["truth"]) for row in rows])


def test_truth(folder: Path) -> Ints:
    """Return the true classes (n,) of the held-out photographs."""
    return np.array([int(row["truth"]) for row in _rows(folder / "human_counts_test.csv")])


def answers(crowd: Crowd, labels: Ints, truth: Ints, seed: int) -> tuple[Ints, Ints, Ints]:
    """Return (task, worker, label) of a crowd's answers, each (n · people,).

    The data do not tell who said what: answers are spread at random over annotators. So nobody
    is better than anybody, and errors fall on all alike.
    """
    dice = np.random.default_rng(seed)
    count = len(truth)
    chosen = np.argsort(dice.random(labels.shape), axis=1)[:, : crowd.people]
    answers = np.take_along_axis(labels, chosen, axis=1)
    if crowd.errors is not None:
        wrong = (answers != truth[:, None]).mean()
        slips = (answers == truth[:, None]) & (
            dice.random(answers.shape) < (crowd.errors - wrong) / (1 - wrong)
        )
        other = (answers + dice.integers(1, len(NAMES), answers.shape)) % len(NAMES)
        answers = np.where(slips, other, answers)
    hands = np.argsort(dice.random((count, 4 * crowd.people)), axis=1)[:, : crowd.people]
    groups = max(1, count // LOAD // 4)  # of annotators who saw the same pictures
    worker = dice.integers(groups, size=count)[:, None] * 4 * crowd.people + hands
    task = np.repeat(np.arange(count), crowd.people)
    return task, worker.ravel(), answers.ravel()


def posterior(answers: tuple[Ints, Ints, Ints], features: Singles | None) -> Floats:
    """Aggregate answers to posteriors (n, 10), alone or with a probe on features (n, d)."""
    known = range(len(NAMES))
    if features is None:
        return aggregate(*answers, classes=known).posterior
    return aggregate_with_features(*answers, features, classes=known).posterior


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
