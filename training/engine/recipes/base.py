"""The protocols of a recipe: its config, its training, and the model that comes of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from training.engine.data.pictures import DRAWN, Pixels, png, tiled
from training.engine.data.rows import Row, Snapshot
from training.engine.encoders.text import Spec
from training.engine.files import TrainingError
from training.engine.latents.fit_autoencoder import Task
from training.engine.latents.fit_autoencoder import fit as fit_autoencoder
from training.engine.latents.spaces import AutoencoderSpace
from training.engine.sampling.progress import OnProgress
from training.engine.values import is_number, is_text


@dataclass(frozen=True, kw_only=True)
class Config:
    """The options that the loop needs of any recipe, and the ranges of all options."""

    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {
        "precision": ("auto", "float32", "bf16"),
        "parallel": ("auto", "ddp", "fsdp"),
    }
    FROM_ZERO: ClassVar[tuple[str, ...]] = ("judge_steps", "grid_steps", "warmup")
    SIGNED: ClassVar[tuple[str, ...]] = ()
    SAMPLING: ClassVar[tuple[str, ...]] = ()  # options that a finished model accepts

    steps: int
    batch: int = 128
    learning_rate: float = 2e-3
    warmup: int = 100
    weight_decay: float = 0.01
    beta1: float = 0.9  # of AdamW
    prompts: tuple[str, ...] = ()  # none: chosen from the snapshot
    samples: int = 6  # a prompt, in grids and in the evaluation
    judge_steps: int = 300
    checkpoint_steps: int = 500
    grid_steps: int = 500
    precision: str = "auto"  # auto (bf16 on CUDA), float32 or bf16
    compile: bool = True  # on CUDA alone: on a processor it costs more than it saves
    parallel: str = "auto"  # of several processes: ddp, a copy in each; fsdp, a part in each


C = TypeVar("C", bound=Config)


def replace_options(config: C, options: dict[str, Any], *, sampling: bool = False) -> C:
    """Return the config with some options replaced; with ``sampling``, only those of sampling.

    Raises ``TrainingError`` where a name or value is wrong.
    """
    known = {field.name: getattr(config, field.name) for field in fields(config)}
    if sampling:
        known = {name: known[name] for name in config.SAMPLING}
    values = {}
    for name, value in options.items():
        if name not in known:
            raise TrainingError(f"There is no option {name!r} here, only {', '.join(known)}.")
        values[name] = _checked(config, name, value, known[name])
    return replace(config, **values)


def _checked(config: Config, name: str, value: Any, default: Any) -> Any:
    """Return ``value`` with the default's type; integers may stand for floats, lists for tuples."""
    if name in config.CHOICES:
        expected = "one of " + ", ".join(config.CHOICES[name])
        if value in config.CHOICES[name]:
            return value
    elif isinstance(default, bool):
        expected = "true or false"
        if isinstance(value, bool):
            return value
    elif isinstance(default, str):
        expected = "a text"
        if is_text(value) and value.strip():
            return value
    elif isinstance(default, tuple):
        expected = "a list of texts"
        if isinstance(value, list) and all(is_text(x) and x.strip() for x in value):
            return tuple(value)
    elif isinstance(default, float):
        expected = "a number" if name in config.SIGNED else "a number from 0"
        if is_number(value) and (value >= 0 or name in config.SIGNED):
            return float(value)
    else:
        least = 0 if name in config.FROM_ZERO else 1
        expected = f"a whole number from {least}"
        if type(value) is int and least <= value < 2**31:
            return value
    raise TrainingError(f"The option {name} must be {expected}, not {value!r}.")


OnStage = Callable[[str, int, int, int], None]


def no_report(stage: str, done: int, steps: int, pictures: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Source:
    """What a training starts from: the data, the seed and pretrained models.

    ``init`` is the model folder of an earlier clip run, whose weights another clip run continues
    from; ``start`` is the one that a diffusion run goes on from. ``on_step`` is told of the steps
    of what is fitted before the first step of the loop, or after its last: the stage, how many are
    done, of how many, and the pictures in each.
    """

    snapshot: Snapshot
    cache: Path
    seed: int
    encoder: Spec | None = None
    init: Path | None = None
    start: Path | None = None
    on_step: OnStage = no_report

    def autoencoder(self, rows: Sequence[Row], pixels: Pixels, steps: int) -> AutoencoderSpace:
        """Return the latents of pictures (n, s, s, 3), by an autoencoder fitted now or before."""
        on_step = partial(self.on_step, "autoencoder")
        fitted = fit_autoencoder(Task(rows, pixels, self.cache, steps, on_step))
        return AutoencoderSpace(fitted, pixels.shape[1])


class Phase(NamedTuple):
    """A part of a training step: it minimises ``loss`` over the parameters of ``module``.

    ``draw(count)`` returns a new random batch of ``count`` pictures: a tuple of tensors, and of
    such tuples, whose first dimension counts pictures. Its randomness comes from torch's global
    generator alone. ``loss(batch)`` returns the mean loss (a scalar) of such a batch or of a part
    of one: of several processes, each draws the whole batch and learns from its own part.
    """

    name: str
    module: nn.Module
    draw: Callable[[int], Any]
    loss: Callable[[Any], Tensor]


class Training(Protocol):
    """A recipe in training on one snapshot, constructed from a config and a source."""

    @property
    def network(self) -> nn.Module:
        """The network that is checkpointed and averaged; the phases' modules are parts of it."""

    @property
    def phases(self) -> Sequence[Phase]:
        """The parts of a step, in order."""

    def sample_grid(self, network: nn.Module, prompts: tuple[str, ...]) -> bytes | None:
        """Return a PNG with one row per prompt, sampled from ``network``; None of a CLIP."""

    def save(self, network: nn.Module, folder: Path, about: dict[str, Any]) -> None:
        """Write ``model.safetensors``, ``config.json`` and what else the model needs."""


class ImageGenerator(Protocol):
    """A finished model that generates images. The empty prompt is the unconditional model."""

    @property
    def size(self) -> int:
        """The side of its square pictures in pixels."""

    @property
    def guidance(self) -> float:
        """The default guidance weight."""

    def sample(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        confidence: float | None = None,
        guidance: float | None = None,
        steps: int | None = None,
        on_progress: OnProgress | None = None,
    ) -> Pixels:
        """Return uint8 (n, size, size, 3), one picture per prompt and seed, independent of others.

        ``confidence`` in [0, 1] is how far prompts are trusted; 0 equals no prompt.
        """

    def interpolate(
        self,
        prompts: tuple[str, str],
        seeds: tuple[int, int],
        count: int,
        *,
        guidance: float | None = None,
        steps: int | None = None,
        on_progress: OnProgress | None = None,
    ) -> Pixels:
        """Return uint8 (count, size, size, 3) between two prompts and seeds, both ends included."""

    def with_options(self, options: dict[str, Any]) -> Self:
        """Return it with other sampling options; raise ``TrainingError`` where one is wrong."""


class Translator(Protocol):
    """A finished model that draws the other half of any picture."""

    @property
    def size(self) -> int:
        """The side of its square pictures in pixels."""

    @property
    def guidance(self) -> float:
        """The default guidance weight."""

    def translate(
        self,
        pictures: Pixels,
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        guidance: float | None = None,
        steps: int | None = None,
        on_progress: OnProgress | None = None,
    ) -> Pixels:
        """Return the other half of each picture (n, s, s, 3) as uint8 (n, size, size, 3).

        Each has a prompt, "" where nothing is known, and a seed, and is independent of others.
        """

    def with_options(self, options: dict[str, Any]) -> Self:
        """Return it with other sampling options; raise ``TrainingError`` where one is wrong."""


class OneCall(NamedTuple):
    """A model that draws with one call of a network, as it is exported."""

    module: nn.Module  # takes the inputs, in order; returns pictures (n, s, s, 3) as uint8
    inputs: dict[str, Tensor]  # examples by name; the first dimension counts pictures
    facts: dict[str, str]  # what whoever calls it has to know


@runtime_checkable
class DrawsInOneCall(Protocol):
    """A model of images that may draw with one call of a network."""

    @property
    def draws_in_one_call(self) -> bool:
        """Whether it does."""

    def one_call(self, guidance: float | None = None) -> OneCall:
        """Return the call at a guidance; None is the model's own."""

    def embedded(self, prompts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Return the inputs of the call, but for noise, that stand for prompts, by name."""


def sample_grid(generator: ImageGenerator, prompts: Sequence[str], columns: int) -> bytes:
    """Return a PNG with one row per prompt and the seeds 0 to ``columns`` − 1."""
    repeated = [prompt for prompt in prompts for _ in range(columns)]
    pictures = generator.sample(repeated, list(range(columns)) * len(prompts))
    return png(tiled(pictures, columns), DRAWN)
