"""A residual MLP that predicts one half of a pair from the other, time, text and confidence."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from training.engine.encoders.conditions import Condition
from training.engine.networks.condition import ConditionEmbedder
from training.engine.networks.mlp import FREQUENCIES, Block, fourier_features


class PairCondition(NamedTuple):
    """What is known of each of B second halves: text, and the first half with its fit."""

    text: Condition
    first: Tensor  # (B, K) latents of the first halves
    fit: Tensor  # (B,) in [0, 1]: how surely the halves belong together; 0 says nothing of first

    def unconditional(self) -> "PairCondition":
        """Return the same halves with nothing known of them."""
        return PairCondition(self.text.unconditional(), self.first, torch.zeros_like(self.fit))

    def with_unconditional(self) -> "PairCondition":
        """Return these conditions, then the same with nothing known (2B, …)."""
        other = self.unconditional()
        text = Condition(*map(torch.cat, zip(self.text, other.text, strict=True)))
        return PairCondition(
            text, torch.cat([self.first, other.first]), torch.cat([self.fit, other.fit])
        )


class PairMLP(nn.Module):
    """Predict clean latents (B, K) from noisy ones (B, K), times (B,) and a ``PairCondition``.

    The first half enters as null + fit · (first − null), like text, beside the noisy latents and
    in the modulation of every block.
    """

    def __init__(
        self,
        components: int,
        first_components: int,
        text_width: int,
        width: int,
        depth: int,
        expansion: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.null = nn.Parameter(torch.zeros(first_components))
        self.in_proj = nn.Linear(components + first_components, width)
        self.text_embedder = ConditionEmbedder(text_width, width)
        self.time_proj = nn.Linear(2 * FREQUENCIES + 1, width)
        self.first_proj = nn.Linear(first_components, width)
        self.cond_proj = nn.Linear(width, width)
        self.blocks = nn.ModuleList(Block(width, width, expansion, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.out_proj = nn.Linear(width, components)
        nn.init.zeros_(self.out_proj.weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, x: Tensor, t: Tensor, condition: PairCondition) -> Tensor:
        fit = condition.fit[:, None]  # (B, 1)
        first = self.null + fit * (condition.first - self.null)  # (B, K)
        time = self.time_proj(torch.cat([fourier_features(t), fit], dim=1))
        known = self.text_embedder(condition.text) + self.first_proj(first) + time
        c = silu(self.cond_proj(silu(known)))  # (B, C)
        hidden = self.in_proj(torch.cat([x, first], dim=1))  # (B, C)
        for block in self.blocks:
            hidden = block(hidden, c)
        out: Tensor = self.out_proj(self.norm(hidden))  # (B, K)
        return out
