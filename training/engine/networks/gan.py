"""Generators and discriminators without normalisation (R3GAN, arXiv 2501.05441, section 4).

Two pairs: residual MLPs on principal components for processors, residual convolutional networks
on pixels for GPUs. All residual branches start at zero (Fixup, arXiv 1901.09321), so that
networks of any depth start out stable.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu

from training.engine.encoders.conditions import Condition
from training.engine.networks.condition import ConditionEmbedder

SLOPE = 0.2  # of leaky ReLUs, below 0


class GAN(nn.Module):
    """A generator, noise (B, Z) to samples (B, …), and a discriminator, samples to scores (B,)."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator


class GeneratorInput(nn.Module):
    """Embed noise (B, Z) and a condition as (B, width), what a generator starts from."""

    def __init__(self, noise: int, width: int, text_width: int, ratings: int) -> None:
        super().__init__()
        self.noise_proj = nn.Linear(noise, width)
        self.condition_embedder = ConditionEmbedder(text_width, width, ratings)

    def forward(self, noise: Tensor, condition: Condition, guidance: float = 1.0) -> Tensor:
        c = self.condition_embedder(condition)  # (B, C)
        if guidance != 1:  # extrapolate from the unconditional embedding
            null = self.condition_embedder(condition.unconditional())
            c = torch.lerp(null, c, guidance)
        out: Tensor = self.noise_proj(noise) + c
        return out


class ProjectionHead(nn.Module):
    """Score (B,) features (B, width) by their product with the condition (arXiv 1802.05637)."""

    def __init__(self, width: int, text_width: int, ratings: int) -> None:
        super().__init__()
        self.condition_embedder = ConditionEmbedder(text_width, width, ratings)

    def forward(self, features: Tensor, condition: Condition) -> Tensor:
        projected = features * self.condition_embedder(condition)
        exact = torch.promote_types(projected.dtype, torch.float32)
        out: Tensor = projected.sum(1, dtype=exact) / features.shape[1] ** 0.5
        return out


# On principal components


class Residual(nn.Module):
    """x + fc2(fc1(x)) with leaky ReLUs; the branch starts at zero."""

    def __init__(self, width: int, expansion: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, expansion * width)
        self.fc2 = nn.Linear(expansion * width, width)
        nn.init.kaiming_normal_(self.fc1.weight, SLOPE)
        nn.init.zeros_(self.fc2.weight)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.fc2(leaky_relu(self.fc1(leaky_relu(x, SLOPE)), SLOPE))
        return out


class ComponentGenerator(nn.Module):
    """Generate latents (B, K) from noise (B, Z) and a condition."""

    def __init__(
        self,
        *,
        components: int,
        noise: int,
        text_width: int,
        ratings: int,
        width: int,
        depth: int,
        expansion: int,
    ) -> None:
        super().__init__()
        self.input = GeneratorInput(noise, width, text_width, ratings)
        self.blocks = nn.Sequential(*(Residual(width, expansion) for _ in range(depth)))
        self.out_proj = nn.Linear(width, components)

    def forward(self, noise: Tensor, condition: Condition, guidance: float = 1.0) -> Tensor:
        hidden = self.blocks(self.input(noise, condition, guidance))
        out: Tensor = self.out_proj(leaky_relu(hidden, SLOPE))
        return out


class ComponentDiscriminator(nn.Module):
    """Score (B,) latents (B, K) given a condition."""

    def __init__(
        self,
        *,
        components: int,
        text_width: int,
        ratings: int,
        width: int,
        depth: int,
        expansion: int,
    ) -> None:
        super().__init__()
        self.in_proj = nn.Linear(components, width)
        self.condition_embedder = ConditionEmbedder(text_width, width, ratings)
        self.blocks = nn.Sequential(*(Residual(width, expansion) for _ in range(depth)))
        self.head = ProjectionHead(width, text_width, ratings)

    def forward(self, latents: Tensor, condition: Condition) -> Tensor:
        hidden = self.blocks(self.in_proj(latents) + self.condition_embedder(condition))
        out: Tensor = self.head(leaky_relu(hidden, SLOPE), condition)
        return out


# On pixels


class Bottleneck(nn.Module):
    """R3GAN's block: 1×1 up, grouped 3×3, 1×1 down, leaky ReLUs; the branch starts at zero."""

    def __init__(self, width: int, expansion: int, group: int, blocks: int) -> None:
        super().__init__()
        inner = expansion * width
        self.conv1 = nn.Conv2d(width, inner, 1)
        self.conv2 = nn.Conv2d(inner, inner, 3, padding=1, groups=max(1, inner // group))
        self.conv3 = nn.Conv2d(inner, width, 1, bias=False)
        for layer in (self.conv1, self.conv2):
            nn.init.kaiming_normal_(layer.weight, SLOPE)
            layer.weight.data.mul_(blocks**-0.25)  # L^(−1/(2m − 2)) of m = 3 layers
        nn.init.zeros_(self.conv3.weight)

    def forward(self, x: Tensor) -> Tensor:
        hidden = leaky_relu(self.conv1(x), SLOPE)
        out: Tensor = x + self.conv3(leaky_relu(self.conv2(hidden), SLOPE))
        return out


class Resample(nn.Module):
    """Resize bilinearly by a factor of 2 or 1/2, then change the width."""

    def __init__(self, width: int, to: int, factor: float) -> None:
        super().__init__()
        self.factor = factor
        self.proj = nn.Conv2d(width, to, 1, bias=False) if width != to else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:  # (B, C, h, w)
        size = int(x.shape[2] * self.factor)
        out: Tensor = self.proj(interpolate(x, (size, size), mode="bilinear"))
        return out


BASE = 4  # pixels that a generator starts from and a discriminator ends with


def widths(width: int, size: int) -> list[int]:
    """Return the channels from 4×4 pixels to ``size``: halved with each doubling past 8×8, ≥ 32."""
    stages = (size // BASE).bit_length()
    return [max(32, width // 2 ** max(0, stage - 1)) for stage in range(stages)]


class PixelGenerator(nn.Module):
    """Generate pictures (B, 3, s, s) from noise (B, Z) and a condition."""

    def __init__(
        self,
        *,
        size: int,
        noise: int,
        text_width: int,
        ratings: int,
        width: int,
        depth: int,
        expansion: int,
        group: int,
    ) -> None:
        super().__init__()
        channels = widths(width, size)
        self.input = GeneratorInput(noise, width, text_width, ratings)
        self.constant = nn.Parameter(torch.randn(1, width, BASE, BASE))
        layers: list[nn.Module] = []
        for stage, now in enumerate(channels):
            if stage:
                layers.append(Resample(channels[stage - 1], now, 2))
            blocks = len(channels) * depth
            layers += [Bottleneck(now, expansion, group, blocks) for _ in range(depth)]
        self.blocks = nn.Sequential(*layers)
        self.to_rgb = nn.Conv2d(channels[-1], 3, 1, bias=False)

    def forward(self, noise: Tensor, condition: Condition, guidance: float = 1.0) -> Tensor:
        start = self.input(noise, condition, guidance)[:, :, None, None] * self.constant
        out: Tensor = self.to_rgb(self.blocks(start))
        return out


class PixelDiscriminator(nn.Module):
    """Score (B,) pictures (B, 3, s, s) given a condition."""

    def __init__(
        self,
        *,
        size: int,
        text_width: int,
        ratings: int,
        width: int,
        depth: int,
        expansion: int,
        group: int,
    ) -> None:
        super().__init__()
        channels = widths(width, size)[::-1]
        self.from_rgb = nn.Conv2d(3, channels[0], 1, bias=False)
        layers: list[nn.Module] = []
        for stage, now in enumerate(channels):
            if stage:
                layers.append(Resample(channels[stage - 1], now, 0.5))
            blocks = len(channels) * depth
            layers += [Bottleneck(now, expansion, group, blocks) for _ in range(depth)]
        self.blocks = nn.Sequential(*layers)
        self.dwconv = nn.Conv2d(width, width, BASE, groups=width, bias=False)
        self.proj = nn.Linear(width, width, bias=False)
        self.head = ProjectionHead(width, text_width, ratings)

    def forward(self, pictures: Tensor, condition: Condition) -> Tensor:
        features = self.dwconv(self.blocks(self.from_rgb(pictures)))[:, :, 0, 0]
        out: Tensor = self.head(self.proj(features), condition)
        return out
