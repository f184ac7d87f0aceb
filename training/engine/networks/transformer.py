"""A causal transformer over a picture's tokens (image GPT: Chen et al. 2020), with a condition.

Pre-norm; the condition moves every row and column embedding and modulates every block (adaLN,
arXiv 2212.09748). A patch of several levels is one position: small heads predict its levels one
after the other, each from those before it (arXiv 2203.01941).
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from training.engine.encoders.conditions import Condition
from training.engine.networks.condition import ConditionEmbedder


class KVCache:
    """Keys and values (depth, B, nh, T, hs) of the first ``length`` positions."""

    def __init__(self, like: Tensor, depth: int, heads: int, batch: int, capacity: int) -> None:
        size = like.shape[-1] // heads
        self.keys = like.new_zeros(depth, batch, heads, capacity, size)
        self.values = torch.zeros_like(self.keys)
        self.length = 0

    def update(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Append (B, nh, t, hs) to a layer and return all of it, (B, nh, length + t, hs)."""
        end = self.length + key.shape[2]
        self.keys[layer, :, :, self.length : end] = key
        self.values[layer, :, :, self.length : end] = value
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]


class Block(nn.Module):
    def __init__(self, layer: int, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.layer, self.heads = layer, heads
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.in_proj = nn.Linear(width, 3 * width)
        self.out_proj = nn.Linear(width, width)
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)
        self.modulation = nn.Linear(width, 4 * width)
        self.dropout = nn.Dropout(dropout)
        for zero in (
            self.modulation.weight,
            self.modulation.bias,
            self.out_proj.weight,
            self.fc2.weight,
        ):
            nn.init.zeros_(zero)  # a block begins as the identity

    def forward(self, x: Tensor, c: Tensor, cache: KVCache | None) -> Tensor:
        # x (B, t, C), c (B, 1, C)
        shift1, scale1, shift2, scale2 = self.modulation(c).chunk(4, dim=-1)  # (B, 1, C) each
        x = x + self._attention(self.norm(x) * (1 + scale1) + shift1, cache)
        hidden = self.norm(x) * (1 + scale2) + shift2
        out: Tensor = x + self.dropout(self.fc2(gelu(self.fc1(hidden))))
        return out

    def _attention(self, x: Tensor, cache: KVCache | None) -> Tensor:
        split = self.in_proj(x).unflatten(-1, (3, self.heads, -1))  # (B, t, 3, nh, hs)
        query, key, value = split.permute(2, 0, 3, 1, 4)  # (B, nh, t, hs) each
        if cache is not None:
            key, value = cache.update(self.layer, key, value)
        causal = query.shape[2] == key.shape[2]  # else one position, which may attend to all
        attended = scaled_dot_product_attention(query, key, value, is_causal=causal)
        merged = self.out_proj(attended.transpose(1, 2).flatten(2))  # (B, t, C)
        out: Tensor = self.dropout(merged)
        return out


class Transformer(nn.Module):
    """Predict tokens (B, T, L) of square pictures, T = side²: logits (B, T, L, K).

    The input of a position is the token before it and the one above it; it never sees its own
    token or later ones.
    """

    def __init__(
        self,
        *,
        codes: int,
        levels: int,
        side: int,
        text_width: int,
        ratings: int,
        width: int,
        depth: int,
        heads: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.codes, self.levels, self.side, self.heads = codes, levels, side, heads
        self.condition_embedder = ConditionEmbedder(text_width, width, ratings)
        self.cond_mlp = nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.previous_embed = nn.Embedding(levels * codes + 1, width)  # the last: no token
        self.above_embed = nn.Embedding(levels * codes + 1, width)
        self.level_embed = nn.Embedding(levels * codes, width)
        self.row_proj = nn.Linear(width, side * width)
        self.column_proj = nn.Linear(width, side * width)
        self.blocks = nn.ModuleList(Block(i, width, heads, dropout) for i in range(depth))
        self.out_mlps = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, codes)
            )
            for _ in range(levels)
        )
        for embedding in (self.previous_embed, self.above_embed, self.level_embed):
            nn.init.normal_(embedding.weight, std=0.1)
        for axis in (self.row_proj, self.column_proj):
            nn.init.normal_(axis.bias, std=0.1)

    def forward(self, tokens: Tensor, condition: Condition, hidden: Tensor | None = None) -> Tensor:
        """Return the logits; ``hidden`` (B, T − 1) are tokens that later positions do not see."""
        c = self.embed_condition(condition)
        states = self.hidden_states(tokens[:, :-1], c, hidden=hidden)  # (B, T, C)
        return torch.stack([self.logits(states, tokens, i) for i in range(self.levels)], dim=2)

    def embed_condition(self, condition: Condition) -> Tensor:
        """Return the condition's embedding (B, C)."""
        out: Tensor = self.cond_mlp(self.condition_embedder(condition))
        return out

    def new_cache(self, batch: int) -> KVCache:
        """Return an empty cache for ``batch`` pictures."""
        weight = self.previous_embed.weight
        return KVCache(weight, len(self.blocks), self.heads, batch, self.side**2)

    def hidden_states(
        self,
        tokens: Tensor,
        c: Tensor,
        cache: KVCache | None = None,
        hidden: Tensor | None = None,
    ) -> Tensor:
        """Return states (B, t + 1, C) of the tokens (B, t, L) and the next, given c (B, C).

        With a cache, return the states of those positions only that it does not hold yet.
        """
        start = cache.length if cache is not None else 0
        x = self._embed(tokens, c, start, hidden)
        for block in self.blocks:
            x = block(x, c[:, None], cache)
        if cache is not None:
            cache.length += x.shape[1]
        return x

    def logits(self, hidden: Tensor, tokens: Tensor, level: int) -> Tensor:
        """Return a level's logits (B, t, K) from states (B, t, C) and lower levels (B, t, L)."""
        for below in range(level):
            hidden = hidden + self.level_embed(tokens[..., below] + below * self.codes)
        out: Tensor = self.out_mlps[level](hidden)
        return out

    def _embed(self, tokens: Tensor, c: Tensor, start: int, hidden: Tensor | None) -> Tensor:
        """Return inputs (B, t + 1 − start, C) of the positions from ``start`` on."""
        batch, known, _ = tokens.shape
        offsets = torch.arange(self.levels, device=tokens.device) * self.codes
        no_token = self.levels * self.codes
        ids = tokens + offsets  # (B, t, L)
        if hidden is not None:
            ids = ids.masked_fill(hidden[..., None], no_token)
        border = tokens.new_full((batch, self.side, self.levels), no_token)
        padded = torch.cat([border, ids], dim=1)  # (B, side + t, L)
        at = torch.arange(start, known + 1, device=tokens.device)  # positions
        x: Tensor = self.previous_embed(padded[:, at + self.side - 1]).sum(2)  # (B, …, C)
        x = x + self.above_embed(padded[:, at]).sum(2)
        rows, columns = (
            axis(c).view(batch, self.side, -1) for axis in (self.row_proj, self.column_proj)
        )
        x = x + rows[:, at // self.side] + columns[:, at % self.side]
        return x
