"""Warped copies of pairs: both halves turned, slanted, stretched and moved alike.

What belongs together does so whichever way both are drawn; a model that has seen each pair in
several ways knows more of a picture that it never saw.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from training.engine.data.pictures import Pixels

PAIRS_MAX = 40_000  # with their copies: of so many there is no need of any
BATCH = 1024  # pairs warped at once
TURN = 0.06  # radians, at most, either way
SLANT = 0.25
STRETCH = 0.15  # of the logarithm of width and of height
MOVE = 0.06  # of half a side


def with_warped(halves: Pixels, copies: int, seed: int) -> Pixels:
    """Return pairs (n, 2, s, s, 3), then up to ``copies`` warped ones of each, all in their order.

    There are fewer copies of many pairs: ``PAIRS_MAX`` in all.
    """
    copies = min(copies, PAIRS_MAX // max(len(halves), 1) - 1)
    if copies < 1:
        return halves
    random = torch.Generator().manual_seed(seed)
    parts = [np.asarray(halves)]
    for _ in range(copies):
        for start in range(0, len(halves), BATCH):
            parts.append(_warped(halves[start : start + BATCH], random))
    return np.concatenate(parts)


def _warped(halves: Pixels, random: torch.Generator) -> Pixels:
    count, _, size, _, _ = halves.shape
    pictures = torch.from_numpy(np.array(halves)).permute(0, 1, 4, 2, 3).flatten(1, 2).float()
    grid = affine_grid(_maps(count, random), [count, 1, size, size], align_corners=False)
    warped = grid_sample(pictures, grid, padding_mode="border", align_corners=False)  # (n, 6, s, s)
    pixels = warped.round().clamp(0, 255).to(torch.uint8).view(count, 2, 3, size, size)
    return pixels.permute(0, 1, 3, 4, 2).numpy()


def _maps(count: int, random: torch.Generator) -> Tensor:
    """Return random affine maps (n, 2, 3) of coordinates from -1 to 1."""
    turn, slant, wide, high, right, down = (
        limit * (2 * torch.rand(count, generator=random) - 1)
        for limit in (TURN, SLANT, STRETCH, STRETCH, MOVE, MOVE)
    )
    wide, high = wide.exp(), high.exp()
    across = torch.stack([turn.cos() / wide, (slant - turn.sin()) / wide, right], 1)
    along = torch.stack([turn.sin() / high, turn.cos() / high, down], 1)
    return torch.stack([across, along], 1)
