"""Rectified flow on a snapshot's principal components, conditioned on text and on belief in it.

x_t = t·x₀ + (1 − t)·ε; the network predicts x₀, the loss is on the velocity v = x₀ − ε
(arXiv 2209.03003; logit-normal t: arXiv 2403.03206; belief as a condition: arXiv 2405.20324).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import normalize

from training.beliefs import Beliefs, gather
from training.clip import Spec, TextEncoder, default_spec, device, text_encoder
from training.data import Snapshot, digest, pack, png, tiled
from training.embeddings import embed_texts
from training.files import TrainingError, read_json, write_json, write_tensors
from training.latents import Neighbours, with_mirrored
from training.nets.mlp import ConditionalMLP
from training.nets.pca import PCA, fit

Predict = Callable[[Tensor, Tensor], Tensor]  # (x_t, t) → x₀
Noise = Callable[[], Tensor]  # → a fresh ε


@dataclass(frozen=True)
class DiffusionConfig:
    steps: int
    batch: int = 192
    learning_rate: float = 2e-3
    warmup: int = 100
    weight_decay: float = 0.01
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
    prompts: tuple[str, ...] = ()  # none: chosen from the snapshot
    samples: int = 6  # a prompt, in grids and in the evaluation
    judge_steps: int = 300
    checkpoint_steps: int = 500
    grid_steps: int = 500


class DiffusionTraining:
    """A network in training, with the latents, texts and beliefs of one snapshot."""

    def __init__(
        self,
        config: DiffusionConfig,
        snapshot: Snapshot,
        *,
        cache: Path,
        seed: int,
        encoder: Spec | None = None,
    ) -> None:
        self.config = config
        self.encoder = text_encoder(encoder or default_spec())
        self.pixels = pack(snapshot.train, config.size, cache, digest(snapshot.train))
        beliefs = gather(snapshot.train, snapshot.concepts)
        self.pca = fit(self.pixels, config.components, seed, of=_told(beliefs))
        self.latents = with_mirrored(self.pca, self.pixels)  # (2, n, K)
        self.names = [row.path.name for row in snapshot.train]
        self.certain = beliefs.certain
        self.texts = _embed(beliefs, self.encoder, cache).to(device())  # (t + n, E)
        self.slots, self.trust, self.share = (
            torch.from_numpy(part).to(device())
            for part in (beliefs.slots, beliefs.belief, beliefs.share)
        )
        torch.manual_seed(seed)
        self.network = build_network(config, self.pca.components, self.encoder.width).to(device())
        spread = self.pca.scale.to(device())
        self.weight = spread / spread.mean()  # errors count as they show in the picture

    def loss(self) -> Tensor:
        """The squared error of the velocity on a fresh batch, weighted by component."""
        x0, mirrored, text, belief = self.draw_batch()
        t = torch.sigmoid(torch.randn(len(x0), device=x0.device) + self.config.time_mean)
        noisy = t[:, None] * x0 + (1 - t[:, None]) * torch.randn_like(x0)
        predicted = self.network(noisy, t, text, belief, mirrored)
        remaining = (1 - t).clamp(min=self.config.time_clamp)
        error = (predicted - x0) / remaining[:, None]
        loss: Tensor = (self.weight * error.square()).mean()
        return loss

    def draw_batch(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Latents (B, K), whether mirrored (B,), texts (B, E), beliefs (B,)."""
        size, at = self.config.batch, device()
        rows = torch.randint(self.latents.shape[1], (size,), device=at)
        mirrored = (torch.rand(size, device=at) < self.config.flips).long()
        slot = torch.multinomial(self.share[rows] + 1e-9, 1)[:, 0]
        kept = torch.rand(size, device=at) >= self.config.drop
        text = self.texts[self.slots[rows, slot]]
        step = normalize(torch.randn_like(text), dim=1) * torch.rand(size, 1, device=at)
        return (
            self.latents[mirrored, rows].float(),
            mirrored.float(),
            text + self.config.jitter * step,
            self.trust[rows, slot] * kept,
        )

    def grid(self, network: nn.Module, prompts: tuple[str, ...]) -> bytes | None:
        """A row a prompt, from the same noise each time."""
        columns = self.config.samples
        asked = [prompt for prompt in prompts for _ in range(columns)]
        latents = self.model(network).draw(asked, list(range(columns)) * len(prompts))
        return png(tiled(self.pca.pictures(latents), columns))

    def save(self, network: nn.Module, folder: Path, about: dict[str, Any]) -> None:
        """Write the model folder, and what is needed to name a sample's neighbours."""
        self.model(network).save(folder, about)
        Neighbours.of(self.pca, self.pixels, self.names).save(folder)

    def model(self, network: nn.Module) -> "Model":
        """The model that the run would end with if ``network`` were its last."""
        assert isinstance(network, ConditionalMLP)
        return Model(self.config, network, self.pca, self.encoder, self.certain)


def _told(beliefs: Beliefs) -> NDArray[np.int64]:
    """The pictures of which something is said, where they are most; else all of them.

    The others still teach what pictures look like, but nobody can ask for them.
    """
    told = np.flatnonzero(beliefs.share.sum(1) > 0)
    return told if 2 * len(told) >= len(beliefs.share) else np.arange(len(beliefs.share))


def _embed(beliefs: Beliefs, encoder: TextEncoder, cache: Path) -> Tensor:
    """Embeddings of the texts (t, E), then each picture's expected label (n, E)."""
    texts = embed_texts([*beliefs.texts, *beliefs.concepts], encoder, cache)
    count = len(beliefs.texts)
    labels = torch.from_numpy(beliefs.labels)
    expected = labels @ texts[count:] / labels.sum(1, keepdim=True).clamp(min=1e-9)
    return torch.cat([texts[:count], expected])


def build_network(config: DiffusionConfig, components: int, text: int) -> ConditionalMLP:
    return ConditionalMLP(components, text, config.width, config.depth, config.expansion)


# Sampling


def guided(network: ConditionalMLP, text: Tensor, belief: Tensor, guidance: float) -> Predict:
    """Classifier-free guidance (arXiv 2207.12598): belief 0 is the unconditional model."""

    def predict(x: Tensor, t: Tensor) -> Tensor:
        if guidance == 1 or not belief.any():
            return network(x, t, text, belief)  # type: ignore[no-any-return]
        both = network(
            torch.cat([x, x]),
            torch.cat([t, t]),
            torch.cat([text, text]),
            torch.cat([belief, torch.zeros_like(belief)]),
        )
        told, untold = both.chunk(2)
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

    @torch.no_grad()
    def draw(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        belief: float | None = None,
        guidance: float | None = None,
        steps: int | None = None,
    ) -> Tensor:
        """Latents (n, K), one a prompt and seed; the empty prompt is the unconditional model.

        A picture depends on its own prompt, seed and settings, not on what is drawn beside it.
        """
        texts = self.encoder.encode(list(prompts)).to(device())
        trust = [(self.certain if belief is None else belief) * bool(p.strip()) for p in prompts]
        predict = guided(
            self.network.to(device()).eval(),
            texts,
            torch.tensor(trust, device=device()),
            self.config.guidance if guidance is None else guidance,
        )
        sampler = SAMPLERS[self.config.sampler]
        fresh = _noise(seeds, self.pca.components)
        return sampler(predict, fresh, steps or self.config.sampling_steps).cpu()

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
        if about["recipe"] != "diffusion":
            raise TrainingError(f"{folder} holds a {about['recipe']} model, which cannot draw.")
        network = dict(about["network"])
        width, certain = int(network.pop("text")), float(network.pop("certain"))
        config = DiffusionConfig(**{**network, "prompts": tuple(network["prompts"])})
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
        mlp.load_state_dict(_under("network.", tensors))
        pca.load_state_dict(_under("pca.", tensors))
    except (OSError, SafetensorError, RuntimeError):
        raise TrainingError(
            f"{folder / 'model.safetensors'} is missing, broken or of another shape."
        ) from None
    return Model(config, mlp, pca, encoder, certain)


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _noise(seeds: Sequence[int], components: int) -> Noise:
    """Each picture has a generator of its own, so that it does not depend on its neighbours."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return lambda: torch.stack([torch.randn(components, generator=g) for g in generators]).to(
        device()
    )
