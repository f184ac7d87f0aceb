"""A transformer on patches of pixels, modulated by the condition (DiT, arXiv 2212.09748).

It predicts clean pixels, so that patches may be large (arXiv 2511.13720). Queries and keys are
normalised (arXiv 2302.05442), positions are rotations (arXiv 2104.09864), and a depthwise
convolution in the feed-forward lets neighbouring patches meet.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import rms_norm, scaled_dot_product_attention, silu

from training.engine.encoders.conditions import Condition
from training.engine.networks.condition import ConditionEmbedder
from training.engine.networks.mlp import FREQUENCIES, waves

HEAD = 64  # channels of a head, at most
EXPANSION = 4
LONGEST = 100.0  # the slowest rotation: a turn in 2π · this many patches


class Attention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = max(1, width // HEAD)
        self.enter = nn.Linear(width, 3 * width)
        self.leave = nn.Linear(width, width)

    def forward(self, x: Tensor, turns: Tensor) -> Tensor:
        count, tokens, width = x.shape
        split = self.enter(x).view(count, tokens, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)  # (B, heads, T, width / heads) each
        query, key = (rotated(_normal(part), turns).to(value.dtype) for part in (query, key))
        mixed = scaled_dot_product_attention(query, key, value)
        out: Tensor = self.leave(mixed.transpose(1, 2).reshape(x.shape))
        return out


class FeedForward(nn.Module):
    def __init__(self, width: int, side: int) -> None:
        super().__init__()
        self.side = side
        self.near = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.inner = nn.Linear(width, EXPANSION * width)
        self.outer = nn.Linear(EXPANSION * width, width)

    def forward(self, x: Tensor) -> Tensor:
        grid = x.transpose(1, 2).reshape(*x.shape[::2], self.side, self.side)  # (B, width, …)
        x = x + self.near(grid).flatten(2).transpose(1, 2)
        out: Tensor = self.outer(silu(self.inner(x)))
        return out


class Block(nn.Module):
    def __init__(self, width: int, side: int) -> None:
        super().__init__()
        self.attention = Attention(width)
        self.forward_part = FeedForward(width, side)
        self.modulation = nn.Linear(width, 6 * width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x: Tensor, condition: Tensor, turns: Tensor) -> Tensor:
        parts = self.modulation(condition)[:, None].chunk(6, dim=-1)  # (B, 1, width) each
        shift, scale, gate, later_shift, later_scale, later_gate = parts
        x = x + gate * self.attention(_normal(x) * (1 + scale) + shift, turns)
        near = self.forward_part(_normal(x) * (1 + later_scale) + later_shift)
        out: Tensor = x + later_gate * near
        return out


class DiT(nn.Module):
    """Noisy pictures (B, 3, s, s), time (B,) and a condition to clean pictures (B, 3, s, s).

    ``size`` is a multiple of ``patch``, and ``width`` of 64, or of 4 below that. It is told which
    pictures were mirrored, so that samples are not (arXiv 2206.00364).
    """

    turns: Tensor

    def __init__(
        self, size: int, patch: int, text: int, width: int, depth: int, ratings: int = 0
    ) -> None:
        super().__init__()
        side = size // patch
        self.patch = patch
        self.enter = nn.Conv2d(3, width, patch, stride=patch)
        self.told = ConditionEmbedder(text, width, ratings)
        self.rest = nn.Linear(2 * FREQUENCIES + 1, width)
        self.mix = nn.Linear(width, width)
        self.blocks = nn.ModuleList(Block(width, side) for _ in range(depth))
        self.modulation = nn.Linear(width, 2 * width)
        self.leave = nn.Linear(width, 3 * patch * patch)
        for layer in (self.modulation, self.leave):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.register_buffer("turns", angles(side, min(HEAD, width)))

    def forward(
        self, x: Tensor, t: Tensor, told: Condition, mirrored: Tensor | None = None
    ) -> Tensor:
        turned = torch.zeros_like(t) if mirrored is None else mirrored
        rest = self.rest(torch.cat([waves(t), turned[:, None]], dim=1))
        condition = silu(self.mix(silu(self.told(told) + rest)))
        hidden = self.enter(x)  # (B, width, side, side)
        side = hidden.shape[-1]
        hidden = hidden.flatten(2).transpose(1, 2)  # (B, T, width)
        for block in self.blocks:
            hidden = block(hidden, condition, self.turns)
        shift, scale = self.modulation(condition)[:, None].chunk(2, dim=-1)
        patches = self.leave(_normal(hidden) * (1 + scale) + shift)  # (B, T, 3·patch²)
        grid = patches.view(-1, side, side, 3, self.patch, self.patch)
        out: Tensor = grid.permute(0, 3, 1, 4, 2, 5).reshape(x.shape)
        return out


def _normal(x: Tensor) -> Tensor:
    """To root mean square 1 over channels."""
    return rms_norm(x, (x.shape[-1],))


def angles(side: int, channels: int) -> Tensor:
    """By how much each pair of a head's channels is turned at each patch (T, channels / 2).

    Half of the pairs follow the row, half the column.
    """
    pairs = channels // 4
    speed = LONGEST ** -(torch.arange(pairs) / pairs)
    place = torch.arange(side)[:, None] * speed  # (side, pairs)
    rows, columns = place[:, None].expand(-1, side, -1), place[None].expand(side, -1, -1)
    return torch.cat([rows, columns], dim=-1).flatten(0, 1)


def rotated(x: Tensor, turns: Tensor) -> Tensor:
    """Channels (…, T, c), the i-th and the (i + c/2)-th as a pair, turned by (T, c / 2)."""
    first, second = x.chunk(2, dim=-1)
    cos, sin = turns.cos(), turns.sin()
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)
