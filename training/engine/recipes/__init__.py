"""The recipes by name: each one's config, its training, and how to load its models."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.engine.encoders.clip_models import load_clip
from training.engine.files import TrainingError, read_json
from training.engine.presets import PRESETS
from training.engine.recipes import autoregressive, clip, diffusion, gan, lora
from training.engine.recipes.base import Config, ImageGenerator, Source, Training, replace_options


@dataclass(frozen=True)
class Recipe:
    config: type[Config]
    training: Callable[[Any, Source], Training]
    load: Callable[[Path], Any]
    generative: bool  # whether its models generate images


RECIPES: dict[str, Recipe] = {
    "clip": Recipe(clip.ClipConfig, clip.ClipTraining, load_clip, generative=False),
    "diffusion": Recipe(
        diffusion.DiffusionConfig, diffusion.DiffusionTraining, diffusion.load, generative=True
    ),
    "gan": Recipe(gan.GANConfig, gan.GANTraining, gan.load, generative=True),
    "autoregressive": Recipe(
        autoregressive.AutoregressiveConfig,
        autoregressive.AutoregressiveTraining,
        autoregressive.load,
        generative=True,
    ),
    "lora": Recipe(lora.LoraConfig, lora.LoraTraining, lora.load, generative=True),
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
    about = read_json(folder / "config.json")
    recipe = RECIPES.get(str(about.get("recipe"))) if isinstance(about, dict) else None
    if recipe is None:
        raise TrainingError(f"{folder} is not a model folder.")
    if not recipe.generative:
        raise TrainingError(f"{folder} holds a {about['recipe']} model, which cannot draw.")
    generator: ImageGenerator = recipe.load(folder)
    return generator
