"""A causal transformer over a picture's tokens (image GPT: Chen et al. 2020), told by a condition.

Pre-norm; the condition speaks to every row and column, and modulates every block (adaLN,
arXiv 2212.09748). A patch of several levels is one position: small heads name its levels one
after the other, each told of those before it (arXiv 2203.01941).
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from training.engine.encoders.conditions import Condition
from training.engine.networks.condition import ConditionEmbedder


class KVCache:
    """Keys and values of the positions read so far (KV cache)."""

    def __init__(self, like: Tensor, depth: int, heads: int, batch: int, length: int) -> None:
        size = like.shape[-1] // heads
        self.keys = like.new_zeros(depth, batch, heads, length, size)
        self.values = torch.zeros_like(self.keys)
        self.seen = 0

    def extended(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Take in (B, nh, t, hs) of a layer; all that it has read, (B, nh, seen + t, hs)."""
        until = self.seen + key.shape[2]
        self.keys[layer, :, :, self.seen : until] = key
        self.values[layer, :, :, self.seen : until] = value
        return self.keys[layer, :, :, :until], self.values[layer, :, :, :until]


class Block(nn.Module):
    def __init__(self, layer: int, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.layer, self.heads = layer, heads
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.attend = nn.Linear(width, 3 * width)
        self.merge = nn.Linear(width, width)
        self.inner = nn.Linear(width, 4 * width)
        self.outer = nn.Linear(4 * width, width)
        self.modulation = nn.Linear(width, 4 * width)
        self.dropout = nn.Dropout(dropout)
        for nothing in (
            self.modulation.weight,
            self.modulation.bias,
            self.merge.weight,
            self.outer.weight,
        ):
            nn.init.zeros_(nothing)  # a block begins as the identity

    def forward(self, x: Tensor, told: Tensor, memory: KVCache | None) -> Tensor:
        """x (B, t, C), told (B, 1, C)."""
        shift, scale, shift_inner, scale_inner = self.modulation(told).chunk(4, dim=-1)
        x = x + self._attended(self.norm(x) * (1 + scale) + shift, memory)
        hidden = self.norm(x) * (1 + scale_inner) + shift_inner
        out: Tensor = x + self.dropout(self.outer(gelu(self.inner(hidden))))
        return out

    def _attended(self, x: Tensor, memory: KVCache | None) -> Tensor:
        split = self.attend(x).unflatten(-1, (3, self.heads, -1))  # (B, t, 3, nh, hs)
        query, key, value = split.permute(2, 0, 3, 1, 4)  # (B, nh, t, hs) each
        if memory is not None:
            key, value = memory.extended(self.layer, key, value)
        causal = query.shape[2] == key.shape[2]  # else one position, which may see all
        mixed = scaled_dot_product_attention(query, key, value, is_causal=causal)
        merged = self.merge(mixed.transpose(1, 2).flatten(2))  # (B, t, C)
        out: Tensor = self.dropout(merged)
        return out


class Transformer(nn.Module):
    """Tokens (B, T, L) of square pictures, T = side², to logits (B, T, L, K) of each.

    A position is told the token before it and the one above it; nothing of itself or later ones.
    ``forget`` is how often, in training, a token is withheld from those after it; from some
    pictures many, from others few. So they heed the condition more, and drawn tokens that are a
    little off lead them less astray.
    """

    def __init__(
        self,
        *,
        codes: int,
        levels: int,
        side: int,
        text: int,
        ratings: int,
        width: int,
        depth: int,
        heads: int,
        dropout: float,
        forget: float,
    ) -> None:
        super().__init__()
        self.codes, self.levels, self.side, self.heads = codes, levels, side, heads
        self.forget = forget
        self.told = ConditionEmbedder(text, width, ratings)
        self.mix = nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.before = nn.Embedding(levels * codes + 1, width)  # the last: no token
        self.above = nn.Embedding(levels * codes + 1, width)
        self.within = nn.Embedding(levels * codes, width)
        self.row = nn.Linear(width, side * width)
        self.column = nn.Linear(width, side * width)
        self.blocks = nn.ModuleList(Block(i, width, heads, dropout) for i in range(depth))
        self.leave = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, codes)
            )
            for _ in range(levels)
        )
        for embedding in (self.before, self.above, self.within):
            nn.init.normal_(embedding.weight, std=0.1)
        for axis in (self.row, self.column):
            nn.init.normal_(axis.bias, std=0.1)

    def forward(self, tokens: Tensor, condition: Condition) -> Tensor:
        hidden = self.read(tokens[:, :-1], self.tell(condition))
        return torch.stack([self.logits(hidden, tokens, i) for i in range(self.levels)], dim=2)

    def tell(self, condition: Condition) -> Tensor:
        """What the blocks are told (B, C)."""
        out: Tensor = self.mix(self.told(condition))
        return out

    def memory(self, batch: int) -> KVCache:
        """An empty one for ``batch`` pictures."""
        return KVCache(self.before.weight, len(self.blocks), self.heads, batch, self.side**2)

    def read(self, tokens: Tensor, told: Tensor, memory: KVCache | None = None) -> Tensor:
        """States (B, t + 1, C) of the known tokens (B, t, L) and the next, told (B, C).

        With a memory, the states of those positions alone that it has not read.
        """
        since = memory.seen if memory is not None else 0
        x = self._enter(tokens, told, since)
        for block in self.blocks:
            x = block(x, told[:, None], memory)
        if memory is not None:
            memory.seen += x.shape[1]
        return x

    def logits(self, hidden: Tensor, tokens: Tensor, level: int) -> Tensor:
        """Logits (B, t, K) of a level from states (B, t, C) and the levels below in (B, t, L)."""
        for below in range(level):
            hidden = hidden + self.within(tokens[..., below] + below * self.codes)
        out: Tensor = self.leave[level](hidden)
        return out

    def _enter(self, tokens: Tensor, told: Tensor, since: int) -> Tensor:
        """Inputs (B, t + 1 − since, C) of the positions from ``since`` on."""
        batch, known, _ = tokens.shape
        offsets = torch.arange(self.levels, device=tokens.device) * self.codes
        nothing = self.levels * self.codes
        entered = tokens + offsets
        if self.training and self.forget:
            often = 2 * self.forget * torch.rand(batch, 1, 1, device=tokens.device)
            gone = torch.rand(batch, known, 1, device=tokens.device) < often
            entered = entered.masked_fill(gone, nothing)
        border = tokens.new_full((batch, self.side, self.levels), nothing)
        padded = torch.cat([border, entered], dim=1)  # (B, side + t, L)
        at = torch.arange(since, known + 1, device=tokens.device)
        x: Tensor = self.before(padded[:, at + self.side - 1]).sum(2)
        x = x + self.above(padded[:, at]).sum(2)
        row, column = (axis(told).view(batch, self.side, -1) for axis in (self.row, self.column))
        x = x + row[:, at // self.side] + column[:, at % self.side]
        return x
