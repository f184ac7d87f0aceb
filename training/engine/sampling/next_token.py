"""A picture's tokens drawn one after the other, with guidance, temperature, top-k and top-p."""

from typing import Protocol

import torch
from torch import Tensor

from training.engine.encoders.conditions import Condition
from training.engine.networks.transformer import Transformer
from training.engine.recipes.base import OnProgress


class Choice(Protocol):
    """How tokens are chosen."""

    @property
    def guidance(self) -> float: ...
    @property
    def temperature(self) -> float: ...
    @property
    def top_k(self) -> int: ...
    @property
    def top_p(self) -> float: ...


def draw_tokens(
    network: Transformer,
    condition: Condition,
    noise: Tensor,
    choice: Choice,
    *,
    given: Tensor | None = None,
    tell: OnProgress | None = None,
) -> Tensor:
    """Tokens (B, T, L) for noise (B, T, L), uniform in [0, 1]; the first are ``given``.

    Classifier-free guidance acts on the logits (arXiv 2207.12598); belief 0 is the unconditional
    model.
    """
    batch, length, levels = noise.shape
    tokens = noise.new_zeros((batch, length, levels), dtype=torch.long)
    start = 0 if given is None else given.shape[1]
    if given is not None:
        tokens[:, :start] = given
    guided = choice.guidance != 1 and bool(condition.belief.any())
    told = network.tell(condition)  # (B, C)
    if guided:
        told = torch.cat([told, network.tell(condition.unconditional())])
    memory = network.memory(len(told))
    for i in range(start, length):
        known = tokens[:, :i].repeat(1 + guided, 1, 1)
        hidden = network.read(known, told, memory)[:, -1:]  # (B or 2B, 1, C)
        for level in range(levels):
            below = tokens[:, i : i + 1].repeat(1 + guided, 1, 1)
            logits = network.logits(hidden, below, level)[:, 0]
            if guided:
                with_text, without = logits.chunk(2)
                logits = torch.lerp(without, with_text, choice.guidance)
            tokens[:, i, level] = choose(logits, noise[:, i, level], choice)
        if tell:
            tell((i + 1 - start) / (length - start))
    return tokens


def choose(logits: Tensor, noise: Tensor, choice: Choice) -> Tensor:
    """One token each (B,) of logits (B, K): where noise (B,) falls in their distribution.

    Likely tokens alone may be left: the ``top_k`` likeliest, or as few as have the share
    ``top_p`` together (arXiv 1904.09751).
    """
    p = torch.softmax(logits.double() / max(choice.temperature, 1e-4), dim=-1)
    order = p.argsort(dim=-1, descending=True, stable=True)
    sorted_p = p.gather(1, order)
    kept = sorted_p.cumsum(1) - sorted_p < choice.top_p  # the share of likelier ones
    kept[:, choice.top_k or p.shape[1] :] = False
    kept[:, 0] = True
    total = (p * kept.gather(1, order.argsort(dim=-1))).cumsum(1)
    chosen = torch.searchsorted(total, noise.to(p.dtype)[:, None] * total[:, -1:])[:, 0]
    return chosen.clamp(max=p.shape[1] - 1)
