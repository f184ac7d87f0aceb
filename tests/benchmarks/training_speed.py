"""Training images a second on this machine: the `cpu` preset against a U-Net on pixels.

    python tests/benchmarks/training_speed.py SNAPSHOT [--seconds 20] [--threads 2]

The U-Net is the plain conditional one of most tutorials (three levels, two residual blocks each,
32 pixels), of as many parameters as the preset's network; loop, batch, texts and optimiser are
the same. Prints a Markdown table.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, silu

from training.data import read_snapshot
from training.loop import Loop
from training.nets.mlp import FREQUENCIES, waves
from training.recipes import PRESETS
from training.recipes.diffusion import DiffusionConfig, DiffusionTraining

PIXELS = 32
WIDTH = 96  # channels of the U-Net's first level: 6M parameters
WARM = 3  # steps that are not timed


class ResidualBlock(nn.Module):
    def __init__(self, before: int, after: int, condition: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.GroupNorm(8, before), nn.SiLU(), _conv(before, after))
        self.told = nn.Linear(condition, after)
        self.second = nn.Sequential(nn.GroupNorm(8, after), nn.SiLU(), _conv(after, after))
        self.skip = nn.Conv2d(before, after, 1) if before != after else nn.Identity()

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        hidden = self.first(x) + self.told(condition)[:, :, None, None]
        out: Tensor = self.skip(x) + self.second(hidden)
        return out


class UNet(nn.Module):
    """Pixels (B, 3, s, s), time (B,), text (B, E) to pixels."""

    def __init__(self, width: int, text: int) -> None:
        super().__init__()
        condition = 2 * width
        self.told = nn.Linear(text + 2 * FREQUENCIES, condition)
        self.enter = _conv(3, width)
        widths = [width, width * 3 // 2, width * 2]
        down, up, before = [], [], width
        for after in widths:
            down += [
                ResidualBlock(before, after, condition),
                ResidualBlock(after, after, condition),
            ]
            before = after
        for after in reversed(widths):
            up += [ResidualBlock(before + after, after, condition)]
            up += [ResidualBlock(after, after, condition)]
            before = after
        self.down, self.up = nn.ModuleList(down), nn.ModuleList(up)
        self.leave = _conv(width, 3)

    def forward(self, x: Tensor, t: Tensor, text: Tensor) -> Tensor:
        condition = silu(self.told(torch.cat([text, waves(t)], 1)))
        x, kept = self.enter(x), []
        for first, second in zip(self.down[::2], self.down[1::2], strict=True):
            x = second(first(x, condition), condition)
            kept.append(x)
            x = nn.functional.avg_pool2d(x, 2)
        for first, second in zip(self.up[::2], self.up[1::2], strict=True):
            x = torch.cat([interpolate(x, scale_factor=2.0), kept.pop()], 1)
            x = second(first(x, condition), condition)
        out: Tensor = self.leave(x)
        return out


def _conv(before: int, after: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, 3, padding=1)


class PixelTraining:
    """The same loss on pixels, with the texts of the preset's own training."""

    def __init__(self, latent: DiffusionTraining) -> None:
        self.latent = latent
        self.network = UNet(WIDTH, latent.encoder.width)
        images = torch.from_numpy(latent.pixels.copy()).permute(0, 3, 1, 2).float() / 127.5 - 1
        self.images = interpolate(images, (PIXELS, PIXELS), mode="area")

    def loss(self) -> Tensor:
        _, _, text, _ = self.latent.draw_batch()
        x0 = self.images[torch.randint(len(self.images), (len(text),))]
        t = torch.sigmoid(torch.randn(len(x0)) + self.latent.config.time_mean)
        at = t.view(-1, 1, 1, 1)
        predicted = self.network(at * x0 + (1 - at) * torch.randn_like(x0), t, text)
        remaining = (1 - at).clamp(min=self.latent.config.time_clamp)
        return ((predicted - x0) / remaining).square().mean()


def rate(loop: Loop, batch: int, seconds: float) -> float:
    """Images a second over ``seconds`` of steps."""
    for _ in range(WARM):
        loop.advance()
    start, steps = time.monotonic(), 0
    while time.monotonic() - start < seconds:
        loop.advance()
        steps += 1
    return steps * batch / (time.monotonic() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("snapshot", type=Path)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    config = PRESETS["diffusion"]["cpu"]
    assert isinstance(config, DiffusionConfig)
    with tempfile.TemporaryDirectory() as cache:
        latent = DiffusionTraining(
            config, read_snapshot(options.snapshot), cache=Path(cache), seed=0
        )
    pixel = PixelTraining(latent)
    rows: list[tuple[str, int, DiffusionTraining | PixelTraining]] = [
        (f"`cpu` preset: flow on {config.components} principal components", config.size, latent),
        ("U-Net on pixels", PIXELS, pixel),
    ]
    print("| network | pixels | parameters | images/s |\n|---|---|---|---|")
    for name, size, training in rows:
        count = sum(p.numel() for p in training.network.parameters()) / 1e6
        speed = rate(Loop(training, config, seed=0), config.batch, options.seconds)
        print(f"| {name} | {size} | {count:.1f}M | {speed:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
