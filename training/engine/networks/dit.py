"""A transformer on patches of pixels, modulated by the condition (DiT, arXiv 2212.09748).

It predicts clean pixels, so that patches may be large (arXiv 2511.13720). Queries and keys are
normalised (arXiv 2302.05442), positions are rotary (arXiv 2104.09864), and a depthwise
convolution in the feed-forward exchanges information between neighbouring patches.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import rms_norm, scaled_dot_product_attention, silu

from training.engine.encoders.conditions import Condition
from training.engine.networks.condition import ConditionEmbedder
from training.engine.networks.mlp import CHANGES, FREQUENCIES, fourier_features

HEAD_WIDTH = 64  # channels of a head, at most
EXPANSION = 4
ROPE_BASE = 100.0  # the slowest rotation turns once in 2π · this many patches


class Attention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = max(1, width // HEAD_WIDTH)
        self.in_proj = nn.Linear(width, 3 * width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor, rope: Tensor) -> Tensor:  # (B, T, C), (T, hs / 2)
        batch, tokens, width = x.shape
        split = self.in_proj(x).view(batch, tokens, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)  # (B, nh, T, hs) each
        query, key = (rotated(_normal(part), rope).to(value.dtype) for part in (query, key))
        attended = scaled_dot_product_attention(query, key, value)  # (B, nh, T, hs)
        out: Tensor = self.out_proj(attended.transpose(1, 2).reshape(x.shape))  # (B, T, C)
        return out


class FeedForward(nn.Module):
    def __init__(self, width: int, side: int) -> None:
        super().__init__()
        self.side = side
        self.dwconv = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.fc1 = nn.Linear(width, EXPANSION * width)
        self.fc2 = nn.Linear(EXPANSION * width, width)

    def forward(self, x: Tensor) -> Tensor:  # (B, T, C)
        grid = x.transpose(1, 2).reshape(*x.shape[::2], self.side, self.side)  # (B, C, side, side)
        x = x + self.dwconv(grid).flatten(2).transpose(1, 2)
        out: Tensor = self.fc2(silu(self.fc1(x)))  # (B, T, C)
        return out


class Block(nn.Module):
    def __init__(self, width: int, side: int) -> None:
        super().__init__()
        self.attention = Attention(width)
        self.feed_forward = FeedForward(width, side)
        self.modulation = nn.Linear(width, 6 * width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x: Tensor, c: Tensor, rope: Tensor) -> Tensor:  # (B, T, C), (B, C)
        parts = self.modulation(c)[:, None].chunk(6, dim=-1)  # (B, 1, C) each
        shift1, scale1, gate1, shift2, scale2, gate2 = parts
        x = x + gate1 * self.attention(_normal(x) * (1 + scale1) + shift1, rope)
        out: Tensor = x + gate2 * self.feed_forward(_normal(x) * (1 + scale2) + shift2)
        return out


class DiT(nn.Module):
    """Predict clean pictures (B, 3, s, s) from noisy ones, times (B,) and a condition.

    ``size`` is a multiple of ``patch``, and ``width`` of 64, or of 4 below that. ``change``
    (B, 4) says how pictures were mirrored, moved and scaled, so that samples are not
    (arXiv 2206.00364).
    """

    rope: Tensor

    def __init__(
        self, size: int, patch: int, text_width: int, width: int, depth: int, ratings: int = 0
    ) -> None:
        super().__init__()
        side = size // patch
        self.patch = patch
        self.patch_embed = nn.Conv2d(3, width, patch, stride=patch)
        self.condition_embedder = ConditionEmbedder(text_width, width, ratings)
        self.time_proj = nn.Linear(2 * FREQUENCIES + CHANGES, width)
        self.cond_proj = nn.Linear(width, width)
        self.blocks = nn.ModuleList(Block(width, side) for _ in range(depth))
        self.modulation = nn.Linear(width, 2 * width)
        self.out_proj = nn.Linear(width, 3 * patch * patch)
        for layer in (self.modulation, self.out_proj):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.register_buffer("rope", rope_angles(side, min(HEAD_WIDTH, width)))

    def forward(
        self, x: Tensor, t: Tensor, condition: Condition, change: Tensor | None = None
    ) -> Tensor:
        change = x.new_zeros(len(x), CHANGES) if change is None else change
        time = self.time_proj(torch.cat([fourier_features(t), change], dim=1))
        c = silu(self.cond_proj(silu(self.condition_embedder(condition) + time)))  # (B, C)
        hidden = self.patch_embed(x)  # (B, C, side, side)
        side = hidden.shape[-1]
        hidden = hidden.flatten(2).transpose(1, 2)  # (B, T, C)
        for block in self.blocks:
            hidden = block(hidden, c, self.rope)
        shift, scale = self.modulation(c)[:, None].chunk(2, dim=-1)  # (B, 1, C) each
        patches = self.out_proj(_normal(hidden) * (1 + scale) + shift)  # (B, T, 3·patch²)
        grid = patches.view(-1, side, side, 3, self.patch, self.patch)
        out: Tensor = grid.permute(0, 3, 1, 4, 2, 5).reshape(x.shape)  # (B, 3, s, s)
        return out


def _normal(x: Tensor) -> Tensor:
    """Scale to root mean square 1 over channels."""
    return rms_norm(x, (x.shape[-1],))


def rope_angles(side: int, channels: int) -> Tensor:
    """Return the angle of each pair of a head's channels at each patch, (T, channels / 2).

    Half of the pairs encode the row, half the column.
    """
    pairs = channels // 4
    speed = ROPE_BASE ** -(torch.arange(pairs) / pairs)
    angles = torch.arange(side)[:, None] * speed  # (side, pairs)
    rows, columns = angles[:, None].expand(-1, side, -1), angles[None].expand(side, -1, -1)
    return torch.cat([rows, columns], dim=-1).flatten(0, 1)


def rotated(x: Tensor, angles: Tensor) -> Tensor:
    """Rotate channels (…, T, c), the i-th and the (i + c/2)-th as a pair, by angles (T, c / 2)."""
    first, second = x.chunk(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)
