"""Whether a first clip model takes the place of the frozen encoder's predictions, on the demo.

    .venv/bin/python -m tests.benchmarks.first_clip [--cache FOLDER]

The demo's gold pictures (one in six, by lot) are held out. The encoder predicts them by the other
pictures' names and keywords; a clip is trained on the others by each preset, and told what is true
of them, or not. Both are compared as `python -m training compare` does.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
from scipy.special import expit

from config.demo_project import concepts, emoji, fetch
from tests.benchmarks.zero_shot import GOLD, gold_apart, predicted, row_of
from training.engine.data.rows import Snapshot
from training.engine.encoders.clip import Clip
from training.engine.evaluation.calibration import calibrate
from training.engine.evaluation.clips import concept_predictions
from training.engine.evaluation.compare_clips import Standing, beside
from training.engine.evaluation.zero_shot import Subjects
from training.engine.loop.loop import Loop
from training.engine.recipes import configure
from training.engine.recipes.base import Source
from training.engine.recipes.clip import ClipTraining


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, help="a folder that keeps what was seen")
    options = parser.parse_args()
    fetch.fetch()
    with tempfile.TemporaryDirectory() as name:
        cache = options.cache or Path(name) / "cache"
        snapshot, standing = prepared(Path(name), cache)
        unlabelled = tuple(replace(row, concepts={}) for row in snapshot.train)
        print("| preset | told what is true | clip | encoder | so it is |\n|---|---|---|---|---|")
        for preset in ("smoke", "cpu"):
            clip = trained(snapshot, preset, cache)
            for told, rows in (("yes", snapshot.train), ("no", unlabelled)):
                calibration = calibrate(clip, replace(snapshot, train=rows), cache)
                predictions = concept_predictions(clip, calibration, snapshot, cache)
                (judgement,) = beside(standing, predictions, snapshot)
                figures = f"{judgement.new:.3f} | {judgement.current:.3f}"
                print(f"| {preset} | {told} | {figures} | {judgement.says} |", flush=True)


def prepared(work: Path, cache: Path) -> tuple[Snapshot, Standing]:
    """Return the demo with its gold held out, and what the encoder predicts of that."""
    emojis, rules = emoji.load(), concepts.load()
    gold = set(Random("gold: captions").sample(range(len(emojis)), k=len(emojis) // GOLD))
    rows = [row_of(each, rules) for each in emojis]
    truth = [[rule.truth(each) for rule in rules] for each in emojis]
    subjects = Subjects(
        tiles={number: (each.path, None) for number, each in enumerate(emojis)},
        texts={
            number: [each.caption, *each.keywords]
            for number, each in enumerate(emojis)
            if number not in gold
        },
        concepts={
            column: (rule.phrase, float(np.mean([of_row[column] is True for of_row in truth])))
            for column, rule in enumerate(rules)
        },
    )
    probability = expit(predicted(subjects, work, cache).astype(np.float64))
    pairs = {
        rows[number].path.name: {
            rule.phrase: float(probability[column, number])
            for column, rule in enumerate(rules)
            if truth[number][column] is not None
        }
        for number in gold
    }
    return gold_apart(rows, gold, rules, cache), Standing(pairs)


def trained(snapshot: Snapshot, preset: str, cache: Path) -> Clip:
    """Return a clip after all steps of a preset."""
    settings = configure("clip", preset, {})
    training = ClipTraining(settings, Source(snapshot, cache, seed=0))
    loop = Loop(training, settings, seed=0)
    while not loop.finished:
        loop.advance()
    training.model.network.load_state_dict(loop.ema.network.state_dict())
    return training.model.finished(f"benchmark {preset}")


if __name__ == "__main__":
    main()
