"""Move and scale pictures a little: the same things elsewhere, so that less is learnt by heart."""

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

FURTHEST = 0.12  # of a picture's side, across and down
SCALE = 0.15  # of the logarithm of a picture's size, either way
MOVES = 3  # numbers: across, down and scale, each in [-1, 1]


def random_moves(count: int, generator: torch.Generator) -> Tensor:
    """Return random moves (count, 3)."""
    return 2 * torch.rand(count, MOVES, generator=generator) - 1


def moved(pictures: Tensor, moves: Tensor) -> Tensor:
    """Return pictures (n, 3, s, s) by moves (n, 3); what comes in continues the edge."""
    scale = torch.exp(-SCALE * moves[:, 2])
    grid = torch.zeros(len(moves), 2, 3, device=pictures.device)
    grid[:, 0, 0] = grid[:, 1, 1] = scale
    grid[:, :, 2] = -2 * FURTHEST * moves[:, :2]
    places = affine_grid(grid, list(pictures.shape), align_corners=False)
    return grid_sample(pictures, places, padding_mode="border", align_corners=False)
