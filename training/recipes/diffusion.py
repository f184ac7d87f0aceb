"""Rectified flow on a snapshot's principal components, conditioned on text and on belief in it.

x_t = t·x₀ + (1 − t)·ε; the network predicts x₀, the loss is on the velocity v = x₀ − ε
(arXiv 2209.03003; logit-normal t: arXiv 2403.03206; belief as a condition: arXiv 2405.20324).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from training.clip import TextEncoder, default_spec, device, text_encoder
from training.conditions import Condition, Conditions, asked
from training.data import Pixels, digest, pack, png, tiled
from training.files import TrainingError, read_json, under, write_json, write_tensors
from training.latents import with_mirrored
from training.nets.mlp import ConditionalMLP
from training.nets.pca import PCA, fit
from training.recipes.base import Config, Phase, Source, Tell, changed

Predict = Callable[[Tensor, Tensor], Tensor]  # (x_t, t) → x₀
Noise = Callable[[], Tensor]  # → a fresh ε


@dataclass(frozen=True, kw_only=True)
class DiffusionConfig(Config):
    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {
        **Config.CHOICES,
        "sampler": ("euler", "heun", "ancestral"),
    }
    FROM_ZERO: ClassVar[tuple[str, ...]] = (*Config.FROM_ZERO, "depth")
    SIGNED: ClassVar[tuple[str, ...]] = ("time_mean",)
    SAMPLING: ClassVar[tuple[str, ...]] = ("guidance", "sampling_steps", "sampler")

    batch: int = 192
    size: int = 64  # pixels
    components: int = 384
    width: int = 384
    depth: int = 4
    expansion: int = 3
    drop: float = 0.1  # how often the text is withheld
    flips: float = 0.3  # how often a picture is mirrored
    jitter: float = 0.5  # how far texts, of length 1, are moved at most: others put it otherwise
    time_mean: float = -0.3  # of the logit of t
    time_clamp: float = 0.25  # the least 1 − t in the loss
    guidance: float = 2.0
    sampling_steps: int = 20
    sampler: str = "ancestral"


class DiffusionTraining:
    """A network in training, with the latents, texts and beliefs of one snapshot."""

    def __init__(self, config: DiffusionConfig, source: Source) -> None:
        self.config = config
        rows = source.snapshot.train
        self.encoder = text_encoder(source.encoder or default_spec())
        pixels = pack(rows, config.size, source.cache, digest(rows))
        self.conditions = Conditions(rows, source.snapshot.concepts, self.encoder, source.cache)
        self.pca = fit(pixels, config.components, source.seed, of=_told(self.conditions))
        self.latents = with_mirrored(self.pca, pixels)  # (2, n, K)
        torch.manual_seed(source.seed)
        network = build_network(config, self.pca.components, self.encoder.width)
        self.network = network.to(device())
        self.phases = (Phase("flow", self.network, self.loss),)
        spread = self.pca.scale.to(device())
        self.weight = spread / spread.mean()  # errors count as they show in the picture

    def loss(self, count: int) -> Tensor:
        """The squared error of the velocity on a fresh batch, weighted by component."""
        x0, mirrored, condition = self.draw_batch(count)
        t = torch.sigmoid(torch.randn(count, device=x0.device) + self.config.time_mean)
        noisy = t[:, None] * x0 + (1 - t[:, None]) * torch.randn_like(x0)
        predicted = self.network(noisy, t, condition, mirrored)
        remaining = (1 - t).clamp(min=self.config.time_clamp)
        error = (predicted - x0) / remaining[:, None]
        loss: Tensor = (self.weight * error.square()).mean()
        return loss

    def draw_batch(self, count: int) -> tuple[Tensor, Tensor, Condition]:
        """Latents (B, K), whether mirrored (B,), and what is told of them."""
        at = device()
        rows = torch.randint(self.latents.shape[1], (count,), device=at)
        mirrored = (torch.rand(count, device=at) < self.config.flips).long()
        condition = self.conditions.draw(rows, drop=self.config.drop, jitter=self.config.jitter)
        return self.latents[mirrored, rows].float(), mirrored.float(), condition

    def grid(self, network: nn.Module, prompts: tuple[str, ...]) -> bytes | None:
        """A row a prompt, from the same noise each time."""
        columns = self.config.samples
        wanted = [prompt for prompt in prompts for _ in range(columns)]
        pictures = self.model(network).draw(wanted, list(range(columns)) * len(prompts))
        return png(tiled(pictures, columns))

    def save(self, network: nn.Module, folder: Path, about: dict[str, Any]) -> None:
        """Write the model folder."""
        self.model(network).save(folder, about)

    def model(self, network: nn.Module) -> "Model":
        """The model that the run would end with if ``network`` were its last."""
        assert isinstance(network, ConditionalMLP)
        return Model(self.config, network, self.pca, self.encoder, self.conditions.certain)


def _told(conditions: Conditions) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The pictures of which something is said, where they are most; else all of them.

    The others still teach what pictures look like, but nobody can ask for them.
    """
    told = np.flatnonzero(conditions.told.numpy())
    return told if 2 * len(told) >= len(conditions.told) else np.arange(len(conditions.told))


def build_network(config: DiffusionConfig, components: int, text: int) -> ConditionalMLP:
    return ConditionalMLP(components, text, config.width, config.depth, config.expansion)


# Sampling


def guided(network: ConditionalMLP, condition: Condition, guidance: float) -> Predict:
    """Classifier-free guidance (arXiv 2207.12598): belief 0 is the unconditional model."""
    pairs = zip(condition, condition.untold(), strict=True)
    twice = Condition(*(torch.cat(pair) for pair in pairs))

    def predict(x: Tensor, t: Tensor) -> Tensor:
        if guidance == 1 or not condition.belief.any():
            return network(x, t, condition)  # type: ignore[no-any-return]
        told, untold = network(torch.cat([x, x]), torch.cat([t, t]), twice).chunk(2)
        return torch.lerp(untold, told, guidance)

    return predict


def euler(predict: Predict, fresh: Noise, steps: int) -> Tensor:
    """x ← x + Δt·v, v = (x₀ − x)/(1 − t)."""
    x = fresh()
    for t, following in _times(x, steps):
        x = x + (following - t) * _velocity(predict, x, t)
    return x


def heun(predict: Predict, fresh: Noise, steps: int) -> Tensor:
    """Euler with the mean of the velocities at both ends of a step; the last step is Euler's."""
    x = fresh()
    for t, following in _times(x, steps):
        velocity = _velocity(predict, x, t)
        if following < 1:
            ahead = x + (following - t) * velocity
            velocity = (velocity + _velocity(predict, ahead, following)) / 2
        x = x + (following - t) * velocity
    return x


def ancestral(predict: Predict, fresh: Noise, steps: int) -> Tensor:
    """Euler with part of the noise made anew: what a step gets wrong, the next see less of."""
    x = fresh()
    for t, following in _times(x, steps):
        clean = predict(x, t.expand(len(x)))
        noise = (x - t * clean) / (1 - t)
        mixed = (1 - FRESH**2) ** 0.5 * noise + FRESH * fresh()
        x = following * clean + (1 - following) * mixed
    return x


SAMPLERS = {"euler": euler, "heun": heun, "ancestral": ancestral}
FRESH = 0.5  # the share of the noise's deviation that the ancestral sampler makes anew


def _times(x: Tensor, steps: int) -> Iterable[tuple[Tensor, Tensor]]:
    return pairwise(torch.linspace(0, 1, steps + 1, device=x.device))


def _velocity(predict: Predict, x: Tensor, t: Tensor) -> Tensor:
    return (predict(x, t.expand(len(x))) - x) / (1 - t)


@dataclass(frozen=True)
class Model:
    """A model that draws: a trained network with all that stands around it."""

    config: DiffusionConfig
    network: ConditionalMLP
    pca: PCA
    encoder: TextEncoder
    certain: float  # the belief to ask for: that of the surest texts in training

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
        tell: Tell | None = None,
    ) -> Pixels:
        """uint8 (n, s, s, 3), one a prompt and seed; no prompt is the unconditional model."""
        condition = asked(self.encoder, prompts, self.certain if belief is None else belief)
        fresh = _noise(seeds, self.pca.components)
        return self._pictures(condition, fresh, guidance, steps, tell)

    def between(
        self,
        prompts: tuple[str, str],
        seeds: tuple[int, int],
        count: int,
        *,
        guidance: float | None = None,
        steps: int | None = None,
        tell: Tell | None = None,
    ) -> Pixels:
        """uint8 (count, s, s, 3): conditions on a line, noise on the arc between the two."""
        ends = asked(self.encoder, prompts, self.certain)
        share = torch.linspace(0, 1, count, device=device())[:, None]
        condition = Condition(
            ends.text[:1].lerp(ends.text[1:], share),
            ends.belief[:1].lerp(ends.belief[1:], share[:, 0]),
            ends.ratings[:1].expand(count, -1),
        )
        noise = _noise(seeds, self.pca.components)

        def fresh() -> Tensor:
            first, last = noise()
            return _arc(first, last, share)

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
        tell: Tell | None,
    ) -> Pixels:
        network = self.network.to(device()).eval()
        predict = guided(network, condition, self.guidance if guidance is None else guidance)
        sampler = SAMPLERS[self.config.sampler]
        latents = sampler(_telling(predict, tell), fresh, steps or self.config.sampling_steps)
        return self.pca.pictures(latents.cpu())

    def save(self, folder: Path, about: dict[str, Any]) -> None:
        """Write the model folder."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"pca.{k}": v for k, v in self.pca.state_dict().items()}
        write_tensors(folder / "model.safetensors", tensors)
        network = {
            **asdict(self.config),
            "components": self.pca.components,
            "text": self.encoder.width,
            "certain": self.certain,
        }
        clip = {**self.encoder.spec, "identity": self.encoder.identity}
        write_json(folder / "config.json", {**about, "network": network, "clip": clip})


def load(folder: Path) -> Model:
    """The model of a model folder; raises ``TrainingError`` where it holds none."""
    about = read_json(folder / "config.json")
    try:
        network = dict(about["network"])
        width, certain = int(network["text"]), float(network["certain"])
        known = {field.name: network[field.name] for field in fields(DiffusionConfig)}
        config = DiffusionConfig(**{**known, "prompts": tuple(known["prompts"])})
        encoder = text_encoder({k: v for k, v in about["clip"].items() if k != "identity"})
        identity = about["clip"]["identity"]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise TrainingError(f"{folder / 'config.json'} does not describe a model.") from None
    if encoder.identity != identity:
        raise TrainingError(f"{folder} was trained with the texts of {identity}, now changed.")
    mlp = build_network(config, config.components, width).requires_grad_(False)
    pca = PCA(config.size, config.components)
    try:
        tensors = load_file(folder / "model.safetensors")
        mlp.load_state_dict(under("network.", tensors))
        pca.load_state_dict(under("pca.", tensors))
    except (OSError, SafetensorError, RuntimeError):
        raise TrainingError(
            f"{folder / 'model.safetensors'} is missing, broken or of another shape."
        ) from None
    return Model(config, mlp, pca, encoder, certain)


def _arc(first: Tensor, last: Tensor, share: Tensor) -> Tensor:
    """Noises (count, K) from one (K,) to another, as long as they (slerp)."""
    cosine = torch.nn.functional.cosine_similarity(first, last, dim=0).clamp(-1, 1)
    angle = cosine.arccos()
    if angle < 1e-4:
        return first.lerp(last, share)
    return (torch.sin((1 - share) * angle) * first + torch.sin(share * angle) * last) / angle.sin()


def _telling(predict: Predict, tell: Tell | None) -> Predict:
    """The same, and ``tell`` hears how far it is at every step."""

    def told(x: Tensor, t: Tensor) -> Tensor:
        if tell:
            tell(float(t[0]))
        return predict(x, t)

    return told


def _noise(seeds: Sequence[int], components: int) -> Noise:
    """Each picture has a generator of its own, so that it does not depend on its neighbours."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return lambda: torch.stack([torch.randn(components, generator=g) for g in generators]).to(
        device()
    )
