"""A model of rectified flow: its options, its network, and how it draws."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.engine.data.pictures import Pixels
from training.engine.device import device
from training.engine.encoders.conditions import Condition
from training.engine.files import TrainingError, under
from training.engine.latents.spaces import (
    LatentSpace,
    LinearSpace,
    check_size,
    load_space,
    model_tensors,
)
from training.engine.networks.dit import HEAD_WIDTH, DiT
from training.engine.networks.mlp import ConditionalMLP
from training.engine.recipes.base import (
    Config,
    OneCall,
    replace_options,
)
from training.engine.recipes.stored import (
    PromptEncoder,
    one_call,
    read_model,
    read_weights,
    write_model,
)
from training.engine.sampling.distillation import NOISE, Student
from training.engine.sampling.progress import OnProgress
from training.engine.sampling.samplers import (
    SAMPLERS,
    NoiseSampler,
    Predict,
    guided,
    seeded_noise,
    slerp,
)


@dataclass(frozen=True, kw_only=True)
class DiffusionConfig(Config):
    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {
        **Config.CHOICES,
        "network": ("mlp", "dit"),
        "space": ("components", "autoencoder"),
        "sampler": tuple(SAMPLERS),
    }
    FROM_ZERO: ClassVar[tuple[str, ...]] = (*Config.FROM_ZERO, "depth", "one_call_steps")
    SIGNED: ClassVar[tuple[str, ...]] = ("time_mean",)
    SAMPLING: ClassVar[tuple[str, ...]] = ("guidance", "sampling_steps", "sampler")

    batch: int = 192
    network: str = "mlp"  # on latents, or dit: on pixels
    space: str = "components"  # of an mlp: principal components, or an autoencoder's latents
    size: int = 64  # pixels
    components: int = 384
    autoencoder_steps: int = 2600  # of its fit, which is kept for the next run on these pictures
    patch: int = 4  # pixels of a dit's patch
    width: int = 384
    depth: int = 4
    expansion: int = 3  # of an mlp
    dropout: float = 0.0  # of an mlp
    cond_drop_prob: float = 0.1  # that a text is dropped, for classifier-free guidance
    flip_prob: float = 0.3  # that a picture is mirrored
    move_prob: float = 0.0  # that a picture is moved and scaled a little; of autoencoders alone
    hue_prob: float = 0.0  # that a picture is recoloured, and its new colour named
    jitter: float = 0.5  # noise on texts, of length 1, at most: people phrase things differently
    time_mean: float = -0.3  # of the logit of t
    time_clamp: float = 0.25  # the least 1 − t in the loss
    guidance: float = 2.0
    sampling_steps: int = 20
    sampler: str = "ancestral"
    one_call_steps: int = 0  # of a student that draws with one call; of an mlp

    def __post_init__(self) -> None:
        if not 0 < self.time_clamp <= 1:
            raise TrainingError("The option time_clamp must be above 0, and 1 at most.")
        if self.dropout >= 1:
            raise TrainingError("The option dropout must be below 1.")
        if self.network == "mlp":
            check_size(self.space, self.size)
        if self.network == "dit" and self.size % self.patch:
            raise TrainingError("The option size must be a multiple of patch.")
        if self.network == "dit" and self.width % (HEAD_WIDTH if self.width > HEAD_WIDTH else 4):
            raise TrainingError(
                f"The option width must be a multiple of {HEAD_WIDTH}, or of 4 below that."
            )


def build_network(
    config: DiffusionConfig, components: int, text_width: int, ratings: int
) -> nn.Module:
    """Build the network; ``text_width`` and ``ratings`` are the widths of a condition's parts."""
    if config.network == "dit":
        return DiT(config.size, config.patch, text_width, config.width, config.depth, ratings)
    return ConditionalMLP(
        components,
        text_width,
        config.width,
        config.depth,
        config.expansion,
        ratings,
        config.dropout,
    )


@dataclass(frozen=True)
class Model:
    """A finished model: the network and what it needs to generate images."""

    config: DiffusionConfig
    network: nn.Module
    space: LatentSpace
    prompt_encoder: PromptEncoder
    student: Student | None = None

    @property
    def size(self) -> int:
        return self.config.size

    @property
    def guidance(self) -> float:
        return self.config.guidance

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
        """Return uint8 (n, s, s, 3), one picture per prompt and seed; "" is no prompt.

        Where there is a student, it draws what is asked for in one step, at its own guidance.
        """
        condition = self.prompt_encoder.encode(prompts, confidence)
        if student := self._student(steps):
            return self._draft(student, condition, seeded_noise(seeds, (NOISE,), device())())
        sample_noise = seeded_noise(seeds, self.space.shape, device())
        return self._sample(condition, sample_noise, guidance, steps, on_progress)

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
        """Return uint8 (count, s, s, 3): conditions interpolated linearly, noise spherically."""
        condition, weights = self.prompt_encoder.interpolate(prompts, count)
        student = self._student(steps)
        ends = seeded_noise(seeds, (NOISE,) if student else self.space.shape, device())

        def sample_noise() -> Tensor:
            first, last = ends()
            return slerp(first, last, weights)

        if student:
            return self._draft(student, condition, sample_noise())
        return self._sample(condition, sample_noise, guidance, steps, on_progress)

    def with_options(self, options: dict[str, Any]) -> Self:
        """Return it with other sampling options; raise ``TrainingError`` where one is wrong."""
        return replace(self, config=replace_options(self.config, options, sampling=True))

    def _student(self, steps: int | None) -> Student | None:
        """Return the student where one step is asked for, and there is one."""
        return self.student if (steps or self.config.sampling_steps) == 1 else None

    @torch.no_grad()
    def _draft(self, student: Student, condition: Condition, noise: Tensor) -> Pixels:
        return self.space.pictures(student.to(device()).eval()(noise, condition))

    @torch.no_grad()
    def _sample(
        self,
        condition: Condition,
        sample_noise: NoiseSampler,
        guidance: float | None,
        steps: int | None,
        on_progress: OnProgress | None,
    ) -> Pixels:
        steps = steps or self.config.sampling_steps
        network = self.network.to(device()).eval()
        bf16 = device().type == "cuda" and self.config.precision != "float32"
        predict = guided(network, condition, self.guidance if guidance is None else guidance)
        sampler = SAMPLERS[self.config.sampler]
        with torch.autocast(device().type, torch.bfloat16, enabled=bf16):
            latents = sampler(_reporting(predict, on_progress), sample_noise, steps)
        return self.space.pictures(latents)

    @property
    def draws_in_one_call(self) -> bool:
        return self.student is not None

    def one_call(self, guidance: float | None = None) -> OneCall:
        """Return the student and the decoding of its pictures as one network.

        Raises ``TrainingError`` at another guidance than its own.
        """
        assert self.student is not None
        if guidance not in (None, self.guidance):
            raise TrainingError(f"This model draws in one call at guidance {self.guidance} only.")
        return one_call(
            StudentPictures(self.student, self.space),
            self.prompt_encoder,
            (NOISE,),
            {"recipe": "diffusion", "size": str(self.size), "guidance": str(self.guidance)},
        )

    def embedded(self, prompts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Return the inputs of `one_call`, but for noise, that stand for prompts."""
        return self.prompt_encoder.arrays(prompts)

    def save(self, folder: Path, about: dict[str, Any]) -> None:
        """Write the model folder."""
        tensors = model_tensors(self.network, self.space)
        if self.student:
            weights = self.student.state_dict()
            tensors |= {f"student.{k}": v for k, v in weights.items() if k != "network.space"}
        components = self.config.components
        if isinstance(self.space, LinearSpace):
            (components,) = self.space.shape
        steps = self.config.one_call_steps if self.student else 0
        sizes = {"components": components, "one_call_steps": steps}
        write_model(folder, about, self.config, self.prompt_encoder, tensors, **sizes)


class StudentPictures(nn.Module):
    """Noise (n, Z) and a condition to uint8 (n, s, s, 3), as `Model.sample` draws in one step."""

    def __init__(self, student: Student, space: LatentSpace) -> None:
        super().__init__()
        self.student, self.space = student, space

    def forward(
        self, noise: Tensor, text: Tensor, confidence: Tensor, ratings: Tensor | None = None
    ) -> Tensor:
        condition = Condition(text, confidence, text[:, :0] if ratings is None else ratings)
        return self.space.pixels(self.student(noise, condition))


def load(folder: Path) -> Model:
    """Load a model folder; raise ``TrainingError`` where it holds no such model."""
    config, prompt_encoder = read_model(folder, DiffusionConfig)

    def build(tensors: dict[str, Tensor]) -> Model:
        if config.depth > len(tensors):
            raise ValueError(config.depth)
        kind = "pixels" if config.network == "dit" else config.space
        space = load_space(kind, config.size, config.components, tensors)

        def empty() -> nn.Module:
            width, ratings = prompt_encoder.encoder.width, prompt_encoder.ratings
            return build_network(config, space.shape[0], width, ratings)

        with torch.device("meta"):
            network = empty()
            student = None
            if config.one_call_steps:
                student = Student(empty(), torch.zeros(NOISE, *space.shape))
        network.load_state_dict(under("network.", tensors), assign=True)
        if student:
            student.load_state_dict(under("student.", tensors), assign=True)
            student.requires_grad_(False)
        return Model(config, network.requires_grad_(False), space, prompt_encoder, student)

    return read_weights(folder, build)


def _reporting(predict: Predict, on_progress: OnProgress | None) -> Predict:
    """Wrap ``predict`` so that it reports progress at every step."""

    def reporting(x: Tensor, t: Tensor) -> Tensor:
        if on_progress:
            on_progress(float(t[0]))
        return predict(x, t)

    return reporting
