"""A residual MLP whose every block is modulated by the condition (adaLN, arXiv 2212.09748)."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from training.engine.encoders.conditions import Condition
from training.engine.networks.condition import ConditionEmbedder


class Block(nn.Module):
    def __init__(self, width: int, expansion: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(width, 3 * width)
        self.inner = nn.Linear(width, expansion * width)
        self.outer = nn.Linear(expansion * width, width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        shift, scale, gate = self.modulation(condition).chunk(3, dim=-1)  # (B, width) each
        hidden = self.norm(x) * (1 + scale) + shift
        out: Tensor = x + gate * self.outer(self.dropout(silu(self.inner(hidden))))
        return out


class ConditionalMLP(nn.Module):
    """Noisy latents (B, K), time (B,) and a condition to clean latents (B, K).

    It is told which pictures were mirrored, so that samples are not (arXiv 2206.00364).
    """

    def __init__(
        self,
        components: int,
        text: int,
        width: int,
        depth: int,
        expansion: int,
        ratings: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.enter = nn.Linear(components, width)
        self.told = ConditionEmbedder(text, width, ratings)
        self.rest = nn.Linear(2 * FREQUENCIES + 1, width)
        self.mix = nn.Linear(width, width)
        self.blocks = nn.ModuleList(Block(width, expansion, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, components)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(
        self, x: Tensor, t: Tensor, told: Condition, mirrored: Tensor | None = None
    ) -> Tensor:
        turned = torch.zeros_like(t) if mirrored is None else mirrored
        rest = self.rest(torch.cat([waves(t), turned[:, None]], dim=1))
        condition = silu(self.mix(silu(self.told(told) + rest)))
        hidden = self.enter(x)
        for block in self.blocks:
            hidden = block(hidden, condition)
        out: Tensor = self.leave(self.norm(hidden))
        return out


FREQUENCIES = 16


def waves(t: Tensor) -> Tensor:
    """Times (B,) in [0, 1] as sines and cosines (B, 2·FREQUENCIES)."""
    angles = t[:, None] * math.pi * 2 ** torch.linspace(0, 6, FREQUENCIES, device=t.device)
    return torch.cat([angles.sin(), angles.cos()], dim=1)
