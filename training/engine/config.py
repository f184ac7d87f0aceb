"""Read and check a run's ``config.json``."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from training.engine.encoders.text import Spec
from training.engine.files import TrainingError, read_json
from training.engine.presets import goes_on
from training.engine.recipes import RECIPES, configure
from training.engine.recipes.base import Config
from training.engine.recipes.going_on import own_options
from training.engine.values import is_number, is_text


@dataclass(frozen=True)
class RunConfig:
    """The checked ``config.json`` of a run folder."""

    recipe: str
    preset: str
    settings: Config
    snapshot: Path
    cache: Path
    seed: int
    init: Path | None
    start: Path | None
    encoder: Spec | None
    time_limit: float | None
    threads: int | None
    tracker: str | None

    @property
    def facts(self) -> dict[str, Any]:
        """What is told of the run where it is logged: no path and no prompt."""
        options = {k: v for k, v in asdict(self.settings).items() if k != "prompts"}
        names = {"recipe": self.recipe, "preset": self.preset, "seed": self.seed}
        return {**names, "snapshot": self.snapshot.name, **options}


def read_config(folder: Path) -> RunConfig:
    """Read and check a run's config; raise ``TrainingError`` that names what is wrong."""
    values = read_json(folder / "config.json")
    if not isinstance(values, dict):
        raise TrainingError(f"{folder / 'config.json'} must hold an object.")
    fields = _Fields(values, folder / "config.json")
    recipe, preset = fields.required("recipe", str), fields.required("preset", str)
    model, pretrained = fields.optional("clip_model", str), fields.optional("clip_pretrained", str)
    init, start = fields.optional("init", str), fields.optional("start", str)
    options = _options(recipe, preset, start, fields.optional("options", dict) or {})
    encoder = {"kind": "open_clip", "model": model, "pretrained": pretrained} if model else None
    config = RunConfig(
        recipe=recipe,
        preset=preset,
        settings=configure(recipe, preset, options),
        snapshot=Path(fields.required("snapshot", str)),
        cache=Path(fields.optional("cache", str) or folder / "cache"),
        seed=fields.optional("seed", int) or 0,
        init=Path(init) if init else None,
        start=Path(start) if start else None,
        encoder=encoder,
        time_limit=fields.optional("time_limit", (int, float)),
        threads=fields.optional("threads", int),
        tracker=fields.optional("tracker", str),
    )
    fields.reject_unknown()
    _check_ranges(config)
    return config


def _options(
    recipe: str, preset: str, start: str | None, options: dict[str, Any]
) -> dict[str, Any]:
    """Return the options that replace the preset's: first those of the model to go on from."""
    if goes_on(recipe, preset) != bool(start):
        raise TrainingError(
            f"The preset {preset} of {recipe} goes on from a model: name its folder as start."
            if not start
            else f"The preset {preset} of {recipe} goes on from no model: leave out start."
        )
    own = own_options(Path(start), recipe, RECIPES[recipe].config) if start else {}
    return {**own, **options}


class _Fields:
    """The fields of a hand-written file, taken one by one with their types checked."""

    def __init__(self, values: dict[str, Any], path: Path) -> None:
        self.values = dict(values)
        self.path = path

    def optional(self, name: str, kind: type | tuple[type, ...]) -> Any:
        value = self.values.pop(name, None)
        known_kind = isinstance(value, kind) and not isinstance(value, bool)
        if value is not None and not (is_text(value) if kind is str else known_kind):
            raise TrainingError(f"{self.path}: {name} has a wrong value, {value!r}.")
        return value

    def required(self, name: str, kind: type) -> Any:
        value = self.optional(name, kind)
        if value is None:
            raise TrainingError(f"{self.path}: {name} is missing.")
        return value

    def reject_unknown(self) -> None:
        if self.values:
            raise TrainingError(f"{self.path}: {', '.join(self.values)} is not known here.")


def _check_ranges(config: RunConfig) -> None:
    if not 0 <= config.seed < 2**31:
        raise TrainingError(f"The seed must be from 0 to {2**31 - 1}, not {config.seed}.")
    limit = config.time_limit
    if limit is not None and not (is_number(limit) and limit > 0):
        raise TrainingError(f"The time_limit must be a number of seconds above 0, not {limit}.")
    if config.threads is not None and not 1 <= config.threads <= 1024:
        raise TrainingError(f"threads must be from 1 to 1024, not {config.threads}.")
