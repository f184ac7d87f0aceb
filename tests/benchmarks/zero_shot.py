"""What is known of pictures before anybody has answered, by the frozen encoders alone.

    .venv/bin/python -m tests.benchmarks.zero_shot [--cifar FOLDER] [--pictures 60] [--clip]

The demo: its gold pictures (one in six, by lot), of which no text is known; average precision of
its concepts among them, with the other pictures' names and keywords and without any text. CIFAR-10:
so many test pictures of each class, which have no text at all; top-1 by the highest log-odds, the
classes' prevalences being alike. FOLDER holds `test.zip`, members `test/cat/0000.jpg`. With --clip,
the recipe `clip` is trained on the demo's other pictures by its preset `cpu`, and predicts the gold
ones: by the concept's name alone, and by probes on what is true of the others.
"""

import argparse
import tempfile
import time
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import torch

from config.demo_project import concepts, emoji, fetch
from config.demo_project.concepts import Rule
from config.demo_project.emoji import Emoji
from training.engine.data.rows import Row, Snapshot
from training.engine.encoders.specs import default_spec, load_text_encoder
from training.engine.evaluation import zero_shot
from training.engine.evaluation.calibration import calibrate
from training.engine.evaluation.clips import average_precision, concept_predictions
from training.engine.evaluation.zero_shot import Subjects
from training.engine.loop.loop import Loop
from training.engine.recipes import configure
from training.engine.recipes.base import Source
from training.engine.recipes.clip import ClipTraining

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
GOLD = 6  # of the demo's pictures one in so many is gold


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cifar", type=Path, help="a folder with test.zip")
    parser.add_argument("--pictures", type=int, default=60, help="of each of CIFAR-10's classes")
    parser.add_argument("--cache", type=Path, help="a folder that keeps what was seen")
    parser.add_argument("--clip", action="store_true", help="train a clip on frozen encoders")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        cache = options.cache or Path(name) / "cache"
        print("| pictures | texts | figure | value |\n|---|---|---|---|")
        for texts in (True, False):
            value = demo(Path(name), cache, texts=texts)
            told = "of the other 1,461" if texts else "none"
            print(f"| demo, 292 gold | {told} | mean AP of 41 concepts | {value:.3f} |", flush=True)
        if options.clip:
            for what, value in clip(cache).items():
                print(f"| demo, 292 gold | of the other 1,461 | {what} | {value:.3f} |", flush=True)
        if options.cifar:
            value = cifar(options.cifar, Path(name), cache, options.pictures)
            print(f"| CIFAR-10, {10 * options.pictures} | none | top-1 | {value:.3f} |")


def demo(work: Path, cache: Path, *, texts: bool) -> float:
    """Return the mean average precision of the demo's concepts among its gold pictures."""
    fetch.fetch()
    emojis, rules = emoji.load(), concepts.load()
    gold = Random("gold: captions").sample(range(len(emojis)), k=len(emojis) // GOLD)
    truth = [[rule.truth(each) for rule in rules] for each in emojis]
    shares = [np.mean([row[column] is True for row in truth]) for column in range(len(rules))]
    subjects = Subjects(
        tiles={row: (each.path, None) for row, each in enumerate(emojis)},
        texts={
            row: [each.caption, *each.keywords]
            for row, each in enumerate(emojis)
            if texts and row not in set(gold)
        },
        concepts={
            column: (rule.phrase, float(share))
            for column, (rule, share) in enumerate(zip(rules, shares, strict=True))
        },
    )
    log_odds = predicted(subjects, work, cache)
    precisions = [
        average_precision(
            torch.tensor(
                [float(log_odds[column, row]) for row in gold if known(truth, row, column)]
            ),
            torch.tensor([truth[row][column] is True for row in gold if known(truth, row, column)]),
        )
        for column in range(len(rules))
        if any(truth[row][column] is True for row in gold)
    ]
    return float(np.mean(precisions))


def gold_apart(rows: Sequence[Row], gold: set[int], rules: Sequence[Rule], cache: Path) -> Snapshot:
    """Return the demo as a snapshot whose held-out pictures are the gold ones, by number."""
    return Snapshot(
        folder=cache,
        concepts=tuple(rule.phrase for rule in rules),
        train=tuple(row for number, row in enumerate(rows) if number not in gold),
        test=tuple(row for number, row in enumerate(rows) if number in gold),
        digest="demo, its gold apart",
    )


def clip(cache: Path) -> dict[str, float]:
    """Return the mean average precision of a trained clip among the gold pictures, and its time."""
    emojis, rules = emoji.load(), concepts.load()
    gold = set(Random("gold: captions").sample(range(len(emojis)), k=len(emojis) // GOLD))
    rows = [row_of(each, rules) for each in emojis]
    snapshot = gold_apart(rows, gold, rules, cache)
    settings = configure("clip", "cpu", {})
    started = time.process_time()
    training = ClipTraining(settings, Source(snapshot, cache, seed=0))
    loop = Loop(training, settings, seed=0)
    while not loop.finished:
        loop.advance()
    took = time.process_time() - started
    training.model.network.load_state_dict(loop.ema.network.state_dict())
    trained = training.model.finished("benchmark")
    unlabelled = replace(snapshot, train=tuple(replace(row, concepts={}) for row in snapshot.train))
    figures = {}
    for name, taught in (("clip, by the name", unlabelled), ("clip, by probes", snapshot)):
        calibration = calibrate(trained, replace(taught, test=()), cache)
        figures[f"mean AP of 41 concepts, {name}"] = float(
            np.mean(
                [
                    average_precision(each.probability, each.shown)
                    for each in concept_predictions(trained, calibration, snapshot, cache)
                ]
            )
        )
    return {**figures, "core-seconds of training": took}


def row_of(each: Emoji, rules: Sequence[Rule]) -> Row:
    """Return a picture of the demo as a snapshot has it, with what is true of it."""
    truths = {rule.phrase: rule.truth(each) for rule in rules}
    return Row(
        path=each.path,
        captions=((each.caption, 0.95),),
        tags=each.keywords,
        concepts={
            name: 0.98 if truth else 0.02 for name, truth in truths.items() if truth is not None
        },
    )


def known(truth: Sequence[Sequence[bool | None]], row: int, column: int) -> bool:
    return truth[row][column] is not None


def cifar(folder: Path, work: Path, cache: Path, count: int) -> float:
    """Return the share of pictures whose own class has the highest log-odds."""
    tiles = {}
    with zipfile.ZipFile(folder / "test.zip") as archive:
        for label, name in enumerate(CLASSES):
            for number in range(count):
                path = work / f"{name}-{number:04d}.jpg"
                path.write_bytes(archive.read(f"test/{name}/{number:04d}.jpg"))
                tiles[label * count + number] = path, None
    about = {
        label: (f"an {name}" if name.startswith("a") else f"a {name}", 1 / len(CLASSES))
        for label, name in enumerate(CLASSES)
    }
    log_odds = predicted(Subjects(tiles=tiles, concepts=about), work, cache)
    return float((log_odds.argmax(0) == np.arange(len(tiles)) // count).mean())


def predicted(subjects: Subjects, work: Path, cache: Path) -> np.ndarray:
    """Return the log-odds (C, T)."""
    encoder, file = load_text_encoder(default_spec()), work / "log_odds.npy"
    zero_shot.predict(subjects, encoder, cache, features=work / "features", log_odds=file)
    loaded: np.ndarray = np.load(file)
    return loaded


if __name__ == "__main__":
    main()
