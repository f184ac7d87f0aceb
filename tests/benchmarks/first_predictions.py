"""What the frozen encoder sees of CIFAR-10's test photographs, and what it makes of them.

.venv/bin/python -m tests.benchmarks.first_predictions FOLDER OUT

FOLDER holds test.zip, members `test/cat/0000.jpg`, and files_test.csv (task,file). OUT gets what
the product stores of a project before anybody has answered: features.safetensors and
log_odds.npy, for frugality.py. The tiles are the numbers of the photographs.
"""

import argparse
import csv
import tempfile
import zipfile
from pathlib import Path

from training.engine.encoders.specs import default_spec, load_text_encoder
from training.engine.evaluation import zero_shot
from training.engine.evaluation.zero_shot import Subjects

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def main() -> None:
    """Write the two files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        subjects = Subjects(tiles=_tiles(options.folder, Path(name)), concepts=_concepts())
        pairs = zero_shot.predict(
            subjects,
            load_text_encoder(default_spec()),
            options.out / "cache",
            features=options.out / "features.safetensors",
            log_odds=options.out / "log_odds.npy",
        )
    print(f"{pairs:,} pairs")


def _tiles(folder: Path, work: Path) -> dict[int, tuple[Path, None]]:
    """Unpack the photographs; return them by number."""
    with (
        zipfile.ZipFile(folder / "test.zip") as archive,
        (folder / "files_test.csv").open() as file,
    ):
        return {
            int(row["task"]): (Path(archive.extract(row["file"], work)), None)
            for row in csv.DictReader(file)
        }


def _concepts() -> dict[int, tuple[str, float]]:
    return {
        label: (f"an {name}" if name.startswith("a") else f"a {name}", 1 / len(CLASSES))
        for label, name in enumerate(CLASSES)
    }


if __name__ == "__main__":
    main()
