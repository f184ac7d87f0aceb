"""A power-function average of a network's weights (Karras et al. 2024, arXiv 2312.02696).

It averages over a fixed share of the steps so far, so that it suits a run of any length.
"""

import copy

import torch
from torch import Tensor, nn

GAMMA = 6.94  # relative standard deviation 0.1


class PowerEMA:
    """``network`` holds the averaged weights: w̄ ← β w̄ + (1 − β) w, β = (1 − 1/t)^(γ + 1)."""

    def __init__(self, network: nn.Module, gamma: float = GAMMA) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.gamma = gamma

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the weights after ``step`` (from 1) steps; buffers are copied."""
        beta = (1 - 1 / step) ** (self.gamma + 1)
        pairs = zip(self.network.parameters(), network.parameters(), strict=True)
        trained = [(mean, now) for mean, now in pairs if now.requires_grad]
        means: list[Tensor] = [mean for mean, _ in trained]
        weights: list[Tensor] = [now for _, now in trained]
        torch._foreach_lerp_(means, weights, 1 - beta)
        for kept, buffer in zip(self.network.buffers(), network.buffers(), strict=True):
            kept.copy_(buffer)
