r"""A crowd with a model beside the crowd alone, on photographs: accuracy and likelihood of labels.

python tests/benchmarks/crowd_and_model.py FOLDER

FOLDER holds human_counts_test.csv (CIFAR-10H: how many of some fifty people said what of each of
10,000 photographs), model_probabilities_test.csv (a classifier's out-of-sample probabilities),
files_test.csv and test.zip (the photographs). One, two and three answers a photograph are drawn
without replacement. The counts do not tell who said what: answers are spread at random over
annotators of about two hundred answers each, as CIFAR-10H's were. So nobody is better than anybody.

cleanlab is no part of the environment; put it in a folder of its own and name that in PYTHONPATH:

    pip install --no-deps --target LIBRARIES cleanlab==2.9.0 scikit-learn==1.9.1 termcolor \\
        joblib threadpoolctl narwhals pandas tqdm
"""

import csv
import io
import sys
import time
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from crowds import Floats, Ints, right, surprise
from PIL import Image

from labeling.aggregation import aggregate
from labeling.aggregation.with_features import aggregate_with_features

CLASSES = 10
EACH = 1, 2, 3
LOAD = 200  # answers an annotator
SIDE, STEP, WORDS, LOOKED = 6, 2, 200, 30_000  # of the patches that photographs are described by
WIDTH = 384
CAT = 3

Singles = npt.NDArray[np.float32]
Answers = tuple[Ints, Ints, Ints]  # task, worker, label


def main() -> int:
    if len(sys.argv) != 2 or not (Path(sys.argv[1]) / "human_counts_test.csv").is_file():
        print("Name the folder that holds human_counts_test.csv.", file=sys.stderr)
        return 2
    folder = Path(sys.argv[1])
    counts, truth = people(folder)
    model = probabilities(folder)
    features = described(photographs(folder))
    table: dict[str, list[str]] = {}
    for number, each in enumerate(EACH):
        answers = drawn(counts, each)
        for name, posterior, note in methods(answers, model, features):
            cells = table.setdefault(name, ["", ""] * len(EACH))
            if posterior is not None:
                cells[2 * number] = f"{right(posterior, truth).mean():.4f}"
                cells[2 * number + 1] = f"{surprise(posterior, truth):.3f}"
            print(f"{each} {name} {note}", file=sys.stderr)
    heads = [f"{each} {what}" for each in EACH for what in ("accuracy", "NLL")]
    print("| | " + " | ".join(heads) + " |")
    print("|---|" + "---:|" * len(heads))
    for name, cells in table.items():
        print(f"| {name} | " + " | ".join(cells) + " |")
    return 0


def methods(
    answers: Answers, model: Floats, features: Singles
) -> Iterator[tuple[str, Floats | None, str]]:
    """Yield (name, posterior, note) of each method."""
    known: dict[str, Any] = {"classes": range(CLASSES)}
    mixed = np.random.default_rng(1).permutation(model)
    one = np.full(model.shape, 0.001)
    one[:, CAT] = 1 - 0.001 * (CLASSES - 1)
    yield "model alone", model, ""
    votes = np.zeros(model.shape)
    np.add.at(votes, (answers[0], answers[2]), 1)
    yield "majority, half a vote more for each class", _shares(votes + 0.5), ""
    started = time.perf_counter()
    yield "crowd alone", aggregate(*answers, **known).posterior, _since(started)
    for name, probabilities in (
        ("crowd + model", model),
        ("crowd + model, rows shuffled", mixed),
        ("crowd + model that always says cat", one),
    ):
        found = aggregate(*answers, model_probabilities=probabilities, **known)
        yield name, found.posterior, f"weight {found.model_weight:.2f}"
    started = time.perf_counter()
    found = aggregate_with_features(*answers, features, **known)
    note = f"weight {found.model_weight:.2f}, {_since(started)}"
    yield "crowd + probe on the photographs", found.posterior, note
    for name, probabilities in (
        ("CROWDLAB: crowd + model", model),
        ("CROWDLAB, rows shuffled", mixed),
        ("CROWDLAB, always cat", one),
    ):
        started = time.perf_counter()
        yield name, crowdlab(answers, probabilities), _since(started)


def crowdlab(answers: Answers, model: Floats) -> Floats | None:
    """Its consensus posterior; None where cleanlab is missing, or refuses."""
    try:
        from cleanlab import multiannotator  # type: ignore[import-not-found]
    except ImportError:
        print("cleanlab is missing; see the head of this file.", file=sys.stderr)
        return None
    task, worker, label = answers
    wide = np.full((len(model), worker.max() + 1), np.nan)
    wide[task, worker] = label
    kept: list[Floats] = []
    inner = multiannotator._get_post_pred_probs_and_weights  # what it shows is the best class alone

    def keeping(*args: Any, **options: Any) -> Any:
        result = inner(*args, **options)
        kept.append(result[0])
        return result

    multiannotator._get_post_pred_probs_and_weights = keeping
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            multiannotator.get_label_quality_multiannotator(
                wide, model, return_detailed_quality=False, verbose=False
            )
    except Exception as error:
        print(f"cleanlab refuses: {error}", file=sys.stderr)
        return None
    finally:
        multiannotator._get_post_pred_probs_and_weights = inner
    return kept[-1] if np.isfinite(kept[-1]).all() else None


def people(folder: Path) -> tuple[Ints, Ints]:
    """Return (T, K) the number of answers by class, and (T,) the truth."""
    rows = _rows(folder / "human_counts_test.csv")
    counts = np.array([[int(row[f"n{k}"]) for k in range(CLASSES)] for row in rows])
    return counts, np.array([int(row["truth"]) for row in rows])


def probabilities(folder: Path) -> Floats:
    rows = sorted(_rows(folder / "model_probabilities_test.csv"), key=lambda row: int(row["task"]))
    table = np.array([[float(row[f"p{k}"]) for k in range(CLASSES)] for row in rows])
    return _shares(table.clip(min=1e-5))


def drawn(counts: Ints, each: int) -> Answers:
    """So many of a photograph's answers, by people who are drawn at random."""
    dice = np.random.default_rng(each)
    task = np.repeat(np.arange(len(counts)), each)
    label = np.concatenate(
        [dice.choice(np.repeat(np.arange(CLASSES), row), each, replace=False) for row in counts]
    )
    crowd = max(len(task) // LOAD, each)
    worker = np.concatenate([dice.choice(crowd, each, replace=False) for _ in counts])
    return task, worker, label


def photographs(folder: Path) -> npt.NDArray[np.uint8]:
    names = [row["file"] for row in _rows(folder / "files_test.csv")]
    with zipfile.ZipFile(folder / "test.zip") as archive:
        return np.stack(
            [np.asarray(Image.open(io.BytesIO(archive.read(n))).convert("RGB")) for n in names]
        )


def described(pictures: npt.NDArray[np.uint8]) -> Singles:
    """(T, WIDTH): how like typical patches the quarters of each picture are; nothing is trained.

    A. Coates, A. Ng and H. Lee, "An analysis of single-layer networks in unsupervised feature
    learning", AISTATS 2011, with patches in the place of clusters' centres.
    """
    dice = np.random.default_rng(0)
    sample = _patches(pictures[dice.choice(len(pictures), 400, replace=False)]).reshape(-1, 108)
    sample = _contrast(sample[dice.choice(len(sample), LOOKED, replace=False)])
    mean = sample.mean(0)
    powers, axes = np.linalg.eigh(np.cov(sample - mean, rowvar=False))
    whiten = ((axes / np.sqrt(powers + 0.1)) @ axes.T).astype(np.float32)
    words = ((sample - mean) @ whiten)[:WORDS]
    words /= np.linalg.norm(words, axis=1, keepdims=True)
    parts = []
    for start in range(0, len(pictures), 200):
        patches = _patches(pictures[start : start + 200])  # (n, 14, 14, 108)
        like = ((_contrast(patches) - mean) @ whiten) @ words.T
        like = np.maximum(like - like.mean(-1, keepdims=True), 0)
        half = like.shape[1] // 2
        quarters = [
            like[:, rows, columns].sum((1, 2))
            for rows in (slice(None, half), slice(half, None))
            for columns in (slice(None, half), slice(half, None))
        ]
        parts.append(np.concatenate(quarters, 1))
    rows = np.concatenate(parts)
    rows -= rows.mean(0)
    _, axes = np.linalg.eigh(rows.T @ rows)
    found: Singles = (rows @ axes[:, ::-1][:, :WIDTH]).astype(np.float32)
    return found


def _patches(pictures: npt.NDArray[np.uint8]) -> Singles:
    """(n, 14, 14, 108): squares of six pixels, every two pixels."""
    windows = np.lib.stride_tricks.sliding_window_view(pictures, (SIDE, SIDE), (1, 2))
    windows = windows[:, ::STEP, ::STEP]
    return windows.reshape(*windows.shape[:3], -1).astype(np.float32)


def _contrast(patches: Singles) -> Singles:
    spread = np.sqrt(patches.var(-1, keepdims=True) + 10)
    even: Singles = (patches - patches.mean(-1, keepdims=True)) / spread
    return even


def _shares(table: npt.NDArray[Any]) -> Floats:
    shares: Floats = table / table.sum(1, keepdims=True)
    return shares


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _since(started: float) -> str:
    return f"{time.perf_counter() - started:.1f} s"


if __name__ == "__main__":
    sys.exit(main())
