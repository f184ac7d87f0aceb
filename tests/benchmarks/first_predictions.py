"""What the frozen encoder sees of CIFAR-10's test photographs, and what it makes of them.

.venv/bin/python -m tests.benchmarks.first_predictions FOLDER OUT [--photographs N]

FOLDER holds test.zip, members `test/cat/0000.jpg`, files_test.csv (task,file) and
human_counts_test.csv. OUT gets what the product stores of a project before anybody has answered:
features.safetensors and log_odds.npy, for frugality.py with as many photographs. The tiles are
their places in its draw.
"""

import argparse
import csv
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from training.engine.encoders.specs import default_spec, load_text_encoder
from training.engine.evaluation import zero_shot
from training.engine.evaluation.zero_shot import Subjects

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def main() -> None:
    """Write the two files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--photographs", type=int, default=4_000)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        subjects = Subjects(tiles=_tiles(options, Path(name)), concepts=_concepts())
        pairs = zero_shot.predict(
            subjects,
            load_text_encoder(default_spec()),
            options.out / "cache",
            features=options.out / "features.safetensors",
            log_odds=options.out / "log_odds.npy",
        )
    print(f"{pairs:,} pairs")


def _tiles(options: argparse.Namespace, work: Path) -> dict[int, tuple[Path, None]]:
    """Unpack the photographs that frugality.py draws; return them by their places."""
    with (options.folder / "files_test.csv").open() as file:
        names = {int(row["task"]): row["file"] for row in csv.DictReader(file)}
    counts = options.folder / "human_counts_test.csv"
    tasks = np.loadtxt(counts, np.intp, delimiter=",", skiprows=1, usecols=0)
    drawn = tasks[np.random.default_rng(0).permutation(len(tasks))[: options.photographs]]
    with zipfile.ZipFile(options.folder / "test.zip") as archive:
        return {
            place: (Path(archive.extract(names[task], work)), None)
            for place, task in enumerate(drawn.tolist())
        }


def _concepts() -> dict[int, tuple[str, float]]:
    return {
        label: (f"an {name}" if name.startswith("a") else f"a {name}", 1 / len(CLASSES))
        for label, name in enumerate(CLASSES)
    }


if __name__ == "__main__":
    main()
