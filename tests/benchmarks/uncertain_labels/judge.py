"""A judge of photographs: a small convolutional network that was trained on true labels.

It is to read samples that lie in the span of some principal components, so half of what it learns
from are photographs brought into that span.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, max_pool2d, normalize, pad, relu

from training.engine.data.pictures import Pixels
from training.engine.evaluation.metrics import kid_statistic
from training.engine.latents.pca import PCA

CLASSES = 10
BATCH, RATE, DECAY, SMOOTHED = 256, 4e-3, 0.05, 0.05
SHIFT = 3  # pixels

Ints = npt.NDArray[np.intp]


class Judge(nn.Module):
    """Pictures (B, 3, 32, 32) in [-1, 1] to features (B, 192), and to logits of ten classes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 32, 4, stride=2, padding=1), nn.BatchNorm2d(32))
        self.conv1 = _convolution(32, 48)  # at 16 pixels
        self.conv2 = _convolution(48, 96)  # at 8
        self.conv2b = _convolution(96, 96)
        self.conv3 = _convolution(96, 192)  # at 4
        self.conv3b = _convolution(192, 192)
        self.head = nn.Linear(192, CLASSES)

    def features(self, x: Tensor) -> Tensor:
        x = max_pool2d(relu(self.conv1(relu(self.stem(x)))), 2)  # (B, 48, 8, 8)
        x = relu(self.conv2(x))
        x = max_pool2d(relu(x + self.conv2b(x)), 2)  # (B, 96, 4, 4)
        x = relu(self.conv3(x))
        x = relu(x + self.conv3b(x))  # (B, 192, 4, 4)
        return x.mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(x))
        return logits

    @torch.no_grad()
    def judge(self, pixels: Pixels) -> tuple[Tensor, Tensor]:
        """Return unit features (n, 192) and likeliest classes (n,) of uint8 (n, 32, 32, 3)."""
        self.eval()
        parts = [self.features(_signed(pixels[i : i + 500])) for i in range(0, len(pixels), 500)]
        features = torch.cat(parts)
        return normalize(features, dim=1), self.head(features).argmax(1)


def kid(first: Tensor, second: Tensor) -> float:
    """Return the product's KID of unit features (n, d) and (m, d), without an interval."""
    every = torch.arange(len(first)), torch.arange(len(second))
    return kid_statistic(first, second)(every)


def spread(features: Tensor) -> float:
    """Return the mean cosine distance between two samples (classes, n, d) of one class."""
    count = features.shape[1]
    alike = (features @ features.transpose(1, 2)).sum((1, 2))
    return float((1 - (alike - count) / (count * (count - 1))).mean())


def judge_for(
    folder: Path, pixels: Pixels, truth: Ints, pca: PCA, *, epochs: float, seed: int
) -> Judge:
    """Return the judge in the folder, trained there first if need be."""
    path = folder / f"judge, {epochs:g} epochs.safetensors"
    torch.manual_seed(seed)
    judge = Judge()
    if path.exists():
        judge.load_state_dict(load_file(path))
        return judge
    in_span = projected(pca, pixels)
    _train(judge, np.concatenate([pixels, in_span]), np.tile(truth, 2), epochs / 2)
    save_file(judge.state_dict(), path)
    return judge


def projected(pca: PCA, pixels: Pixels) -> Pixels:
    """Return the pictures as the components give them back."""
    parts = [
        pca.pictures(pca.encode_all(pixels[start : start + 2000]))
        for start in range(0, len(pixels), 2000)
    ]
    return np.concatenate(parts)


def _train(judge: Judge, pixels: Pixels, truth: Ints, epochs: float) -> None:
    steps = max(2, int(epochs * len(pixels) / BATCH))
    targets = torch.from_numpy(truth)
    optimizer = torch.optim.AdamW(judge.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, RATE, total_steps=steps, pct_start=0.2
    )
    order = torch.randperm(len(pixels))
    judge.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    for step in range(steps):
        start = step * BATCH % (len(pixels) - BATCH)
        rows = order[start : start + BATCH]
        optimizer.zero_grad()
        logits = judge(_moved(_signed(pixels[rows.numpy()])))
        loss = cross_entropy(logits, targets[rows], label_smoothing=SMOOTHED)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            print(f"judge: step {step} of {steps}, loss {loss.item():.3f}", file=sys.stderr)
    judge.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


def _moved(x: Tensor) -> Tensor:
    """Mirror half of the pictures, and shift the batch by a few pixels."""
    mirrored = torch.rand(len(x)) < 0.5
    x = torch.where(mirrored[:, None, None, None], x.flip(3), x)
    down, right = torch.randint(2 * SHIFT + 1, (2,)).tolist()
    wide = pad(x, (SHIFT,) * 4, mode="reflect")
    return wide[:, :, down : down + 32, right : right + 32]


def _signed(pixels: Pixels) -> Tensor:
    """Convert uint8 (n, 32, 32, 3) to (n, 3, 32, 32) in [-1, 1]."""
    return torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).float() / 127.5 - 1


def _convolution(channels: int, out: int) -> Any:
    return nn.Sequential(nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out))
