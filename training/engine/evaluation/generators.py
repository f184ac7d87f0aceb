"""What the pictures that a model draws are worth, each figure by a judge that is named.

- ``r_precision``: how often, of all fixed prompts, a picture's own suits it best;
  ``r_precision_held_out``: of 99 other held-out captions, or as many as there are;
  ``r_precision_unseen_pairs``: of things in colours that no training picture shows them in;
- ``unseen_colour``: of eight colours, the one asked for (``@pixels`` by the pixels alone);
- ``cosine`` of a picture and its held-out caption, ``clip_score`` = 100 · max(cosine, 0);
- ``attributes``: how often a classifier, taught by training pictures, sees the concept asked for;
  its chance is how often it sees it in held-out pictures that do not show it;
- ``kid``, ``cmmd``: how far pictures are from the held-out ones whose captions they were asked
  for; ``density``, ``coverage`` (by the five nearest);
- ``nearest_train``, ``near_copies``: how near the nearest training picture is;
- ``nats_per_token``: how surprising held-out pictures are, where a model says it;
- ``told_from_real@discriminator``: how often a GAN's own discriminator finds a held-out picture
  more real than the one drawn for its caption.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from training.engine.data import colours
from training.engine.data.packing import pack
from training.engine.data.pictures import Pixels, resized
from training.engine.data.prompts import coloured, named_colour
from training.engine.data.rows import Row, Snapshot, digest
from training.engine.encoders.text import Spec
from training.engine.evaluation import metrics as judges
from training.engine.evaluation import prompt_sets
from training.engine.evaluation.calibration import informed
from training.engine.evaluation.judges import FeatureModel, choose
from training.engine.evaluation.metrics import Values, named
from training.engine.evaluation.prompt_sets import PromptSet
from training.engine.files import TrainingError
from training.engine.latents.neighbours import Neighbours
from training.engine.recipes import load_generator
from training.engine.recipes.base import ImageGenerator

NEAR_COPY = 0.5  # of the distance between neighbouring training pictures
ENOUGH = 20  # pictures that a distance needs
FEW = 10  # real pictures that a judge's worth needs
PIXELS = 32  # at which colours are looked at
COLOURS = list(colours.PROTOTYPES)
COMPARED = 128  # pixels; held-out pictures need be no larger to be held against training pictures
AT_MOST = 500  # held-out pictures looked at where all would do

Metrics = dict[str, float]


@runtime_checkable
class Likelihood(Protocol):
    """A model that says how surprising pictures are."""

    @property
    def chance(self) -> float:
        """The nats per token of guessing."""

    def nats_per_token(self, pixels: Pixels, prompts: Sequence[str]) -> Tensor:
        """Of uint8 pictures (n, size, size, 3), so described: (n,)."""


@runtime_checkable
class Discriminator(Protocol):
    """A model that says how real pictures look to it."""

    def score(self, pictures: Pixels, prompts: Sequence[str]) -> Tensor:
        """Of uint8 pictures (n, size, size, 3): (n,), more where they look real."""


def evaluate_generator(
    folder: Path, about: dict[str, Any], snapshot: Snapshot, cache: Path, spec: Spec | None
) -> Metrics:
    """Every figure that the snapshot allows."""
    generator, neighbours = load_generator(folder), Neighbours.load(folder)
    seed, samples, steps = settings(folder, about)
    judge = choose(snapshot, steps, cache, spec=spec, conditioners=[about.get("clip") or {}])
    seeds, prompts = range(seed, seed + samples), list(about["prompts"]) or [""]
    watched, held_out = (
        prompt_sets.fixed(prompts, seeds),
        prompt_sets.of_held_out(snapshot, seed, samples),
    )
    pictures, asked = watched.draw(generator), held_out.draw(generator)
    return {
        **_copies(pictures, neighbours, snapshot, cache),
        **_fixed(watched, pictures, judge, snapshot),
        **_unseen(
            prompt_sets.of_unseen_pairs(snapshot, prompts, seeds), generator, judge, snapshot
        ),
        **_held_out(held_out, judge.pictures(asked), judge, snapshot),
        **_attributes(prompt_sets.of_concepts(snapshot, seeds), generator, judge, snapshot),
        **_own(generator, held_out, asked, cache),
    }


def settings(folder: Path, about: dict[str, Any]) -> tuple[int, int, int]:
    """A model's seed, its pictures a prompt, and the steps that its judge is trained for."""
    try:
        network = about["network"]
        list(about["prompts"])
        return int(about["seed"]), int(network["samples"]), int(network["judge_steps"])
    except (KeyError, TypeError, ValueError):
        raise TrainingError(f"{folder / 'config.json'} does not describe a model.") from None


def _copies(pictures: Pixels, neighbours: Neighbours, snapshot: Snapshot, cache: Path) -> Metrics:
    """Beside what held-out real pictures are from training pictures."""
    apart = neighbours.apart()
    away = distances(pictures, neighbours)
    real: list[dict[str, float]] = [{}, {}]
    if snapshot.test:
        rows = snapshot.test[:: -(-len(snapshot.test) // AT_MOST)]
        size = min(COMPARED, pictures.shape[1])
        held_out = distances(pack(rows, size, cache, digest(rows)), neighbours)
        real = [{"real": float(np.median(held_out))}]
        real.append({"real": float(near_copies(held_out, apart).mean())})
    return {
        **named("nearest_train", judges.bootstrap(away, np.median), **real[0]),
        "nearest_train_apart": apart,
        **named("near_copies", judges.mean(near_copies(away, apart)), **real[1]),
    }


def distances(pictures: Pixels, neighbours: Neighbours) -> Values:
    """To the nearest training picture (n,)."""
    return np.asarray(neighbours.nearest(pictures, 1)[0][:, 0].double().numpy())


def near_copies(distance: Values, apart: float) -> Values:
    """1 for pictures nearer to a training picture than half of what those are apart."""
    return np.asarray(distance < NEAR_COPY * apart, dtype=np.float64)


def _fixed(
    prompt_set: PromptSet, pictures: Pixels, judge: FeatureModel, snapshot: Snapshot
) -> Metrics:
    if not prompt_set.telling:
        return {}
    beside = {}
    rows, own = prompt_sets.shown(snapshot, prompt_set.texts)
    if rows:
        known = judges.hits(judge.rows(rows), judge.texts(prompt_set.texts), own)
        beside["real_training"] = float(known.mean())
    return _r_precision(prompt_set, judge.pictures(pictures), judge, **beside)


def _r_precision(
    prompt_set: PromptSet, images: Tensor, judge: FeatureModel, **beside: float
) -> Metrics:
    figure = judges.mean(prompt_set.hits(images, judge))
    name = f"r_precision{prompt_set.name}@{judge.name}"
    return named(name, figure, chance=judges.chance(len(prompt_set.texts)), **beside)


# Things in colours that nobody saw them in


def _unseen(
    prompt_set: PromptSet, generator: ImageGenerator, judge: FeatureModel, snapshot: Snapshot
) -> Metrics:
    if not prompt_set.telling:
        return {}
    pictures = prompt_set.draw(generator)
    images = judge.pictures(pictures)
    asked = [(p.split()[1], p.split()[2]) for p in prompt_set.prompts for _ in prompt_set.seeds]
    chance = 1 / len(COLOURS)
    found = {judge.name: _clip_hits(images, asked, judge), "pixels": _pixel_hits(pictures, asked)}
    worth = _worth(judge, snapshot)
    metrics = _r_precision(prompt_set, images, judge)
    for name, hits in found.items():
        figure = judges.mean(judges.by_prompt(hits, prompt_set.number))
        metrics |= named(f"unseen_colour@{name}", figure, chance=chance, **worth[name])
    return metrics


def _clip_hits(images: Tensor, asked: list[tuple[str, str]], judge: FeatureModel) -> Values:
    """Whether of a thing in all colours the one asked for suits each picture best (n,)."""
    things = list(dict.fromkeys(thing for _, thing in asked))
    texts = judge.texts([coloured(colour, thing) for thing in things for colour in COLOURS])
    hits = []
    for image, (colour, thing) in zip(images, asked, strict=True):
        start = things.index(thing) * len(COLOURS)
        own = torch.tensor([COLOURS.index(colour)])
        hits.append(judges.hits(image[None], texts[start : start + len(COLOURS)], own)[0])
    return np.array(hits)


def _pixel_hits(pictures: Pixels, asked: list[tuple[str, str]]) -> Values:
    shares = torch.from_numpy(colours.shares(resized(pictures, PIXELS)))
    own = torch.tensor([COLOURS.index(colour) for colour, _ in asked])
    return judges.hits(shares, torch.eye(len(COLOURS)).double(), own)


def _worth(judge: FeatureModel, snapshot: Snapshot) -> dict[str, dict[str, float]]:
    """How often the judges see the colour that a real picture's caption names.

    The judge by pixels was never trained, so that all pictures are new to it.
    """
    test, train = ([row for row in rows if named_colour(row)] for rows in (
        snapshot.test, snapshot.train
    ))  # fmt: skip
    worth: dict[str, dict[str, float]] = {judge.name: {}, "pixels": {}}
    for key, rows in (("real", test), ("real_training", train)):
        if len(rows) >= FEW:
            asked = [(str(named_colour(row)), _thing(row)) for row in rows]
            worth[judge.name][key] = float(_clip_hits(judge.rows(rows), asked, judge).mean())
    both = (test + train)[:AT_MOST]
    if both:
        asked = [(str(named_colour(row)), "") for row in both]
        pictures = pack(both, PIXELS, judge.cache, digest(both))
        worth["pixels"]["real"] = float(_pixel_hits(np.asarray(pictures), asked).mean())
    return worth


def _thing(row: Row) -> str:
    """The caption without its colour."""
    colour = named_colour(row)
    return " ".join(word for word in row.captions[0][0].split() if word.lower() != colour)


# Held-out captions and pictures


def _held_out(
    prompt_set: PromptSet, images: Tensor, judge: FeatureModel, snapshot: Snapshot
) -> Metrics:
    if not prompt_set.rows:
        return {}
    real = judge.rows(prompt_set.rows)
    metrics: Metrics = {}
    if prompt_set.telling:
        worth = float(prompt_set.hits(real, judge).mean())
        metrics |= _r_precision(prompt_set, images, judge, real=worth)
        for name, change in (("cosine", _same), ("clip_score", _score)):
            figure = judges.mean(change(prompt_set.cosines(images, judge)))
            others = float(change(prompt_set.cosines(images, judge, shift=1)).mean())
            known = float(change(prompt_set.cosines(real, judge)).mean())
            metrics |= named(f"{name}@{judge.name}", figure, chance=others, real=known)
    if len(prompt_set.rows) >= ENOUGH:
        floor = judge.rows(prompt_sets.spread(snapshot.train, len(prompt_set.rows)))
        metrics |= _distances(images, real, floor, judge.name)
    return metrics


def _same(cosines: Values) -> Values:
    return cosines


def _score(cosines: Values) -> Values:
    """CLIPScore (arXiv 2104.08718) in per cent, without its factor of 2.5."""
    return np.asarray(100 * cosines.clip(min=0))


def _distances(drawn: Tensor, real: Tensor, training: Tensor, judge: str) -> Metrics:
    metrics = {
        **named(f"kid@{judge}", judges.kid(real, drawn), floor=judges.kid(real, training).value),
        **named(f"cmmd@{judge}", judges.cmmd(real, drawn), floor=judges.cmmd(real, training).value),
    }
    figures = judges.density_and_coverage(real, drawn)
    known = judges.density_and_coverage(real, training)
    for name, figure, like in zip(("density", "coverage"), figures, known, strict=True):
        metrics |= named(f"{name}@{judge}", figure, real_training=like.value)
    return metrics


# Concepts


def _attributes(
    prompt_set: PromptSet, generator: ImageGenerator, judge: FeatureModel, snapshot: Snapshot
) -> Metrics:
    if not prompt_set.prompts:
        return {}
    truth = informed(snapshot.train, prompt_set.prompts)
    weights = judges.classifier(judge.rows(snapshot.train), truth)
    known = informed(snapshot.test, prompt_set.prompts)
    seen = judges.says_yes(judge.rows(snapshot.test), weights).double()
    drawn = judges.says_yes(judge.pictures(prompt_set.draw(generator)), weights)
    asked = drawn[torch.arange(len(drawn)), prompt_set.number].double().numpy()
    return named(
        f"attributes@{judge.name}",
        judges.mean(judges.by_prompt(asked, prompt_set.number)),
        real=_mean_by_concept(seen, known > 0.5),
        chance=_mean_by_concept(seen, known < 0.5),
    )


def _mean_by_concept(seen: Tensor, where: Tensor) -> float:
    return float(((seen * where).sum(0) / where.sum(0)).mean())


def _own(
    generator: ImageGenerator, prompt_set: PromptSet, pictures: Pixels, cache: Path
) -> Metrics:
    """What the model itself says of held-out pictures, where it says anything."""
    if not (prompt_set.rows and isinstance(generator, Likelihood | Discriminator)):
        return {}
    metrics: Metrics = {}
    real = np.asarray(pack(prompt_set.rows, generator.size, cache, digest(prompt_set.rows)))
    if isinstance(generator, Likelihood):
        nats = np.asarray(generator.nats_per_token(real, prompt_set.prompts).double().numpy())
        metrics |= named("nats_per_token", judges.mean(nats), chance=generator.chance)
    if isinstance(generator, Discriminator):
        of_real, of_drawn = (generator.score(part, prompt_set.prompts) for part in (real, pictures))
        told = (of_real > of_drawn).double().numpy()
        metrics |= named("told_from_real@discriminator", judges.mean(told), chance=0.5)
    return metrics
