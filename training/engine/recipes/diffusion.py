"""Rectified flow on latents or pixels, conditioned on text and confidence.

x_t = t·x₀ + (1 − t)·ε; the network predicts x₀, the loss is on the velocity v = x₀ − ε
(arXiv 2209.03003; logit-normal t: arXiv 2403.03206; confidence as a condition: arXiv 2405.20324).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.engine.data.moving import MOVES
from training.engine.data.packing import pack
from training.engine.data.pictures import Pixels
from training.engine.data.preferences import preferences_of
from training.engine.data.recolouring import caption_colours, recolour
from training.engine.data.rows import Row, digest
from training.engine.device import device
from training.engine.encoders.conditions import Condition, Conditions
from training.engine.encoders.specs import default_spec, load_text_encoder
from training.engine.files import TrainingError, under
from training.engine.latents.pca import fit
from training.engine.latents.spaces import (
    AutoencoderDataset,
    AutoencoderSpace,
    LatentDataset,
    LatentSpace,
    LinearDataset,
    LinearSpace,
    PixelDataset,
    PixelSpace,
    bind,
    check_size,
    load_space,
    model_tensors,
)
from training.engine.networks.dit import HEAD_WIDTH, DiT
from training.engine.networks.mlp import ConditionalMLP
from training.engine.recipes.base import (
    Config,
    OneCall,
    Phase,
    Source,
    replace_options,
    sample_grid,
)
from training.engine.recipes.going_on import take_weights
from training.engine.recipes.preference_loss import PreferenceLoss
from training.engine.recipes.stored import (
    PromptEncoder,
    one_call,
    read_model,
    read_weights,
    write_model,
)
from training.engine.sampling.distillation import NOISE, Distillation, Student, distil
from training.engine.sampling.progress import OnProgress
from training.engine.sampling.samplers import (
    SAMPLERS,
    NoiseSampler,
    Predict,
    guided,
    seeded_noise,
    slerp,
)

VARIANTS = 4  # of each picture, where pictures are moved
DRAWN_SHARE = 0.2  # of a batch, at most, that models drew


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


class DiffusionTraining:
    """A network in training, with the latents, texts and confidences of one snapshot."""

    def __init__(self, config: DiffusionConfig, source: Source) -> None:
        self.config, self.seed, self.on_step = config, source.seed, source.on_step
        start = load(source.start) if source.start else None
        rows, drawn = list(source.snapshot.train), source.snapshot.drawings.rows
        self.encoder = (
            start.prompt_encoder.encoder
            if start
            else load_text_encoder(source.encoder or default_spec())
        )
        known = start.prompt_encoder.ratings_of_drawings if start else 0
        pixels = pack(rows, config.size, source.cache, digest(rows))
        drawings = pack(drawn, config.size, source.cache, digest(drawn)) if drawn else pixels[:0]
        new_rows, new_pixels = (
            recolour(rows, pixels, source.seed) if config.hue_prob else ([], pixels[:0])
        )
        described = caption_colours(rows, pixels) if config.hue_prob else rows
        self.conditions = Conditions(
            [*described, *drawn, *new_rows],
            source.snapshot.concepts,
            self.encoder,
            source.cache,
            altered=len(new_rows),
            rated=known,
        )
        self.rows, self.drawn, self.recoloured = len(rows), len(drawn), len(new_rows)
        self.space = start.space if start else self._latent_space(rows, pixels, new_pixels, source)
        self.dataset = self._latent_dataset(pixels, drawings, new_pixels)
        torch.manual_seed(source.seed)
        network = build_network(
            config, self.space.shape[0], self.encoder.width, len(self.conditions.ratings)
        )
        bind(network, self.space)
        self.network = network.to(device())
        self.preferences: PreferenceLoss | None = None
        if start:
            take_weights(self.network, start.network.state_dict(), known)
            self.preferences = self._preferences(drawn)
        self.phases = (Phase("flow", self.network, self.loss),)

    def _latent_space(
        self, rows: Sequence[Row], pixels: Pixels, recoloured: Pixels, source: Source
    ) -> LatentSpace:
        if self.config.network == "dit":
            return PixelSpace(self.config.size)
        if self.config.space == "autoencoder":
            return source.autoencoder(rows, pixels, self.config.autoencoder_steps)
        described = _described(self.conditions.has_text[: self.rows])
        return LinearSpace(
            fit(pixels, self.config.components, source.seed, rows=described, extra=recoloured)
        )

    def _latent_dataset(self, *pixels: Pixels) -> LatentDataset:
        """Return the latents of several arrays of pictures; rows count on from one to the next."""
        if isinstance(self.space, AutoencoderSpace):
            variants = VARIANTS if self.config.move_prob else 0
            return AutoencoderDataset(self.space, *pixels, variants=variants)
        if isinstance(self.space, LinearSpace):
            return LinearDataset(self.space.pca, *pixels)
        some = [part for part in pixels if len(part)]
        return PixelDataset(np.concatenate(some) if len(some) > 1 else some[0])

    def _preferences(self, drawn: Sequence[Row]) -> PreferenceLoss | None:
        """Return the loss of what people preferred, if there are enough pairs."""
        preferences = preferences_of(drawn)
        if not preferences.enough:
            return None
        prompts = PromptEncoder.trained_with(self.encoder, self.conditions).encode(
            [row.prompt for row in drawn]
        )

        def latents(drawings: Tensor) -> Tensor:
            unchanged = torch.zeros(len(drawings), device=drawings.device)
            return self.dataset.batch(self.rows + drawings, unchanged)

        return PreferenceLoss(self.network, preferences, latents, prompts, self.errors)

    def loss(self, count: int) -> Tensor:
        """Return the weighted squared error of the velocity on a new batch.

        Where the run goes on from a model, what people preferred is learnt beside it.
        """
        x0, change, condition = self.sample_batch(count)  # (B, …), (B, 4), (B, …)
        t = self.sample_times(count)
        loss = self.errors(self.network, x0, torch.randn_like(x0), t, condition, change).mean()
        if self.preferences:
            loss = loss + self.preferences(self.network, count, self.sample_times)
        return loss

    def sample_times(self, count: int) -> Tensor:
        """Draw times (B,), from 0 to 1."""
        return torch.sigmoid(torch.randn(count, device=device()) + self.config.time_mean)

    def errors(
        self,
        network: nn.Module,
        x0: Tensor,
        noise: Tensor,
        t: Tensor,
        condition: Condition,
        change: Tensor | None = None,
    ) -> Tensor:
        """Return the weighted mean squared error of the velocity (B,) of latents (B, …)."""
        t_wide = t.view(-1, *[1] * (x0.dim() - 1))  # (B, 1, …)
        noisy = t_wide * x0 + (1 - t_wide) * noise
        predicted = network(noisy, t, condition, change)  # (B, …)
        error = (predicted - x0) / (1 - t_wide).clamp(min=self.config.time_clamp)
        weighted: Tensor = self.dataset.weight * error.square()
        return weighted.flatten(1).mean(1)

    def sample_batch(self, count: int) -> tuple[Tensor, Tensor, Condition]:
        """Return latents (B, …), how their pictures were changed (B, 4), and their conditions."""
        at = device()
        rows = torch.randint(self.rows, (count,), device=at)
        if self.recoloured:
            first = self.rows + self.drawn
            other = first + torch.randint(self.recoloured, (count,), device=at)
            rows = torch.where(torch.rand(count, device=at) < self.config.hue_prob, other, rows)
        if self.drawn:
            share = min(DRAWN_SHARE, self.drawn / (self.rows + self.drawn))
            other = self.rows + torch.randint(self.drawn, (count,), device=at)
            rows = torch.where(torch.rand(count, device=at) < share, other, rows)
        mirrored = (torch.rand(count, device=at) < self.config.flip_prob).float()
        condition = self.conditions.sample(
            rows, cond_drop_prob=self.config.cond_drop_prob, jitter=self.config.jitter
        )
        if self.config.move_prob and isinstance(self.dataset, AutoencoderDataset):
            latents, moves = self.dataset.moved_batch(rows, mirrored, self.config.move_prob)
        else:
            latents = self.dataset.batch(rows, mirrored)
            moves = torch.zeros(count, MOVES, device=at)
        return latents, torch.cat([mirrored[:, None], moves], 1), condition

    def sample_grid(self, network: nn.Module, prompts: tuple[str, ...]) -> bytes | None:
        return sample_grid(self.model(network), prompts, self.config.samples)

    def save(self, network: nn.Module, folder: Path, about: dict[str, Any]) -> None:
        """Write the model folder, with a student where one is asked for."""
        wanted = self.config.one_call_steps and self.config.network == "mlp"
        student = self._distil(network) if wanted else None
        replace(self.model(network), student=student).save(folder, about)

    def _distil(self, teacher: nn.Module) -> Student:
        return distil(
            teacher,
            Distillation(
                steps=self.config.one_call_steps,
                batch=self.config.batch,
                guidance=self.config.guidance,
                seed=self.seed,
                shape=self.space.shape,
                weight=self.dataset.weight,
                sample_condition=self._prompts,
                on_step=partial(self.on_step, "one call"),
            ),
        )

    def _prompts(self, count: int) -> Condition:
        """Return random conditions as a person would ask for them: the best ratings, no drops."""
        described = self.rows + self.drawn + self.recoloured
        rows = torch.randint(described, (count,), device=device())
        condition = self.conditions.sample(rows, cond_drop_prob=0.0, jitter=self.config.jitter)
        return condition._replace(ratings=torch.ones_like(condition.ratings))

    def model(self, network: nn.Module) -> "Model":
        """Return the model that ``network`` makes with the rest of the training."""
        prompt_encoder = PromptEncoder.trained_with(self.encoder, self.conditions)
        return Model(self.config, network, self.space, prompt_encoder)


def _described(mask: Tensor) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the indices of described pictures where these are the majority, else all.

    The others still teach what pictures look like, but no prompt asks for them.
    """
    described = np.flatnonzero(mask.numpy())
    return described if 2 * len(described) >= len(mask) else np.arange(len(mask))


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
