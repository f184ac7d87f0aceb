"""Rectified flow on pictures' principal components or pixels, conditioned on text and belief.

x_t = t·x₀ + (1 − t)·ε; the network predicts x₀, the loss is on the velocity v = x₀ − ε
(arXiv 2209.03003; logit-normal t: arXiv 2403.03206; belief as a condition: arXiv 2405.20324).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from training.engine.data.hues import named, recoloured
from training.engine.data.packing import pack
from training.engine.data.pictures import Pixels
from training.engine.data.rows import digest
from training.engine.device import device
from training.engine.encoders.conditions import Condition, Conditions
from training.engine.encoders.specs import default_spec, load_text_encoder
from training.engine.files import TrainingError, under
from training.engine.latents.pca import PCA, fit
from training.engine.latents.spaces import (
    LatentDataset,
    LatentSpace,
    LinearDataset,
    LinearSpace,
    PixelDataset,
    PixelSpace,
)
from training.engine.networks.dit import DiT
from training.engine.networks.mlp import ConditionalMLP
from training.engine.recipes.base import Config, OnProgress, Phase, Source, changed, grid_of
from training.engine.recipes.stored import PromptEncoder, read_model, read_weights, write_model
from training.engine.sampling.samplers import SAMPLERS, Noise, Predict, arc, guided, noise


@dataclass(frozen=True, kw_only=True)
class DiffusionConfig(Config):
    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {
        **Config.CHOICES,
        "network": ("mlp", "dit"),
        "sampler": tuple(SAMPLERS),
    }
    FROM_ZERO: ClassVar[tuple[str, ...]] = (*Config.FROM_ZERO, "depth")
    SIGNED: ClassVar[tuple[str, ...]] = ("time_mean",)
    SAMPLING: ClassVar[tuple[str, ...]] = ("guidance", "sampling_steps", "sampler")

    batch: int = 192
    network: str = "mlp"  # on principal components, or dit: on pixels
    size: int = 64  # pixels
    components: int = 384  # of an mlp
    patch: int = 4  # pixels of a dit's patch
    width: int = 384
    depth: int = 4
    expansion: int = 3  # of an mlp
    dropout: float = 0.0  # of an mlp
    drop: float = 0.1  # how often the text is withheld
    flips: float = 0.3  # how often a picture is mirrored
    hues: float = 0.0  # how often a picture is shown in another colour, and named by it
    jitter: float = 0.5  # how far texts, of length 1, are moved at most: others put it otherwise
    time_mean: float = -0.3  # of the logit of t
    time_clamp: float = 0.25  # the least 1 − t in the loss
    guidance: float = 2.0
    sampling_steps: int = 20
    sampler: str = "ancestral"

    def __post_init__(self) -> None:
        if not 0 < self.time_clamp <= 1:
            raise TrainingError("The option time_clamp must be above 0, and 1 at most.")
        if self.dropout >= 1:
            raise TrainingError("The option dropout must be below 1.")
        if self.network == "dit" and self.size % self.patch:
            raise TrainingError("The option size must be a multiple of patch.")
        if self.network == "dit" and self.width % (64 if self.width > 64 else 4):
            raise TrainingError("The option width must be a multiple of 64, or of 4 below that.")


class DiffusionTraining:
    """A network in training, with the latents, texts and beliefs of one snapshot."""

    def __init__(self, config: DiffusionConfig, source: Source) -> None:
        self.config = config
        rows = list(source.snapshot.train)
        self.encoder = load_text_encoder(source.encoder or default_spec())
        pixels = pack(rows, config.size, source.cache, digest(rows))
        others, turned = recoloured(rows, pixels, source.seed) if config.hues else ([], pixels[:0])
        told = [*(named(rows, pixels) if config.hues else rows), *others]
        self.conditions = Conditions(
            told, source.snapshot.concepts, self.encoder, source.cache, altered=len(others)
        )
        self.rows, self.others = len(rows), len(others)
        self.space, self.stock = self._stocked(pixels, turned, source.seed)
        torch.manual_seed(source.seed)
        network = build_network(
            config, self.space.shape[0], self.encoder.width, len(self.conditions.ratings)
        )
        self.network = network.to(device())
        self.phases = (Phase("flow", self.network, self.loss),)

    def _stocked(
        self, pixels: Pixels, turned: Pixels, seed: int
    ) -> tuple[LatentSpace, LatentDataset]:
        if self.config.network == "dit":
            whole = np.concatenate([pixels, turned]) if len(turned) else pixels
            return PixelSpace(self.config.size), PixelDataset(whole)
        of = _told(self.conditions.told[: self.rows])
        pca = fit(pixels, self.config.components, seed, of=of, besides=turned)
        return LinearSpace(pca), LinearDataset(pca, pixels, turned)

    def loss(self, count: int) -> Tensor:
        """The squared error of the velocity on a fresh batch, weighted by part of a latent."""
        x0, mirrored, condition = self.draw_batch(count)
        t = torch.sigmoid(torch.randn(count, device=x0.device) + self.config.time_mean)
        at = t.view(-1, *[1] * (x0.dim() - 1))
        noisy = at * x0 + (1 - at) * torch.randn_like(x0)
        predicted = self.network(noisy, t, condition, mirrored)
        error = (predicted - x0) / (1 - at).clamp(min=self.config.time_clamp)
        loss: Tensor = (self.stock.weight * error.square()).mean()
        return loss

    def draw_batch(self, count: int) -> tuple[Tensor, Tensor, Condition]:
        """Latents (B, …), whether mirrored (B,), and what is told of them."""
        at = device()
        rows = torch.randint(self.rows, (count,), device=at)
        if self.others:
            other = self.rows + torch.randint(self.others, (count,), device=at)
            rows = torch.where(torch.rand(count, device=at) < self.config.hues, other, rows)
        mirrored = (torch.rand(count, device=at) < self.config.flips).float()
        condition = self.conditions.draw(rows, drop=self.config.drop, jitter=self.config.jitter)
        return self.stock.batch(rows, mirrored), mirrored, condition

    def grid(self, network: nn.Module, prompts: tuple[str, ...]) -> bytes | None:
        return grid_of(self.model(network), prompts, self.config.samples)

    def save(self, network: nn.Module, folder: Path, about: dict[str, Any]) -> None:
        """Write the model folder."""
        self.model(network).save(folder, about)

    def model(self, network: nn.Module) -> "Model":
        """The model that the run would end with if ``network`` were its last."""
        listener = PromptEncoder(
            self.encoder, self.conditions.certain, len(self.conditions.ratings)
        )
        return Model(self.config, network, self.space, listener)


def _told(told: Tensor) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The pictures of which something is said, where they are most; else all of them.

    The others still teach what pictures look like, but nobody can ask for them.
    """
    found = np.flatnonzero(told.numpy())
    return found if 2 * len(found) >= len(told) else np.arange(len(told))


def build_network(config: DiffusionConfig, components: int, text: int, ratings: int) -> nn.Module:
    """``text`` and ``ratings`` are the widths of a condition."""
    if config.network == "dit":
        return DiT(config.size, config.patch, text, config.width, config.depth, ratings)
    return ConditionalMLP(
        components, text, config.width, config.depth, config.expansion, ratings, config.dropout
    )


@dataclass(frozen=True)
class Model:
    """A model that draws: a trained network with all that stands around it."""

    config: DiffusionConfig
    network: nn.Module
    space: LatentSpace
    listener: PromptEncoder

    @property
    def size(self) -> int:
        return self.config.size

    @property
    def guidance(self) -> float:
        return self.config.guidance

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
        """uint8 (n, s, s, 3), one a prompt and seed; no prompt is the unconditional model."""
        fresh = noise(seeds, self.space.shape, device())
        condition = self.listener.asked(prompts, belief)
        return self._pictures(condition, fresh, guidance, steps, tell)

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
        """uint8 (count, s, s, 3): conditions on a line, noise on the arc between the two."""
        condition, share = self.listener.between(prompts, count)
        both = noise(seeds, self.space.shape, device())

        def fresh() -> Tensor:
            first, last = both()
            return arc(first, last, share)

        return self._pictures(condition, fresh, guidance, steps, tell)

    def adjusted(self, options: dict[str, Any]) -> Self:
        return replace(self, config=changed(self.config, options, sampling=True))

    @torch.no_grad()
    def _pictures(
        self,
        condition: Condition,
        fresh: Noise,
        guidance: float | None,
        steps: int | None,
        tell: OnProgress | None,
    ) -> Pixels:
        network = self.network.to(device()).eval()
        half = device().type == "cuda" and self.config.precision != "float32"
        predict = guided(network, condition, self.guidance if guidance is None else guidance)
        sampler = SAMPLERS[self.config.sampler]
        with torch.autocast(device().type, torch.bfloat16, enabled=half):
            latents = sampler(_telling(predict, tell), fresh, steps or self.config.sampling_steps)
        return self.space.pictures(latents)

    def save(self, folder: Path, about: dict[str, Any]) -> None:
        """Write the model folder."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        sizes = {}
        if isinstance(self.space, LinearSpace):
            tensors |= {f"pca.{k}": v for k, v in self.space.pca.state_dict().items()}
            sizes["components"] = self.space.pca.components
        write_model(folder, about, self.config, self.listener, tensors, **sizes)


def load(folder: Path) -> Model:
    """The model of a model folder; raises ``TrainingError`` where it holds none."""
    config, listener = read_model(folder, DiffusionConfig)

    def build(tensors: dict[str, Tensor]) -> Model:
        if config.depth > len(tensors):
            raise ValueError(config.depth)
        with torch.device("meta"):
            width, ratings = listener.encoder.width, listener.ratings
            network = build_network(config, config.components, width, ratings)
            pca = PCA(config.size, config.components)
        network.load_state_dict(under("network.", tensors), assign=True)
        network.requires_grad_(False)
        if config.network == "dit":
            return Model(config, network, PixelSpace(config.size), listener)
        pca.load_state_dict(under("pca.", tensors), assign=True)
        return Model(config, network, LinearSpace(pca), listener)

    return read_weights(folder, build)


def _telling(predict: Predict, tell: OnProgress | None) -> Predict:
    """The same, and ``tell`` hears how far it is at every step."""

    def told(x: Tensor, t: Tensor) -> Tensor:
        if tell:
            tell(float(t[0]))
        return predict(x, t)

    return told
