"""A rectified flow on principal components: the product's, but that examples may be weighted."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tests.benchmarks.uncertain_labels.arms import Conditioning
from training.engine.data.pictures import Pixels
from training.engine.encoders.conditions import Condition
from training.engine.latents.pca import PCA
from training.engine.networks.mlp import ConditionalMLP
from training.engine.recipes.base import Phase
from training.engine.recipes.diffusion import DiffusionConfig
from training.engine.sampling.samplers import euler, guided

PRODUCT = DiffusionConfig(steps=1)
WIDTH, DEPTH = 256, 3
FLIP_PROB = 0.5
SAMPLES = 200  # per class


class FlowTraining:
    """The network in training on latents (2, n, K): of pictures as they are, and mirrored."""

    def __init__(
        self, conditioning: Conditioning, latents: Tensor, scale: Tensor, seed: int
    ) -> None:
        self.conditioning, self.latents = conditioning, latents
        self.error_weight = scale / scale.mean()
        torch.manual_seed(seed)
        self.network: nn.Module = ConditionalMLP(
            len(scale), conditioning.text.shape[1], WIDTH, DEPTH, PRODUCT.expansion
        )
        self.phases = (Phase("flow", self.network, self.loss),)

    def loss(self, count: int) -> Tensor:
        """Return the weighted loss in v-space of a fresh batch."""
        rows = torch.randint(self.latents.shape[1], (count,))
        mirrored = (torch.rand(count) < FLIP_PROB).long()
        x0 = self.latents[mirrored, rows].float()
        kept = torch.rand(count) >= PRODUCT.cond_drop_prob
        condition = Condition(
            self.conditioning.text[rows],
            self.conditioning.confidence[rows] * kept,
            torch.zeros(count, 0),
        )
        t = torch.sigmoid(torch.randn(count) + PRODUCT.time_mean)[:, None]
        noisy = t * x0 + (1 - t) * torch.randn_like(x0)
        predicted = self.network(noisy, t[:, 0], condition, mirrored.float())
        error = (predicted - x0) / (1 - t).clamp(min=PRODUCT.time_clamp)
        each = (self.error_weight * error.square()).mean(1)
        loss: Tensor = (each * self.conditioning.weight[rows]).mean()
        return loss

    def sample_grid(self, network: nn.Module, prompts: tuple[str, ...]) -> bytes | None:
        """Return None: samples are drawn at the end alone."""
        return None

    def save(self, network: nn.Module, folder: Path, about: dict[str, Any]) -> None:
        """Save nothing: only the samples are of interest."""


@torch.no_grad()
def sample(
    network: nn.Module, pca: PCA, names: Tensor, confidence: float, guidance: float
) -> Pixels:
    """Return uint8 (C · SAMPLES, 32, 32, 3), class after class, of the same noise for each arm."""
    assert isinstance(network, ConditionalMLP)
    parts = []
    for index, text in enumerate(names):
        noise = torch.Generator().manual_seed(index)
        x = torch.randn(SAMPLES, pca.components, generator=noise)
        condition = Condition(
            text.expand(SAMPLES, -1), torch.full((SAMPLES,), confidence), torch.zeros(SAMPLES, 0)
        )
        predict = guided(network.eval(), condition, guidance)
        latents = euler(predict, lambda x=x: x, PRODUCT.sampling_steps)  # type: ignore[misc]
        parts.append(pca.pictures(latents))
    return np.concatenate(parts)
