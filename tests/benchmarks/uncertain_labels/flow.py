"""A rectified flow on principal components: the product's, but that examples may be weighted."""

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from tests.benchmarks.uncertain_labels.arms import Conditioning
from training.engine.data.pictures import Pixels
from training.engine.encoders.conditions import Condition
from training.engine.latents.pca import PCA
from training.engine.networks.mlp import CHANGES, ConditionalMLP
from training.engine.recipes.base import Phase
from training.engine.recipes.diffusion_model import DiffusionConfig
from training.engine.sampling.samplers import euler, guided

PRODUCT = DiffusionConfig(steps=1)
WIDTH, DEPTH = 256, 3
FLIP_PROB = 0.5
SAMPLES = 100  # per class


class Batch(NamedTuple):
    """Latents of B pictures on their way from noise, and which pictures they are."""

    rows: Tensor  # (B,)
    mirrored: Tensor  # (B,) 0 or 1
    kept: Tensor  # (B,) bool: that the condition is not dropped
    clean: Tensor  # (B, K)
    noisy: Tensor  # (B, K)
    t: Tensor  # (B,)


def draw(latents: Tensor, count: int) -> Batch:
    """Draw pictures of latents (2, n, K), as they are and mirrored, and noise for each."""
    rows = torch.randint(latents.shape[1], (count,))
    mirrored = (torch.rand(count) < FLIP_PROB).long()
    clean = latents[mirrored, rows].float()
    kept = torch.rand(count) >= PRODUCT.cond_drop_prob
    t = torch.sigmoid(torch.randn(count) + PRODUCT.time_mean)
    noisy = t[:, None] * clean + (1 - t[:, None]) * torch.randn_like(clean)
    return Batch(rows, mirrored, kept, clean, noisy, t)


class Unsaved:
    """A training of which nothing but the network in memory is of interest."""

    def sample_grid(self, network: nn.Module, prompts: tuple[str, ...]) -> bytes | None:
        """Return None: samples are drawn at the end alone."""
        return None

    def save(self, network: nn.Module, folder: Path, about: dict[str, Any]) -> None:
        """Save nothing."""


class FlowTraining(Unsaved):
    """The network in training on latents (2, n, K): of pictures as they are, and mirrored."""

    def __init__(
        self, conditioning: Conditioning, latents: Tensor, scale: Tensor, seed: int
    ) -> None:
        self.conditioning = conditioning
        self.error_scale = (scale / scale.mean()).sqrt()
        torch.manual_seed(seed)
        self.network: nn.Module = ConditionalMLP(
            len(scale), conditioning.text.shape[1], WIDTH, DEPTH, PRODUCT.expansion
        )
        self.phases = (Phase("flow", self.network, partial(draw, latents), self.loss),)

    def loss(self, batch: Batch) -> Tensor:
        """Return the weighted loss in v-space of a batch."""
        error = self.error(batch, self.conditioning.text[batch.rows])
        weight = self.conditioning.weight[batch.rows]
        loss: Tensor = (error.square().mean(1) * weight).mean()
        return loss

    def error(self, batch: Batch, text: Tensor) -> Tensor:
        """Return the errors (B, K) of the velocities that the network predicts under texts (B, E).

        Each counts as much as its component.
        """
        confidence = self.conditioning.confidence[batch.rows] * batch.kept
        change = torch.zeros(len(text), CHANGES)
        change[:, 0] = batch.mirrored
        condition = Condition(text, confidence, torch.zeros(len(text), 0))
        predicted = self.network(batch.noisy, batch.t, condition, change)
        left = (1 - batch.t).clamp(min=PRODUCT.time_clamp)[:, None]
        error: Tensor = self.error_scale * (predicted - batch.clean) / left
        return error


@torch.no_grad()
def sample(
    network: nn.Module, pca: PCA, names: Tensor, confidence: float, guidance: float, seed: int
) -> Pixels:
    """Return uint8 (C · SAMPLES, 32, 32, 3), class after class, of the same noise for each arm."""
    assert isinstance(network, ConditionalMLP)
    parts = []
    for index, text in enumerate(names):
        noise = torch.Generator().manual_seed(seed * len(names) + index)
        x = torch.randn(SAMPLES, pca.components, generator=noise)
        condition = Condition(
            text.expand(SAMPLES, -1), torch.full((SAMPLES,), confidence), torch.zeros(SAMPLES, 0)
        )
        predict = guided(network.eval(), condition, guidance)
        latents = euler(predict, lambda x=x: x, PRODUCT.sampling_steps)  # type: ignore[misc]
        parts.append(pca.pictures(latents))
    return np.concatenate(parts)
