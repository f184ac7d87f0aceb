"""Draw the other half of a pair: a rectified flow given the first half, and text where known.

As in ``diffusion``, x_t = t·x₀ + (1 − t)·ε and the network predicts x₀, here the latent of the
second half (arXiv 2209.03003). How surely two halves belong together is a condition like the
confidence in a text (arXiv 2405.20324), so every pair that people judged is a correct example. The
flow runs in the latent space of the second halves, and the first ones enter as theirs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor, nn

from labeling.marks import COMPOSITE
from training.engine.data.conditioning import above_chance, surest
from training.engine.data.pairs import pack_halves, text_of, watched
from training.engine.data.pictures import DRAWN, Pixels, png, resized, tiled
from training.engine.data.warps import with_warped
from training.engine.device import device
from training.engine.encoders.conditions import Conditions
from training.engine.encoders.specs import default_spec, load_text_encoder
from training.engine.files import TrainingError, under
from training.engine.latents.pca import PCA, fit
from training.engine.latents.spaces import LinearDataset, LinearSpace
from training.engine.networks.pair_mlp import PairCondition, PairMLP
from training.engine.recipes.base import Config, Phase, Source, replace_options
from training.engine.recipes.stored import PromptEncoder, read_model, read_weights, write_model
from training.engine.sampling.progress import OnProgress
from training.engine.sampling.samplers import SAMPLERS, Predict, seeded_noise

FIRST, SECOND = 0, 1
WITH_REAL = replace(DRAWN, source_type=COMPOSITE)  # the mark of grids with real halves


@dataclass(frozen=True, kw_only=True)
class PairsConfig(Config):
    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {
        **Config.CHOICES,
        "sampler": tuple(SAMPLERS),
    }
    FROM_ZERO: ClassVar[tuple[str, ...]] = (*Config.FROM_ZERO, "depth", "warps")
    SIGNED: ClassVar[tuple[str, ...]] = ("time_mean",)
    SAMPLING: ClassVar[tuple[str, ...]] = ("guidance", "sampling_steps", "sampler")

    batch: int = 256
    size: int = 32  # pixels
    components: int = 160  # of each half
    width: int = 512
    depth: int = 4
    expansion: int = 3
    dropout: float = 0.0
    noise: float = 0.1  # on the latents of first halves, at most: inputs vary
    warps: int = 0  # copies of each pair, at most, whose halves are warped alike
    flip_prob: float = 0.0  # that both halves are mirrored
    cond_drop_prob: float = 0.1  # that nothing is known, for classifier-free guidance
    text_drop_prob: float = 0.5  # that a text is dropped alone: most inputs come without
    jitter: float = 0.5  # noise on texts, of length 1, at most
    time_mean: float = -0.3  # of the logit of t
    time_clamp: float = 0.25  # the least 1 − t in the loss
    guidance: float = 1.0
    sampling_steps: int = 20
    sampler: str = "euler"

    def __post_init__(self) -> None:
        if not 0 < self.time_clamp <= 1:
            raise TrainingError("The option time_clamp must be above 0, and 1 at most.")
        if self.dropout >= 1:
            raise TrainingError("The option dropout must be below 1.")


class Batch(NamedTuple):
    """What the errors of B pairs are computed from."""

    x0: Tensor  # (B, K) latents of the second halves
    noise: Tensor  # (B, K)
    t: Tensor  # (B,) times, from 0 to 1
    condition: PairCondition


class PairsTraining:
    """A network in training, with the latents, texts and fit of one snapshot's pairs."""

    def __init__(self, config: PairsConfig, source: Source) -> None:
        self.config = config
        rows, cache = list(source.snapshot.train), source.cache
        self.encoder = replace(load_text_encoder(source.encoder or default_spec()), clip=None)
        halves = pack_halves(rows, config.size, cache)
        every = with_warped(halves, config.warps, source.seed)
        self.first, self.first_data = _latents(every[:, FIRST], config, source.seed)
        self.second, self.second_data = _latents(every[:, SECOND], config, source.seed)
        self.count = len(every)  # of the pairs, then of their copies, in the same order
        self.conditions = Conditions(rows, (), self.encoder, cache)
        self.fit = torch.tensor([above_chance(row.pair) for row in rows]).to(device())  # (n,)
        shown = watched(source.snapshot)
        self.watched = pack_halves(shown, config.size, cache)
        self.texts = [text_of(row) for row in shown]
        torch.manual_seed(source.seed)
        shapes = self.second.shape[0], self.first.shape[0]
        self.network = build_network(config, *shapes, self.encoder.width).to(device())
        self.phases = (Phase("flow", self.network, self.draw, self.loss),)

    def draw(self, count: int) -> Batch:
        """Return a new batch."""
        x0, condition = self.sample_batch(count)
        t = torch.sigmoid(torch.randn(count, device=x0.device) + self.config.time_mean)
        return Batch(x0, torch.randn_like(x0), t, condition)

    def loss(self, batch: Batch) -> Tensor:
        """Return the weighted squared error of the velocity on a batch."""
        x0, noise, t, condition = batch
        noisy = torch.lerp(noise, x0, t[:, None])
        predicted = self.network(noisy, t, condition)  # (B, K)
        error = (predicted - x0) / (1 - t[:, None]).clamp(min=self.config.time_clamp)
        loss: Tensor = (self.second_data.weight * error.square()).mean()
        return loss

    def sample_batch(self, count: int) -> tuple[Tensor, PairCondition]:
        """Return latents of second halves (B, K), and what is known of each."""
        at, config = device(), self.config
        rows = torch.randint(self.count, (count,), device=at)
        pairs = rows % len(self.fit)
        mirrored = (torch.rand(count, device=at) < config.flip_prob).float()
        first = self.first_data.batch(rows, mirrored)
        first = first + config.noise * torch.rand(count, 1, device=at) * torch.randn_like(first)
        known = (torch.rand(count, device=at) >= config.cond_drop_prob).float()
        text = self.conditions.sample(
            pairs, cond_drop_prob=config.text_drop_prob, jitter=config.jitter
        )
        text = text._replace(confidence=text.confidence * known)
        condition = PairCondition(text, first, self.fit[pairs] * known)
        return self.second_data.batch(rows, mirrored), condition

    def sample_grid(self, network: nn.Module, prompts: tuple[str, ...]) -> bytes | None:
        """Return a PNG with a row for each watched pair: the first half, drawings, the true one."""
        model, columns = self.model(network), self.config.samples
        first, second = self.watched[:, FIRST], self.watched[:, SECOND]
        drawn = model.translate(
            np.repeat(first, columns, 0),
            [text for text in self.texts for _ in range(columns)],
            list(range(columns)) * len(first),
        )
        rows = drawn.reshape(len(first), columns, *drawn.shape[1:])
        whole = np.concatenate([first[:, None], rows, second[:, None]], 1)
        return png(tiled(whole.reshape(-1, *drawn.shape[1:]), columns + 2), WITH_REAL)

    def save(self, network: nn.Module, folder: Path, about: dict[str, Any]) -> None:
        """Write the model folder."""
        self.model(network).save(folder, about)

    def model(self, network: nn.Module) -> "Model":
        """Return the model that ``network`` makes with the rest of the training."""
        prompt_encoder = PromptEncoder.trained_with(self.encoder, self.conditions)
        fit = surest(self.fit.cpu().numpy())
        return Model(self.config, network, self.first, self.second, prompt_encoder, fit)


def _latents(pixels: Pixels, config: PairsConfig, seed: int) -> tuple[LinearSpace, LinearDataset]:
    """Return the latent space of the halves (n, s, s, 3) of one side, and them in it."""
    pca = fit(pixels, config.components, seed, mirrored=config.flip_prob > 0)
    return LinearSpace(pca), LinearDataset(pca, pixels)


def build_network(
    config: PairsConfig, components: int, first_components: int, text_width: int
) -> PairMLP:
    """Build the network; the numbers are the widths of latents and texts."""
    return PairMLP(
        components,
        first_components,
        text_width,
        config.width,
        config.depth,
        config.expansion,
        config.dropout,
    )


@dataclass(frozen=True)
class Model:
    """A finished model: the network, and what it needs to draw the other half of a picture."""

    config: PairsConfig
    network: nn.Module
    first: LinearSpace
    second: LinearSpace
    prompt_encoder: PromptEncoder
    fit: float  # that drawings are asked for: that of the surest training pairs

    @property
    def size(self) -> int:
        return self.config.size

    @property
    def guidance(self) -> float:
        return self.config.guidance

    @torch.no_grad()
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

        Each is given a prompt, "" where nothing is known, and a seed, and does not depend on the
        others. ``guidance`` above 1 follows picture and prompt more closely.
        """
        network = self.network.to(device()).eval()
        first = self.first.latents(resized(pictures, self.size))
        fit = torch.full((len(first),), self.fit, device=device())
        condition = PairCondition(self.prompt_encoder.encode(prompts), first, fit)
        predict = _guided(network, condition, self.guidance if guidance is None else guidance)
        bf16 = device().type == "cuda" and self.config.precision != "float32"
        noise = seeded_noise(seeds, self.second.shape, device())
        with torch.autocast(device().type, torch.bfloat16, enabled=bf16):
            latents = SAMPLERS[self.config.sampler](
                _reporting(predict, on_progress), noise, steps or self.config.sampling_steps
            )
        return self.second.pictures(latents)

    def with_options(self, options: dict[str, Any]) -> Self:
        """Return it with other sampling options; raise ``TrainingError`` where one is wrong."""
        return replace(self, config=replace_options(self.config, options, sampling=True))

    def save(self, folder: Path, about: dict[str, Any]) -> None:
        """Write the model folder."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"first.{k}": v for k, v in self.first.pca.state_dict().items()}
        tensors |= {f"second.{k}": v for k, v in self.second.pca.state_dict().items()}
        tensors["fit"] = torch.tensor(self.fit)
        write_model(folder, about, self.config, self.prompt_encoder, tensors)


def load(folder: Path) -> Model:
    """Load a model folder; raise ``TrainingError`` where it holds no such model."""
    config, prompt_encoder = read_model(folder, PairsConfig)

    def build(tensors: dict[str, Tensor]) -> Model:
        if config.depth > len(tensors):
            raise ValueError(config.depth)
        first, second = (_space(under(side, tensors), config) for side in ("first.", "second."))
        with torch.device("meta"):
            shapes = second.shape[0], first.shape[0]
            network = build_network(config, *shapes, prompt_encoder.encoder.width)
        network.load_state_dict(under("network.", tensors), assign=True)
        network.requires_grad_(False)
        return Model(config, network, first, second, prompt_encoder, float(tensors["fit"]))

    return read_weights(folder, build)


def _space(tensors: dict[str, Tensor], config: PairsConfig) -> LinearSpace:
    with torch.device("meta"):
        pca = PCA(config.size, len(tensors["scale"]))
    pca.load_state_dict(tensors, assign=True)
    return LinearSpace(pca)


def _guided(network: nn.Module, condition: PairCondition, guidance: float) -> Predict:
    """Apply classifier-free guidance (arXiv 2207.12598) by first half and text together."""
    both = condition.with_unconditional()

    def predict(x: Tensor, t: Tensor) -> Tensor:
        if guidance == 1:
            known: Tensor = network(x, t, condition)
            return known
        conditional, unconditional = network(torch.cat([x, x]), torch.cat([t, t]), both).chunk(2)
        return torch.lerp(unconditional, conditional, guidance)

    return predict


def _reporting(predict: Predict, on_progress: OnProgress | None) -> Predict:
    """Wrap ``predict`` so that it reports progress at every step."""

    def reporting(x: Tensor, t: Tensor) -> Tensor:
        if on_progress:
            on_progress(float(t[0]))
        return predict(x, t)

    return reporting
