"""Generators and discriminators without normalisation (R3GAN, arXiv 2501.05441, section 4).

Two pairs: residual MLPs on principal components for processors, residual convolutional networks
on pixels for GPUs. All residual branches start at nothing (fix-up, arXiv 1901.09321), so that
networks of any depth start out stable.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu

from training.engine.encoders.conditions import Condition
from training.engine.networks.condition import ConditionEmbedder

SLOPE = 0.2  # of leaky ReLUs, below 0


class GAN(nn.Module):
    """A generator, noise (B, Z) to samples (B, …), and a discriminator, samples to (B,)."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator


class Asked(nn.Module):
    """Noise (B, Z) and a condition to (B, width): what a generator starts with."""

    def __init__(self, noise: int, width: int, text: int, ratings: int) -> None:
        super().__init__()
        self.noise = nn.Linear(noise, width)
        self.told = ConditionEmbedder(text, width, ratings)

    def forward(self, noise: Tensor, condition: Condition, guidance: float = 1.0) -> Tensor:
        told = self.told(condition)
        if guidance != 1:  # away from what is asked for when nothing is told
            told = torch.lerp(self.told(condition.unconditional()), told, guidance)
        out: Tensor = self.noise(noise) + told
        return out


class Judged(nn.Module):
    """Features (B, width) and a condition to scores (B,): a projection (arXiv 1802.05637)."""

    def __init__(self, width: int, text: int, ratings: int) -> None:
        super().__init__()
        self.told = ConditionEmbedder(text, width, ratings)

    def forward(self, features: Tensor, condition: Condition) -> Tensor:
        projected = features * self.told(condition)
        exact = torch.promote_types(projected.dtype, torch.float32)
        out: Tensor = projected.sum(1, dtype=exact) / features.shape[1] ** 0.5
        return out


# On principal components


class Residual(nn.Module):
    """x + outer(inner(x)), leaky; the branch starts at nothing."""

    def __init__(self, width: int, expansion: int) -> None:
        super().__init__()
        self.inner = nn.Linear(width, expansion * width)
        self.outer = nn.Linear(expansion * width, width)
        nn.init.kaiming_normal_(self.inner.weight, SLOPE)
        nn.init.zeros_(self.outer.weight)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.outer(leaky_relu(self.inner(leaky_relu(x, SLOPE)), SLOPE))
        return out


class ComponentGenerator(nn.Module):
    """Noise (B, Z) and a condition to latents (B, K)."""

    def __init__(
        self,
        *,
        components: int,
        noise: int,
        text: int,
        ratings: int,
        width: int,
        depth: int,
        expansion: int,
    ) -> None:
        super().__init__()
        self.asked = Asked(noise, width, text, ratings)
        self.blocks = nn.Sequential(*(Residual(width, expansion) for _ in range(depth)))
        self.leave = nn.Linear(width, components)

    def forward(self, noise: Tensor, condition: Condition, guidance: float = 1.0) -> Tensor:
        hidden = self.blocks(self.asked(noise, condition, guidance))
        out: Tensor = self.leave(leaky_relu(hidden, SLOPE))
        return out


class ComponentDiscriminator(nn.Module):
    """Latents (B, K) and a condition to scores (B,)."""

    def __init__(
        self, *, components: int, text: int, ratings: int, width: int, depth: int, expansion: int
    ) -> None:
        super().__init__()
        self.enter = nn.Linear(components, width)
        self.told = ConditionEmbedder(text, width, ratings)
        self.blocks = nn.Sequential(*(Residual(width, expansion) for _ in range(depth)))
        self.judged = Judged(width, text, ratings)

    def forward(self, latents: Tensor, condition: Condition) -> Tensor:
        hidden = self.blocks(self.enter(latents) + self.told(condition))
        out: Tensor = self.judged(leaky_relu(hidden, SLOPE), condition)
        return out


# On pixels


class Bottleneck(nn.Module):
    """R3GAN's block: 1×1 up, grouped 3×3, 1×1 down, leaky between; starts at nothing."""

    def __init__(self, width: int, expansion: int, group: int, blocks: int) -> None:
        super().__init__()
        inner = expansion * width
        self.enter = nn.Conv2d(width, inner, 1)
        self.middle = nn.Conv2d(inner, inner, 3, padding=1, groups=max(1, inner // group))
        self.leave = nn.Conv2d(inner, width, 1, bias=False)
        for layer in (self.enter, self.middle):
            nn.init.kaiming_normal_(layer.weight, SLOPE)
            layer.weight.data.mul_(blocks**-0.25)  # L^(−1/(2m − 2)) of m = 3 layers
        nn.init.zeros_(self.leave.weight)

    def forward(self, x: Tensor) -> Tensor:
        hidden = leaky_relu(self.enter(x), SLOPE)
        out: Tensor = x + self.leave(leaky_relu(self.middle(hidden), SLOPE))
        return out


class Resample(nn.Module):
    """Bilinear, by a factor of 2 up or down, then to another width."""

    def __init__(self, width: int, to: int, factor: float) -> None:
        super().__init__()
        self.factor = factor
        self.mix = nn.Conv2d(width, to, 1, bias=False) if width != to else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:  # (B, C, h, w)
        size = int(x.shape[2] * self.factor)
        out: Tensor = self.mix(interpolate(x, (size, size), mode="bilinear"))
        return out


BASE = 4  # pixels that a generator starts from and a discriminator ends with


def widths(width: int, size: int) -> list[int]:
    """Channels from 4×4 pixels to ``size``: halved at every doubling past 8×8, at least 32."""
    stages = (size // BASE).bit_length()
    return [max(32, width // 2 ** max(0, stage - 1)) for stage in range(stages)]


class PixelGenerator(nn.Module):
    """Noise (B, Z) and a condition to pictures (B, 3, s, s)."""

    def __init__(
        self,
        *,
        size: int,
        noise: int,
        text: int,
        ratings: int,
        width: int,
        depth: int,
        expansion: int,
        group: int,
    ) -> None:
        super().__init__()
        channels = widths(width, size)
        self.asked = Asked(noise, width, text, ratings)
        self.base = nn.Parameter(torch.randn(1, width, BASE, BASE))
        layers: list[nn.Module] = []
        for stage, now in enumerate(channels):
            if stage:
                layers.append(Resample(channels[stage - 1], now, 2))
            blocks = len(channels) * depth
            layers += [Bottleneck(now, expansion, group, blocks) for _ in range(depth)]
        self.blocks = nn.Sequential(*layers)
        self.leave = nn.Conv2d(channels[-1], 3, 1, bias=False)

    def forward(self, noise: Tensor, condition: Condition, guidance: float = 1.0) -> Tensor:
        start = self.asked(noise, condition, guidance)[:, :, None, None] * self.base
        out: Tensor = self.leave(self.blocks(start))
        return out


class PixelDiscriminator(nn.Module):
    """Pictures (B, 3, s, s) and a condition to scores (B,)."""

    def __init__(
        self,
        *,
        size: int,
        text: int,
        ratings: int,
        width: int,
        depth: int,
        expansion: int,
        group: int,
    ) -> None:
        super().__init__()
        channels = widths(width, size)[::-1]
        self.enter = nn.Conv2d(3, channels[0], 1, bias=False)
        layers: list[nn.Module] = []
        for stage, now in enumerate(channels):
            if stage:
                layers.append(Resample(channels[stage - 1], now, 0.5))
            blocks = len(channels) * depth
            layers += [Bottleneck(now, expansion, group, blocks) for _ in range(depth)]
        self.blocks = nn.Sequential(*layers)
        self.base = nn.Conv2d(width, width, BASE, groups=width, bias=False)
        self.mix = nn.Linear(width, width, bias=False)
        self.judged = Judged(width, text, ratings)

    def forward(self, pictures: Tensor, condition: Condition) -> Tensor:
        features = self.base(self.blocks(self.enter(pictures)))[:, :, 0, 0]
        out: Tensor = self.judged(self.mix(features), condition)
        return out
