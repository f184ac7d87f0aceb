"""What a finished model is worth: each figure with what chance, or real pictures, would reach.

``metrics.json`` is flat. A figure is named ``what@feature model``; beside it stand, where known,

- ``…_low``, ``…_high``: its 5th and 95th percentile;
- ``…_chance``: what features that say nothing would reach;
- ``…_real``: what held-out real pictures reach with the same judge;
- ``…_floor``: of a distance, that of real training pictures.

Of a model that draws: ``r_precision``, ``r_precision_held_out``, ``r_precision_unseen_pairs`` (how
often, of 99 other prompts or of as many as there are, its own suits a picture best),
``unseen_colour`` (of eight colours, the one asked for), ``clip_score`` (100 · max(cos, 0)) and
``cosine``, ``attributes`` (how often a classifier sees the concept asked for), ``kid`` and ``cmmd``
(how far pictures are from held-out real ones), ``density``, ``coverage``; ``nearest_train`` and
``near_copies``; ``nats_per_token`` of held-out pictures where the model says it.
Of a clip model: ``recall@10``, ``caption_among_ten``, ``concept_ap``, ``concept_log_loss``.
"""

import math
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from training import colours, exams, judges
from training.calibration import informed
from training.clip import Spec
from training.data import Pixels, Row, Snapshot, digest, pack
from training.evaluate_clip import evaluate_clip
from training.exams import Exam
from training.feature_models import FeatureModel, choose, resized
from training.files import TrainingError, read_json
from training.judges import Figure, Values
from training.latents import Neighbours
from training.prompts import coloured, named_colour, noun, row_words, text_of, unseen_pairs
from training.recipes import RECIPES, load_drawer
from training.recipes.base import Drawer

NEAR_COPY = 0.5  # of the distance between neighbouring training pictures
ENOUGH = 20  # held-out pictures that a distance needs
PIXELS = 32  # at which colours are looked at

Metrics = dict[str, float]


@runtime_checkable
class Likelihood(Protocol):
    """A model that says how surprising pictures are."""

    def nats(self, pictures: Pixels, prompts: list[str]) -> Tensor:
        """Nats per token (n,) of uint8 pictures (n, size, size, 3)."""


def evaluate(
    folder: Path, snapshot: Snapshot, *, cache: Path, judge: Spec | None = None
) -> Metrics:
    """The metrics of a model folder; raises ``TrainingError`` where it holds no model.

    ``judge`` names an open_clip model; it judges where it did not condition the model.
    """
    about = read_about(folder)
    if about["recipe"] == "clip":
        return evaluate_clip(folder, snapshot, cache)
    return evaluate_drawer(folder, about, snapshot, cache, judge)


def read_about(folder: Path) -> dict[str, Any]:
    """A model folder's ``config.json``; raises ``TrainingError`` where it is none."""
    about = read_json(folder / "config.json")
    if not isinstance(about, dict) or about.get("recipe") not in RECIPES:
        raise TrainingError(f"{folder} is not a model folder.")
    return about


def evaluate_drawer(
    folder: Path, about: dict[str, Any], snapshot: Snapshot, cache: Path, spec: Spec | None
) -> Metrics:
    """Every figure that the snapshot allows of a model that draws."""
    drawer, neighbours = load_drawer(folder), Neighbours.load(folder)
    seed, samples, steps = settings(folder, about)
    judge = choose(snapshot, steps, cache, spec=spec, conditioners=[about.get("clip", {})])
    seeds, prompts = range(seed, seed + samples), [str(p) for p in about["prompts"]] or [""]
    watched = exams.fixed(prompts, seeds)
    pictures = watched.draw(drawer)
    metrics = _copies(pictures, neighbours, snapshot, drawer.size, cache)
    metrics |= _fixed(watched, judge.pictures(pictures), judge, snapshot)
    metrics |= _unseen(exams.of_unseen_pairs(snapshot, prompts, seeds), drawer, judge, snapshot)
    metrics |= _held_out(exams.of_held_out(snapshot, seed, samples), drawer, judge, snapshot)
    metrics |= _concepts(exams.of_concepts(snapshot, seeds), drawer, judge, snapshot)
    return metrics


def settings(folder: Path, about: dict[str, Any]) -> tuple[int, int, int]:
    """A drawing model's seed, pictures a prompt, and steps that its judge is trained for."""
    try:
        network = about["network"]
        found = int(about["seed"]), int(network["samples"]), int(network["judge_steps"])
        list(about["prompts"])
    except (KeyError, TypeError, ValueError):
        raise TrainingError(f"{folder / 'config.json'} does not describe a model.") from None
    return found


def named(name: str, figure: Figure, **beside: float) -> Metrics:
    """A figure and what stands beside it as flat keys, without what is no number."""
    values = {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
    values |= {f"{name}_{key}": value for key, value in beside.items()}
    return {key: float(value) for key, value in values.items() if math.isfinite(value)}


# Copying


def _copies(
    pictures: Pixels, neighbours: Neighbours, snapshot: Snapshot, size: int, cache: Path
) -> Metrics:
    """How near pictures are to training pictures, and how near held-out real pictures are."""
    apart = neighbours.apart()
    distance = neighbours.nearest(pictures, 1)[0][:, 0].double().numpy()
    real: dict[str, float] = {}
    near_real: dict[str, float] = {}
    if snapshot.test:
        rows = snapshot.test[:: -(-len(snapshot.test) // 500)]
        held_out = pack(rows, size, cache, digest(rows))
        away = neighbours.nearest(held_out, 1)[0][:, 0].double().numpy()
        real["real"] = float(np.median(away))
        near_real["real"] = float((away < NEAR_COPY * apart).mean())
    return {
        **named("nearest_train", judges.bootstrap(distance, np.median), apart=apart, **real),
        **named("near_copies", judges.mean(near_copies(distance, apart)), **near_real),
    }


def near_copies(distance: Values, apart: float) -> Values:
    """Which pictures are nearer to a training picture than half of what those are apart."""
    return np.asarray(distance < NEAR_COPY * apart, dtype=np.float64)


# Fitting the text


def _fixed(exam: Exam, images: Tensor, judge: FeatureModel, snapshot: Snapshot) -> Metrics:
    if not exam.telling:
        return {}
    rows, own = exams.shown(snapshot, exam.texts)
    beside = {}
    if rows:
        known = judges.hits(judge.rows(rows), judge.texts(exam.texts), own)
        beside["real_training"] = float(known.mean())
    return _r_precision(exam, images, judge, **beside)


def _r_precision(exam: Exam, images: Tensor, judge: FeatureModel, **beside: float) -> Metrics:
    figure = judges.mean(exam.hits(images, judge))
    name = f"r_precision{exam.name}@{judge.name}"
    return named(name, figure, chance=judges.chance(len(exam.texts)), **beside)


def _unseen(exam: Exam, drawer: Drawer, judge: FeatureModel, snapshot: Snapshot) -> Metrics:
    """Of pairs of a colour and a thing that were never seen together: the pair, and the colour."""
    if not exam.telling:
        return {}
    pictures = exam.draw(drawer)
    images, number = exam.told(judge.pictures(pictures), len(exam.seeds))
    asked = [prompt.split()[1] for prompt in exam.prompts]
    things = [noun(prompt) for prompt in exam.prompts]
    names = [asked[index] for index in number.tolist()]
    by_clip = judges.by_prompt(
        _colour_hits(images, [things[i] for i in number.tolist()], names, judge), number
    )
    by_pixels = judges.by_prompt(_pixel_hits(pictures, names), number)
    chance = 1 / len(colours.PROTOTYPES)
    clip_real, pixels_real = _colour_worth(judge, snapshot)
    return {
        **_r_precision(exam, judge.pictures(pictures), judge),
        **named(
            f"unseen_colour@{judge.name}", judges.mean(by_clip), chance=chance, **clip_real
        ),
        **named("unseen_colour@pixels", judges.mean(by_pixels), chance=chance, **pixels_real),
    }
