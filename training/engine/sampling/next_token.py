"""Sample a picture's tokens one by one, with guidance, temperature, top-k and top-p."""

from typing import Protocol

import torch
from torch import Tensor

from training.engine.encoders.conditions import Condition
from training.engine.networks.transformer import Transformer
from training.engine.sampling.progress import OnProgress


class TokenSampling(Protocol):
    """How tokens are sampled."""

    @property
    def guidance(self) -> float: ...
    @property
    def temperature(self) -> float: ...
    @property
    def top_k(self) -> int: ...
    @property
    def top_p(self) -> float: ...


def sample_tokens(
    network: Transformer,
    condition: Condition,
    noise: Tensor,
    options: TokenSampling,
    *,
    prefix: Tensor | None = None,
    on_progress: OnProgress | None = None,
) -> Tensor:
    """Return tokens (B, T, L) for noise (B, T, L), uniform in [0, 1], continuing ``prefix``.

    Classifier-free guidance acts on the logits (arXiv 2207.12598); at confidence 0
    the model is unconditional.
    """
    batch, length, levels = noise.shape
    tokens = noise.new_zeros((batch, length, levels), dtype=torch.long)
    start = 0 if prefix is None else prefix.shape[1]
    if prefix is not None:
        tokens[:, :start] = prefix
    guided = options.guidance != 1 and bool(condition.confidence.any())
    c = network.embed_condition(condition)  # (B, C)
    if guided:
        c = torch.cat([c, network.embed_condition(condition.unconditional())])  # (2B, C)
    cache = network.new_cache(len(c))
    for i in range(start, length):
        known = tokens[:, :i].repeat(1 + guided, 1, 1)
        hidden = network.hidden_states(known, c, cache)[:, -1:]  # (B or 2B, 1, C)
        for level in range(levels):
            below = tokens[:, i : i + 1].repeat(1 + guided, 1, 1)
            logits = network.logits(hidden, below, level)[:, 0]  # (B or 2B, K)
            if guided:
                conditional, unconditional = logits.chunk(2)
                logits = torch.lerp(unconditional, conditional, options.guidance)
            tokens[:, i, level] = choose(logits, noise[:, i, level], options)
        if on_progress:
            on_progress((i + 1 - start) / (length - start))
    return tokens


def choose(logits: Tensor, noise: Tensor, options: TokenSampling) -> Tensor:
    """Return one token each (B,) of logits (B, K): where noise (B,) falls in their distribution.

    Only the ``top_k`` most probable tokens are candidates, or as few as have the probability
    ``top_p`` together (arXiv 1904.09751).
    """
    p = torch.softmax(logits.double() / max(options.temperature, 1e-4), dim=-1)
    order = p.argsort(dim=-1, descending=True, stable=True)
    sorted_p = p.gather(1, order)
    kept = sorted_p.cumsum(1) - sorted_p < options.top_p  # by the mass of more probable tokens
    kept[:, options.top_k or p.shape[1] :] = False
    kept[:, 0] = True
    cumulative = (p * kept.gather(1, order.argsort(dim=-1))).cumsum(1)
    targets = noise.to(p.dtype)[:, None] * cumulative[:, -1:]
    return torch.searchsorted(cumulative, targets)[:, 0].clamp(max=p.shape[1] - 1)
