"""A power-function average of a network's weights (Karras et al. 2024, arXiv 2312.02696).

It averages over a fixed fraction of the steps so far, so that it suits a run of any length.
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
        """Update the average by the weights after ``step`` steps (from 1); copy buffers."""
        beta = (1 - 1 / step) ** (self.gamma + 1)
        pairs = zip(self.network.parameters(), network.parameters(), strict=True)
        trained = [(mean, weight) for mean, weight in pairs if weight.requires_grad]
        means = [_held(mean) for mean, _ in trained]
        weights = [_held(weight) for _, weight in trained]
        torch._foreach_lerp_(means, weights, 1 - beta)
        for averaged, buffer in zip(self.network.buffers(), network.buffers(), strict=True):
            averaged.copy_(buffer)


def _held(tensor: Tensor) -> Tensor:
    """Return the part of a tensor that this process holds, where several share it."""
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor
