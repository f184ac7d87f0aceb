"""From noise to latents of any shape, by a network that predicts where a noisy latent came from.

x_t = t·x₀ + (1 − t)·ε runs from noise (t = 0) to a clean latent (t = 1).
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from training.engine.encoders.conditions import Condition

Predict = Callable[[Tensor, Tensor], Tensor]  # (x_t, t) → x₀
Network = Callable[[Tensor, Tensor, Condition], Tensor]  # (x_t, t, condition) → x₀
Noise = Callable[[], Tensor]  # → a fresh ε

FRESH = 0.5  # the share of the noise's deviation that the ancestral sampler makes anew


def guided(network: Network, condition: Condition, guidance: float) -> Predict:
    """Classifier-free guidance (arXiv 2207.12598): belief 0 is the unconditional model."""
    pairs = zip(condition, condition.unconditional(), strict=True)
    twice = Condition(*(torch.cat(pair) for pair in pairs))

    def predict(x: Tensor, t: Tensor) -> Tensor:
        if guidance == 1 or not condition.belief.any():
            return network(x, t, condition)
        told, unconditional = network(torch.cat([x, x]), torch.cat([t, t]), twice).chunk(2)
        return torch.lerp(unconditional, told, guidance)

    return predict


def euler(predict: Predict, fresh: Noise, steps: int) -> Tensor:
    """x ← x + Δt·v, v = (x₀ − x)/(1 − t)."""
    x = fresh()
    for t, following in _times(x, steps):
        x = x + (following - t) * _velocity(predict, x, t)
    return x


def heun(predict: Predict, fresh: Noise, steps: int) -> Tensor:
    """Euler with the mean of the velocities at both ends of a step; the last step is Euler's."""
    x = fresh()
    for t, following in _times(x, steps):
        velocity = _velocity(predict, x, t)
        if following < 1:
            ahead = x + (following - t) * velocity
            velocity = (velocity + _velocity(predict, ahead, following)) / 2
        x = x + (following - t) * velocity
    return x


def ancestral(predict: Predict, fresh: Noise, steps: int) -> Tensor:
    """Euler with part of the noise made anew: what a step gets wrong, the next see less of."""
    x = fresh()
    for t, following in _times(x, steps):
        clean = predict(x, t.expand(len(x)))
        noise = (x - t * clean) / (1 - t)
        mixed = (1 - FRESH**2) ** 0.5 * noise + FRESH * fresh()
        x = following * clean + (1 - following) * mixed
    return x


SAMPLERS = {"euler": euler, "heun": heun, "ancestral": ancestral}


def _times(x: Tensor, steps: int) -> Iterable[tuple[Tensor, Tensor]]:
    return pairwise(torch.linspace(0, 1, steps + 1, device=x.device))


def _velocity(predict: Predict, x: Tensor, t: Tensor) -> Tensor:
    return (predict(x, t.expand(len(x))) - x) / (1 - t)


def noise(seeds: Sequence[int], shape: Sequence[int], device: torch.device) -> Noise:
    """Each picture has a generator of its own, so that it does not depend on its neighbours."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    size = tuple(shape)
    return lambda: torch.stack([torch.randn(size, generator=g) for g in generators]).to(device)


def arc(first: Tensor, last: Tensor, share: Tensor) -> Tensor:
    """Noises (count, …) from one (…) to another, at shares (count,), as long as they (slerp)."""
    share = share.view(-1, *[1] * first.dim())
    cosine = cosine_similarity(first.flatten(), last.flatten(), dim=0).clamp(-1, 1)
    angle = cosine.arccos()
    if angle < 1e-4:
        return first.lerp(last, share)
    return (torch.sin((1 - share) * angle) * first + torch.sin(share * angle) * last) / angle.sin()
