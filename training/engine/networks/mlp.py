"""A residual MLP whose every block is modulated by the condition (adaLN, arXiv 2212.09748)."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from training.engine.encoders.conditions import Condition
from training.engine.networks.condition import ConditionEmbedder

FREQUENCIES = 16
NARROWING = 4  # how much narrower than the network what modulates its blocks is
CHANGES = 4  # numbers that say how a picture was changed: mirrored, moved across, down, scaled


class Block(nn.Module):
    def __init__(self, width: int, condition_width: int, expansion: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(condition_width, 3 * width)
        self.fc1 = nn.Linear(width, expansion * width)
        self.fc2 = nn.Linear(expansion * width, width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:  # (B, W), (B, C)
        shift, scale, gate = self.modulation(c).chunk(3, dim=-1)  # (B, W) each
        hidden = self.norm(x) * (1 + scale) + shift
        out: Tensor = x + gate * self.fc2(self.dropout(silu(self.fc1(hidden))))
        return out


class ConditionalMLP(nn.Module):
    """Predict clean latents (B, K) from noisy ones (B, K), times (B,) and a condition.

    ``change`` (B, 4) says how pictures were mirrored, moved and scaled, so that samples are not
    (arXiv 2206.00364).
    """

    def __init__(
        self,
        components: int,
        text_width: int,
        width: int,
        depth: int,
        expansion: int,
        ratings: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.in_proj = nn.Linear(components, width)
        self.condition_embedder = ConditionEmbedder(text_width, width, ratings)
        self.time_proj = nn.Linear(2 * FREQUENCIES + CHANGES, width)
        condition_width = width // NARROWING
        self.cond_proj = nn.Linear(width, condition_width)
        self.blocks = nn.ModuleList(
            Block(width, condition_width, expansion, dropout) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)
        self.out_proj = nn.Linear(width, components)
        nn.init.zeros_(self.out_proj.weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(
        self, x: Tensor, t: Tensor, condition: Condition, change: Tensor | None = None
    ) -> Tensor:
        change = x.new_zeros(x.shape[0], CHANGES) if change is None else change
        time = self.time_proj(torch.cat([fourier_features(t), change], dim=1))
        c = silu(self.cond_proj(silu(self.condition_embedder(condition) + time)))  # (B, C)
        hidden = self.in_proj(x)  # (B, W)
        for block in self.blocks:
            hidden = block(hidden, c)
        out: Tensor = self.out_proj(self.norm(hidden))  # (B, K)
        return out


def fourier_features(t: Tensor) -> Tensor:
    """Return sines and cosines (B, 2·FREQUENCIES) of times (B,) in [0, 1]."""
    angles = t[:, None] * math.pi * 2 ** torch.linspace(0, 6, FREQUENCIES, device=t.device)
    return torch.cat([angles.sin(), angles.cos()], dim=1)
