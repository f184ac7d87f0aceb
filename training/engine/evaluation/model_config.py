"""Read what a model folder's ``config.json`` says to those who judge the model."""

from pathlib import Path
from typing import Any, NamedTuple

from training.engine.encoders.specs import within
from training.engine.files import TrainingError, read_json
from training.engine.recipes import RECIPES


class EvaluationSettings(NamedTuple):
    """How a model is sampled and judged."""

    prompts: list[str]  # the fixed ones; one that is empty where there are none
    seed: int
    samples: int  # pictures per prompt
    judge_steps: int  # that a judge is trained for

    @property
    def seeds(self) -> list[int]:
        """Return the seeds of a prompt's pictures."""
        return list(range(self.seed, self.seed + self.samples))


def read_model_config(folder: Path) -> dict[str, Any]:
    """Read a model folder's ``config.json``; raise ``TrainingError`` where it holds no model."""
    config = read_json(folder / "config.json")
    if not isinstance(config, dict) or config.get("recipe") not in RECIPES:
        raise TrainingError(f"{folder} is not a model folder.")
    return {**config, "clip": within(folder, config.get("clip"))}


def evaluation_settings(folder: Path, config: dict[str, Any]) -> EvaluationSettings:
    """Return the settings in a model's config; raise ``TrainingError`` where some are missing."""
    try:
        network = config["network"]
        return EvaluationSettings(
            prompts=list(config["prompts"]) or [""],
            seed=int(config["seed"]),
            samples=int(network["samples"]),
            judge_steps=int(network["judge_steps"]),
        )
    except (KeyError, TypeError, ValueError):
        raise TrainingError(f"{folder / 'config.json'} does not describe a model.") from None
