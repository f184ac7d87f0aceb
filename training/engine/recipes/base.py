"""What every recipe is made of: a config, a training, and a model that draws."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, Self, TypeVar

from torch import Tensor, nn

from training.engine.data.pictures import Pixels, png, tiled
from training.engine.data.rows import Snapshot
from training.engine.encoders.text import Spec
from training.engine.files import TrainingError

OnProgress = Callable[[float], None]  # hears the share that is done; may raise to stop


@dataclass(frozen=True, kw_only=True)
class Config:
    """What the loop needs of any recipe's config, and what its options may be."""

    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {"precision": ("auto", "float32", "bf16")}
    FROM_ZERO: ClassVar[tuple[str, ...]] = ("judge_steps", "grid_steps", "warmup")
    SIGNED: ClassVar[tuple[str, ...]] = ()
    SAMPLING: ClassVar[tuple[str, ...]] = ()  # what a finished model may be asked to do otherwise

    steps: int
    batch: int = 128
    learning_rate: float = 2e-3
    warmup: int = 100
    weight_decay: float = 0.01
    momentum: float = 0.9  # AdamW's first beta
    prompts: tuple[str, ...] = ()  # none: chosen from the snapshot
    samples: int = 6  # a prompt, in grids and in the evaluation
    judge_steps: int = 300
    checkpoint_steps: int = 500
    grid_steps: int = 500
    precision: str = "auto"  # auto (bf16 on CUDA), float32 or bf16
    compile: bool = True  # on CUDA alone: on a processor it costs more than it saves


C = TypeVar("C", bound=Config)


def changed(config: C, options: dict[str, Any], *, sampling: bool = False) -> C:
    """With some fields replaced; raises ``TrainingError`` where a name or value is off.

    A finished model takes ``sampling`` options alone.
    """
    known = {field.name: getattr(config, field.name) for field in fields(config)}
    if sampling:
        known = {name: known[name] for name in config.SAMPLING}
    values = {}
    for name, value in options.items():
        if name not in known:
            raise TrainingError(f"There is no option {name!r} here, only {', '.join(known)}.")
        values[name] = _fitted(config, name, value, known[name])
    return replace(config, **values)


def _fitted(config: Config, name: str, value: Any, example: Any) -> Any:
    """``value`` as the example's type: whole numbers may stand for others, lists for tuples."""
    if name in config.CHOICES:
        wanted = "one of " + ", ".join(config.CHOICES[name])
        if value in config.CHOICES[name]:
            return value
    elif isinstance(example, bool):
        wanted = "true or false"
        if isinstance(value, bool):
            return value
    elif isinstance(example, str):
        wanted = "a text"
        if isinstance(value, str) and value.strip():
            return value
    elif isinstance(example, tuple):
        wanted = "a list of texts"
        if isinstance(value, list) and all(isinstance(x, str) and x.strip() for x in value):
            return tuple(value)
    elif isinstance(example, float):
        wanted = "a number" if name in config.SIGNED else "a number from 0"
        number = type(value) in (int, float) and math.isfinite(value)
        if number and (value >= 0 or name in config.SIGNED):
            return float(value)
    else:
        least = 0 if name in config.FROM_ZERO else 1
        wanted = f"a whole number from {least}"
        if type(value) is int and least <= value < 2**31:
            return value
    raise TrainingError(f"The option {name} must be {wanted}, not {value!r}.")


@dataclass(frozen=True)
class Source:
    """What a run learns from and starts with.

    ``init`` is the model folder of a clip run: a recipe that draws takes its texts' embeddings
    from it, another clip run its weights to start from.
    """

    snapshot: Snapshot
    cache: Path
    seed: int
    encoder: Spec | None = None
    init: Path | None = None


class Phase(NamedTuple):
    """A part of a step: the trainable parameters of ``module`` descend along ``loss``.

    ``loss(count)`` is the mean loss (a scalar) of a fresh batch of ``count`` pictures. Its
    randomness comes from torch's global generator alone.
    """

    name: str
    module: nn.Module
    loss: Callable[[int], Tensor]


class Training(Protocol):
    """A recipe in training on one snapshot; made from a config and a source."""

    @property
    def network(self) -> nn.Module:
        """All that is checkpointed and averaged; the phases' modules are parts of it."""

    @property
    def phases(self) -> Sequence[Phase]:
        """What a step consists of, in order."""

    def grid(self, network: nn.Module, prompts: tuple[str, ...]) -> bytes | None:
        """A PNG with a row a prompt by the averaged ``network``, or None."""

    def save(self, network: nn.Module, folder: Path, about: dict[str, Any]) -> None:
        """Write ``model.safetensors``, ``config.json`` and what else the model needs."""


class ImageGenerator(Protocol):
    """A finished model that draws. The empty prompt is no prompt."""

    @property
    def size(self) -> int:
        """The side of its pictures in pixels."""

    @property
    def guidance(self) -> float:
        """Its own, where none is asked for."""

    def draw(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        belief: float | None = None,
        guidance: float | None = None,
        steps: int | None = None,
        tell: OnProgress | None = None,
    ) -> Pixels:
        """uint8 (n, size, size, 3): each depends on its own prompt, seed and settings alone.

        ``belief`` 0 equals no prompt.
        """

    def between(
        self,
        prompts: tuple[str, str],
        seeds: tuple[int, int],
        count: int,
        *,
        guidance: float | None = None,
        steps: int | None = None,
        tell: OnProgress | None = None,
    ) -> Pixels:
        """uint8 (count, size, size, 3) from one to the other; the ends equal ``draw``'s."""

    def adjusted(self, options: dict[str, Any]) -> Self:
        """With other sampling options; raises ``TrainingError`` where one is off."""


def grid_of(generator: ImageGenerator, prompts: Sequence[str], columns: int) -> bytes:
    """A PNG with a row a prompt, from the same noise each time."""
    wanted = [prompt for prompt in prompts for _ in range(columns)]
    pictures = generator.draw(wanted, list(range(columns)) * len(prompts))
    return png(tiled(pictures, columns))
