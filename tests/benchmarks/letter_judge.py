"""A judge that reads capitals: a small network, trained on the real ones of other families."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tests.benchmarks.letter_fonts import SIDE, Font

STEPS = 900


class Judge(nn.Module):
    """Read capitals (n, s, s) in [0, 1], black on white."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_layer(1, width),
            *_layer(width, width),
            nn.MaxPool2d(2),
            *_layer(width, 2 * width),
            *_layer(2 * width, 2 * width),
            nn.MaxPool2d(2),
            *_layer(2 * width, 4 * width),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(4 * width * (SIDE // 8) ** 2, 26),
        )

    def forward(self, pictures: Tensor) -> Tensor:  # (n, s, s) → (n, 26)
        answer: Tensor = self.layers(1 - pictures[:, None])
        return answer


def _layer(inside: int, outside: int) -> list[nn.Module]:
    convolution = nn.Conv2d(inside, outside, 3, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(outside), nn.ReLU()]


def judge_of(path: Path, train: list[Font]) -> Judge:
    """Return the judge that is kept there, or one that is trained and kept."""
    judge = Judge()
    if path.is_file():
        judge.load_state_dict(torch.load(path, weights_only=True))
    else:
        teach(judge, train)
        torch.save(judge.state_dict(), path)
    return judge.eval()


def teach(judge: Judge, train: list[Font]) -> None:
    """Train on real capitals: slanted, stretched, moved, thinner and bolder, and noisy ones."""
    torch.manual_seed(0)
    known = floats(np.concatenate([font.glyphs[1] for font in train]))[:, None]
    letters = torch.arange(26).repeat(len(train))
    optimizer = torch.optim.AdamW(judge.parameters(), weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, STEPS)
    for _ in range(STEPS):
        rows = torch.randint(len(known), (128,))
        seen = weighed(moved(known[rows]))
        seen = seen + 0.1 * torch.rand(128, 1, 1, 1) * torch.randn_like(seen)
        loss = nn.functional.cross_entropy(judge(seen[:, 0]), letters[rows], label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def moved(pictures: Tensor) -> Tensor:
    """Slant, stretch, turn and move most of the pictures (n, 1, s, s)."""
    count = len(pictures)

    def either_way(limit: float) -> Tensor:
        return limit * (2 * torch.rand(count) - 1) * (torch.rand(count) < 0.8)

    slant, wide, high = either_way(0.25), either_way(0.15).exp(), either_way(0.12).exp()
    turn, right, down = either_way(0.06), either_way(0.06), either_way(0.06)
    across = torch.stack([turn.cos() / wide, (slant - turn.sin()) / wide, right], 1)
    along = torch.stack([turn.sin() / high, turn.cos() / high, down], 1)
    maps = torch.stack([across, along], 1)
    grid = nn.functional.affine_grid(maps, list(pictures.shape), align_corners=False)
    return 1 - nn.functional.grid_sample(1 - pictures, grid, align_corners=False)


def weighed(pictures: Tensor) -> Tensor:
    """Make half of the pictures (n, 1, s, s) bolder or thinner."""
    ink = 1 - pictures
    bold = nn.functional.max_pool2d(ink, 3, 1, 1)
    thin = -nn.functional.max_pool2d(-ink, 3, 1, 1)
    weight = 0.8 * (2 * torch.rand(len(ink), 1, 1, 1) - 1)
    weight = weight * (torch.rand(len(ink), 1, 1, 1) < 0.5)
    bolder, thinner = (torch.lerp(ink, other, weight.abs()) for other in (bold, thin))
    return 1 - torch.where(weight > 0, bolder, thinner)


def floats(grey: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.array(grey)).float() / 255
