"""The recipes by name: each one's config, its training, and how to load its models."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.engine.data.pairs import of_pairs, without_pairs
from training.engine.data.rows import Snapshot
from training.engine.encoders.clip_models import load_clip
from training.engine.files import TrainingError, read_json
from training.engine.presets import PRESETS
from training.engine.recipes import (
    autoregressive,
    clip,
    diffusion,
    diffusion_model,
    gan,
    lora,
    pairs,
)
from training.engine.recipes.base import (
    Config,
    ImageGenerator,
    Source,
    Training,
    Translator,
    replace_options,
)


@dataclass(frozen=True)
class Recipe:
    config: type[Config]
    training: Callable[[Any, Source], Training]
    load: Callable[[Path], Any]
    generative: bool  # whether its models generate images from texts
    translates: bool = False  # whether its models draw the other half of a picture
    learns_from_drawings: bool = False  # that people have judged


RECIPES: dict[str, Recipe] = {
    "clip": Recipe(clip.ClipConfig, clip.ClipTraining, load_clip, generative=False),
    "diffusion": Recipe(
        diffusion_model.DiffusionConfig,
        diffusion.DiffusionTraining,
        diffusion_model.load,
        generative=True,
        learns_from_drawings=True,
    ),
    "gan": Recipe(gan.GANConfig, gan.GANTraining, gan.load, generative=True),
    "autoregressive": Recipe(
        autoregressive.AutoregressiveConfig,
        autoregressive.AutoregressiveTraining,
        autoregressive.load,
        generative=True,
    ),
    "lora": Recipe(lora.LoraConfig, lora.LoraTraining, lora.load, generative=True),
    "pairs": Recipe(
        pairs.PairsConfig, pairs.PairsTraining, pairs.load, generative=False, translates=True
    ),
}


def configure(recipe: str, preset: str, options: dict[str, Any]) -> Config:
    """Return a preset with some options replaced; raise ``TrainingError`` where one is wrong."""
    if recipe not in RECIPES:
        raise TrainingError(f"There is no recipe {recipe!r}: choose from {', '.join(RECIPES)}.")
    if preset not in PRESETS[recipe]:
        known = ", ".join(PRESETS[recipe])
        raise TrainingError(f"The recipe {recipe} has no preset {preset!r}: choose from {known}.")
    config = RECIPES[recipe].config(**PRESETS[recipe][preset].options)
    try:
        return replace_options(config, options)
    except TrainingError as error:
        raise TrainingError(f"The recipe {recipe}: {error}") from None


def load_generator(folder: Path) -> ImageGenerator:
    """Load a generative model folder; raise ``TrainingError`` where it holds none."""
    name = recipe_of(folder)
    if not RECIPES[name].generative:
        message = f"{folder} holds a {name} model, which cannot draw from a text"
        if RECIPES[name].translates:
            message += ": give it pictures, with python -m training translate"
        raise TrainingError(f"{message}.")
    generator: ImageGenerator = RECIPES[name].load(folder)
    return generator


def load_translator(folder: Path) -> Translator:
    """Load the folder of a model of pairs; raise ``TrainingError`` where it holds none."""
    name = recipe_of(folder)
    if not RECIPES[name].translates:
        raise TrainingError(f"{folder} holds a {name} model: name one of the recipe pairs.")
    translator: Translator = RECIPES[name].load(folder)
    return translator


def recipe_of(folder: Path) -> str:
    """Return the name of a model folder's recipe; raise ``TrainingError`` for another folder."""
    about = read_json(folder / "config.json")
    name = about.get("recipe") if isinstance(about, dict) else None
    if name not in RECIPES:
        raise TrainingError(f"{folder} is not a model folder.")
    return str(name)


def data_of(recipe: str, snapshot: Snapshot) -> Snapshot:
    """Return the part of a snapshot that a recipe learns from: pairs, single pictures, or all.

    A CLIP sees all, as people are asked about all. Raise ``TrainingError`` where there is none.
    """
    if RECIPES[recipe].translates:
        return of_pairs(snapshot)
    return without_pairs(snapshot) if RECIPES[recipe].generative else snapshot
