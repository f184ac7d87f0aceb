"""For each recipe its config, loss, sampler and step; and the presets of all, in one table."""

import math
from dataclasses import fields, replace
from typing import Any

from training.files import TrainingError
from training.recipes.clip import ClipConfig
from training.recipes.diffusion import SAMPLERS, DiffusionConfig

Config = ClipConfig | DiffusionConfig

PRESETS: dict[str, dict[str, Config]] = {
    "clip": {
        "smoke": ClipConfig(steps=12, batch=16, size=32, warmup=2, checkpoint_steps=4),
        "cpu": ClipConfig(steps=260),
    },
    "diffusion": {
        "smoke": DiffusionConfig(
            steps=60,
            batch=32,
            warmup=10,
            size=16,
            components=32,
            width=64,
            depth=2,
            sampling_steps=8,
            samples=2,
            judge_steps=0,
            checkpoint_steps=10,
            grid_steps=30,
        ),
        "cpu": DiffusionConfig(steps=2400),
    },
}


def configure(recipe: str, preset: str, options: dict[str, Any]) -> Config:
    """A preset with some fields replaced; raises ``TrainingError`` where a name or type is off."""
    if recipe not in PRESETS:
        raise TrainingError(f"There is no recipe {recipe!r}: choose from {', '.join(PRESETS)}.")
    if preset not in PRESETS[recipe]:
        known = ", ".join(PRESETS[recipe])
        raise TrainingError(f"The recipe {recipe} has no preset {preset!r}: choose from {known}.")
    config = PRESETS[recipe][preset]
    known_fields = {field.name: getattr(config, field.name) for field in fields(config)}
    values = {}
    for name, value in options.items():
        if name not in known_fields:
            known = ", ".join(known_fields)
            raise TrainingError(f"The recipe {recipe} has no option {name!r}, only {known}.")
        values[name] = _fitted(name, value, known_fields[name])
    return replace(config, **values)


MAY_BE_NONE = ("judge_steps", "grid_steps", "warmup", "depth")
CHOICES = {"sampler": tuple(SAMPLERS), "text": ("sentence", "own", "words")}


def _fitted(name: str, value: Any, example: Any) -> Any:
    """``value`` as the example's type: whole numbers may stand for others, lists for tuples."""
    if isinstance(example, tuple) and isinstance(value, list):
        if all(isinstance(item, str) and item.strip() for item in value):
            return tuple(value)
    elif isinstance(example, float) and type(value) in (int, float):
        if math.isfinite(value) and (value >= 0 or name == "time_mean"):
            return float(value)
    elif isinstance(example, int) and type(value) is int:
        if (0 if name in MAY_BE_NONE else 1) <= value < 2**31:
            return value
    elif name in CHOICES and value in CHOICES[name]:
        return value
    expected = {float: "a number from 0", tuple: "a list of texts"}
    expected[int] = "a whole number from 0" if name in MAY_BE_NONE else "a whole number from 1"
    wanted = expected.get(type(example)) or "one of " + ", ".join(CHOICES[name])
    raise TrainingError(f"The option {name} must be {wanted}, not {value!r}.")
