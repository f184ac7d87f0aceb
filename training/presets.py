"""The recipes and their presets: the one table that commands, admin and API choose from.

Knows no torch, so that the web process can read it. A preset replaces defaults of its recipe's
config, which stands beside the recipe's loss and sampler in `training/recipes/`.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Preset:
    about: str
    options: dict[str, Any] = field(default_factory=dict)


RECIPES = {
    "clip": "which text fits which picture",
    "diffusion": "draws pictures from text",
}

PRESETS: dict[str, dict[str, Preset]] = {
    "clip": {
        "smoke": Preset(
            "seconds, only to see that everything works",
            {"steps": 12, "batch": 16, "size": 32, "warmup": 2, "checkpoint_steps": 4},
        ),
        "cpu": Preset("minutes, on two processor cores", {"steps": 260}),
    },
    "diffusion": {
        "smoke": Preset(
            "seconds, only to see that everything works",
            {
                "steps": 60,
                "batch": 32,
                "warmup": 10,
                "size": 16,
                "components": 32,
                "width": 64,
                "depth": 2,
                "sampling_steps": 8,
                "samples": 2,
                "judge_steps": 0,
                "checkpoint_steps": 10,
                "grid_steps": 30,
            },
        ),
        "cpu": Preset("minutes, on two processor cores", {"steps": 2400}),
    },
}
