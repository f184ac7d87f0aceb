"""The recipes by name: for each its config, its training, and how to load what it made."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.engine.encoders.clip_models import load_clip
from training.engine.files import TrainingError, read_json
from training.engine.presets import PRESETS
from training.engine.recipes import autoregressive, clip, diffusion, gan, lora
from training.engine.recipes.base import Config, ImageGenerator, Source, Training, changed


@dataclass(frozen=True)
class Recipe:
    config: type[Config]
    training: Callable[[Any, Source], Training]
    load: Callable[[Path], Any]
    draws: bool


RECIPES: dict[str, Recipe] = {
    "clip": Recipe(clip.ClipConfig, clip.ClipTraining, load_clip, draws=False),
    "diffusion": Recipe(
        diffusion.DiffusionConfig, diffusion.DiffusionTraining, diffusion.load, draws=True
    ),
    "gan": Recipe(gan.GANConfig, gan.GANTraining, gan.load, draws=True),
    "autoregressive": Recipe(
        autoregressive.AutoregressiveConfig,
        autoregressive.AutoregressiveTraining,
        autoregressive.load,
        draws=True,
    ),
    "lora": Recipe(lora.LoraConfig, lora.LoraTraining, lora.load, draws=True),
}


def configure(recipe: str, preset: str, options: dict[str, Any]) -> Config:
    """A preset with some fields replaced; raises ``TrainingError`` where a name or type is off."""
    if recipe not in RECIPES:
        raise TrainingError(f"There is no recipe {recipe!r}: choose from {', '.join(RECIPES)}.")
    if preset not in PRESETS[recipe]:
        known = ", ".join(PRESETS[recipe])
        raise TrainingError(f"The recipe {recipe} has no preset {preset!r}: choose from {known}.")
    config = RECIPES[recipe].config(**PRESETS[recipe][preset].options)
    try:
        return changed(config, options)
    except TrainingError as error:
        raise TrainingError(f"The recipe {recipe}: {error}") from None


def load_generator(folder: Path) -> ImageGenerator:
    """The model of a model folder; raises ``TrainingError`` where it holds none that draws."""
    about = read_json(folder / "config.json")
    recipe = RECIPES.get(str(about.get("recipe"))) if isinstance(about, dict) else None
    if recipe is None:
        raise TrainingError(f"{folder} is not a model folder.")
    if not recipe.draws:
        raise TrainingError(f"{folder} holds a {about['recipe']} model, which cannot draw.")
    generator: ImageGenerator = recipe.load(folder)
    return generator
