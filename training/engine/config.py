"""What a run is asked for: its ``config.json``, checked."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.engine.encoders.text import Spec
from training.engine.files import TrainingError, read_json
from training.engine.recipes import configure
from training.engine.recipes.base import Config


@dataclass(frozen=True)
class RunConfig:
    """``config.json`` of a run folder, checked."""

    recipe: str
    preset: str
    settings: Config
    snapshot: Path
    cache: Path
    seed: int
    init: Path | None
    encoder: Spec | None
    time_limit: float | None
    threads: int | None


def read_config(folder: Path) -> RunConfig:
    """Read and check; raises ``TrainingError`` that names what is off."""
    values = read_json(folder / "config.json")
    if not isinstance(values, dict):
        raise TrainingError(f"{folder / 'config.json'} must hold an object.")
    take = _Fields(values, folder / "config.json")
    recipe, preset = take.one("recipe", str), take.one("preset", str)
    model, pretrained = take.maybe("clip_model", str), take.maybe("clip_pretrained", str)
    init = take.maybe("init", str)
    encoder = {"kind": "open_clip", "model": model, "pretrained": pretrained} if model else None
    config = RunConfig(
        recipe=recipe,
        preset=preset,
        settings=configure(recipe, preset, take.maybe("options", dict) or {}),
        snapshot=Path(take.one("snapshot", str)),
        cache=Path(take.maybe("cache", str) or folder / "cache"),
        seed=take.maybe("seed", int) or 0,
        init=Path(init) if init else None,
        encoder=encoder,
        time_limit=take.maybe("time_limit", (int, float)),
        threads=take.maybe("threads", int),
    )
    take.end()
    _check_ranges(config)
    return config


class _Fields:
    """The values of a hand-written file, taken one by one."""

    def __init__(self, values: dict[str, Any], path: Path) -> None:
        self.values = dict(values)
        self.path = path

    def maybe(self, name: str, kind: type | tuple[type, ...]) -> Any:
        value = self.values.pop(name, None)
        if value is not None and (isinstance(value, bool) or not isinstance(value, kind)):
            raise TrainingError(f"{self.path}: {name} has a wrong value, {value!r}.")
        return value

    def one(self, name: str, kind: type) -> Any:
        value = self.maybe(name, kind)
        if value is None:
            raise TrainingError(f"{self.path}: {name} is missing.")
        return value

    def end(self) -> None:
        if self.values:
            raise TrainingError(f"{self.path}: {', '.join(self.values)} is not known here.")


def _check_ranges(config: RunConfig) -> None:
    if not 0 <= config.seed < 2**31:
        raise TrainingError(f"The seed must be from 0 to {2**31 - 1}, not {config.seed}.")
    limit = config.time_limit
    if limit is not None and not (math.isfinite(limit) and limit > 0):
        raise TrainingError(f"The time_limit must be a number of seconds above 0, not {limit}.")
    if config.threads is not None and not 1 <= config.threads <= 1024:
        raise TrainingError(f"threads must be from 1 to 1024, not {config.threads}.")
