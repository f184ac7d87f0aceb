"""A residual MLP whose every block is modulated by the condition (adaLN, arXiv 2212.09748)."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import silu


class Block(nn.Module):
    def __init__(self, width: int, expansion: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(width, 3 * width)
        self.inner = nn.Linear(width, expansion * width)
        self.outer = nn.Linear(expansion * width, width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        shift, scale, gate = self.modulation(condition).chunk(3, dim=-1)  # (B, width) each
        hidden = self.norm(x) * (1 + scale) + shift
        out: Tensor = x + gate * self.outer(silu(self.inner(hidden)))
        return out


class ConditionalMLP(nn.Module):
    """Noisy latents (B, K), time (B,), text (B, E) and belief (B,) to clean latents (B, K).

    The text enters as null + belief · (text − null), so that belief 0 is the unconditional model.
    It is told which pictures were mirrored, so that samples are not (arXiv 2206.00364).
    """

    def __init__(self, components: int, text: int, width: int, depth: int, expansion: int) -> None:
        super().__init__()
        self.null = nn.Parameter(torch.zeros(text))
        self.enter = nn.Linear(components, width)
        self.text = nn.Linear(text, width)
        self.rest = nn.Linear(2 * FREQUENCIES + 2, width)
        self.mix = nn.Linear(width, width)
        self.blocks = nn.ModuleList(Block(width, expansion) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, components)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(
        self, x: Tensor, t: Tensor, text: Tensor, belief: Tensor, mirrored: Tensor | None = None
    ) -> Tensor:
        trust = belief[:, None]
        told = self.null + trust * (text - self.null)  # (B, E)
        turned = torch.zeros_like(trust) if mirrored is None else mirrored[:, None]
        rest = torch.cat([waves(t), trust, turned], dim=1)
        scaled = told * text.shape[1] ** 0.5  # unit rows to unit variance
        condition = silu(self.mix(silu(self.text(scaled) + self.rest(rest))))
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
