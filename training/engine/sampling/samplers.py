"""Samplers of rectified flow: from noise to latents of any shape, by a network that predicts x₀.

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
NoiseSampler = Callable[[], Tensor]  # → a new ε

ANCESTRAL = 0.5  # the share of the noise's deviation that the ancestral sampler resamples


def guided(network: Network, condition: Condition, guidance: float) -> Predict:
    """Apply classifier-free guidance (arXiv 2207.12598); confidence 0 is unconditional."""
    pairs = zip(condition, condition.unconditional(), strict=True)
    both = Condition(*(torch.cat(pair) for pair in pairs))

    def predict(x: Tensor, t: Tensor) -> Tensor:
        if guidance == 1 or not condition.confidence.any():
            return network(x, t, condition)
        conditional, unconditional = network(torch.cat([x, x]), torch.cat([t, t]), both).chunk(2)
        return torch.lerp(unconditional, conditional, guidance)

    return predict


def euler(predict: Predict, sample_noise: NoiseSampler, steps: int) -> Tensor:
    """Step x ← x + Δt·v, v = (x₀ − x)/(1 − t)."""
    x = sample_noise()
    for t, t_next in _times(x, steps):
        x = x + (t_next - t) * _velocity(predict, x, t)
    return x


def heun(predict: Predict, sample_noise: NoiseSampler, steps: int) -> Tensor:
    """Step by the mean of the velocities at both ends of a step; the last step is Euler's."""
    x = sample_noise()
    for t, t_next in _times(x, steps):
        velocity = _velocity(predict, x, t)
        if t_next < 1:
            x_next = x + (t_next - t) * velocity
            velocity = (velocity + _velocity(predict, x_next, t_next)) / 2
        x = x + (t_next - t) * velocity
    return x


def ancestral(predict: Predict, sample_noise: NoiseSampler, steps: int) -> Tensor:
    """Step as Euler does with part of the noise resampled, which corrects earlier errors."""
    x = sample_noise()
    for t, t_next in _times(x, steps):
        clean = predict(x, t.expand(len(x)))
        noise = (x - t * clean) / (1 - t)
        mixed = (1 - ANCESTRAL**2) ** 0.5 * noise + ANCESTRAL * sample_noise()
        x = t_next * clean + (1 - t_next) * mixed
    return x


SAMPLERS = {"euler": euler, "heun": heun, "ancestral": ancestral}


def _times(x: Tensor, steps: int) -> Iterable[tuple[Tensor, Tensor]]:
    return pairwise(torch.linspace(0, 1, steps + 1, device=x.device))


def _velocity(predict: Predict, x: Tensor, t: Tensor) -> Tensor:
    return (predict(x, t.expand(len(x))) - x) / (1 - t)


def seeded_noise(seeds: Sequence[int], shape: Sequence[int], device: torch.device) -> NoiseSampler:
    """Return a sampler of normal noise (n, …): each picture's depends on its own seed alone."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    size = tuple(shape)
    return lambda: torch.stack([torch.randn(size, generator=g) for g in generators]).to(device)


def slerp(first: Tensor, last: Tensor, weights: Tensor) -> Tensor:
    """Interpolate spherically from one noise (…) to another at weights (n,): (n, …)."""
    weights = weights.view(-1, *[1] * first.dim())
    cosine = cosine_similarity(first.flatten(), last.flatten(), dim=0).clamp(-1, 1)
    angle = cosine.arccos()
    if angle < 1e-4:
        return first.lerp(last, weights)
    parts = torch.sin((1 - weights) * angle) * first + torch.sin(weights * angle) * last
    return parts / angle.sin()
