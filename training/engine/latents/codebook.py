"""Tokenise pictures: each patch, or each pixel, becomes the index of the nearest k-means code.

Patches have several levels: the codes of one quantise the residual of the one before (residual
quantisation, arXiv 2203.01941). A palette is a codebook of patches of one pixel
(image GPT: Chen et al. 2020).
"""

import math
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad, pixel_shuffle, pixel_unshuffle

from training.engine.data.pictures import Pixels
from training.engine.files import TrainingError, write_tensors

FIT_PICTURES = 4096
FIT_PATCHES = 65_536
ROUNDS = 20  # of k-means
RIDGE = 10.0  # of the linear map that smooths seams
BATCH = 64  # pictures at a time


class Codebook(nn.Module):
    """Encode pictures (n, 3, s, s) in [-1, 1] as tokens (n, T, L) and decode them.

    There are T patches, row by row, with L levels each. Decoding adds to every patch what a
    linear map predicts from it and its eight neighbours, which smooths the seams.
    """

    codes: Tensor
    seam_weight: Tensor
    seam_bias: Tensor

    def __init__(self, patch: int, levels: int, count: int) -> None:
        super().__init__()
        self.patch = patch
        values = 3 * patch * patch  # D
        self.register_buffer("codes", torch.zeros(levels, count, values))
        self.register_buffer("seam_weight", torch.zeros(values, values, 3, 3))
        self.register_buffer("seam_bias", torch.zeros(values))

    @property
    def levels(self) -> int:
        return self.codes.shape[0]

    @property
    def count(self) -> int:
        """The number of codes in a level."""
        return self.codes.shape[1]

    def encode(self, pictures: Tensor) -> Tensor:
        """Return tokens (n, T, L) of pictures (n, 3, s, s)."""
        residual = pixel_unshuffle(pictures, self.patch).flatten(2).transpose(1, 2)  # (n, T, D)
        tokens = []
        for codes in self.codes:
            tokens.append(_nearest(residual.flatten(0, 1), codes).view(residual.shape[:2]))
            residual = residual - codes[tokens[-1]]
        return torch.stack(tokens, dim=2)

    def patches(self, tokens: Tensor) -> Tensor:
        """Return each patch's sum of codes as a grid (n, D, √T, √T)."""
        values = torch.stack([codes[tokens[..., i]] for i, codes in enumerate(self.codes)])
        count, length, _ = tokens.shape
        side = math.isqrt(length)
        return values.sum(0).transpose(1, 2).reshape(count, -1, side, side)

    def decode(self, tokens: Tensor) -> Tensor:
        """Return pictures (n, 3, s, s) of tokens (n, T, L)."""
        patches = self.patches(tokens)
        smoothed = patches + conv2d(_bordered(patches), self.seam_weight, self.seam_bias)
        return pixel_shuffle(smoothed, self.patch).clamp(-1, 1)


def fitted(
    pixels: Pixels, cache: Path, name: str, *, patch: int, levels: int, count: int
) -> Codebook:
    """Return the codebook of uint8 pictures (n, s, s, 3), fitted once per cache and ``name``."""
    path = cache / f"codebook-{pixels.shape[1]}-{patch}-{levels}-{count}-{name}.safetensors"
    if not path.exists():
        write_tensors(path, fit(pixels, patch, levels, count).state_dict())
    try:
        tensors = load_file(path)
        codebook = Codebook(patch, *tensors["codes"].shape[:2])
        codebook.load_state_dict(tensors)
    except (OSError, SafetensorError, RuntimeError, KeyError, TypeError):
        raise TrainingError(f"{path} is no codebook: delete it and start again.") from None
    return codebook


def fit(pixels: Pixels, patch: int, levels: int, count: int, seed: int = 0) -> Codebook:
    """Fit a codebook to uint8 pictures (n, s, s, 3), or to a random sample of many.

    There are fewer than ``count`` codes where there are fewer distinct patches.
    """
    random = np.random.default_rng(seed)
    rows = np.sort(random.permutation(len(pixels))[:FIT_PICTURES])
    parts = [_floats(pixels[rows[i : i + BATCH]]) for i in range(0, len(rows), BATCH)]
    points = torch.cat([_points(part, patch) for part in parts])
    residual = points[torch.from_numpy(random.permutation(len(points))[:FIT_PATCHES])]
    fitted_codes = []
    for level in range(levels):
        fitted_codes.append(kmeans(residual, count, seed + level))
        residual = residual - fitted_codes[-1][_nearest(residual, fitted_codes[-1])]
    codebook = Codebook(patch, levels, max(map(len, fitted_codes)))
    for codes, level_codes in zip(codebook.codes, fitted_codes, strict=True):
        codes[: len(level_codes)] = level_codes
        codes[len(level_codes) :] = level_codes[-1]  # never chosen: argmin takes the first
    _fit_seams(codebook, parts)
    return codebook


def kmeans(points: Tensor, count: int, seed: int) -> Tensor:
    """Return at most ``count`` codes (k, D) of points (n, D), from dark to bright.

    Initialised by k-means++ (Arthur and Vassilvitskii 2007), refined by Lloyd's algorithm.
    """
    generator = torch.Generator().manual_seed(seed)
    chosen = [points[torch.randint(len(points), (), generator=generator)]]
    distance = (points - chosen[0]).square().sum(1)
    while len(chosen) < count and distance.max() > 1e-6:
        chosen.append(points[torch.multinomial(distance, 1, generator=generator)[0]])
        distance = torch.minimum(distance, (points - chosen[-1]).square().sum(1))
    codes = torch.stack(chosen)
    for _ in range(ROUNDS if distance.max() > 1e-6 else 0):
        nearest = _nearest(points, codes)
        members = torch.bincount(nearest, minlength=len(codes))[:, None]
        sums = torch.zeros_like(codes).index_add_(0, nearest, points)
        codes = torch.where(members > 0, sums / members.clamp(min=1), codes)
    return codes[codes.mean(1).argsort(stable=True)]


def _fit_seams(codebook: Codebook, parts: list[Tensor]) -> None:
    """Fit the seams' map: ridge regression of the residual on a patch's and neighbours' codes."""
    values = len(codebook.seam_bias)
    normal = RIDGE * torch.eye(9 * values + 1)
    targets = torch.zeros(9 * values + 1, values)
    for part in parts:
        patches = codebook.patches(codebook.encode(part))
        neighbourhoods = nn.functional.unfold(_bordered(patches), 3).transpose(1, 2)  # (n, T, 9·D)
        ones = torch.ones_like(neighbourhoods[..., :1])
        inputs = torch.cat([neighbourhoods, ones], 2).flatten(0, 1)  # (n · T, 9·D + 1)
        normal += inputs.T @ inputs
        residual = pixel_unshuffle(part, codebook.patch) - patches
        targets += inputs.T @ residual.flatten(2).transpose(1, 2).flatten(0, 1)
    solved = torch.linalg.solve(normal, targets)
    codebook.seam_weight.copy_(solved[:-1].T.view(values, values, 3, 3))
    codebook.seam_bias.copy_(solved[-1])


def _bordered(patches: Tensor) -> Tensor:
    return pad(patches, (1, 1, 1, 1), mode="replicate")


def _nearest(points: Tensor, codes: Tensor) -> Tensor:
    """Return the index (n,) of the code nearest to each point (n, D)."""
    squared = codes.square().sum(1)
    parts = [(squared - 2 * part @ codes.T).argmin(1) for part in torch.split(points, 16_384)]
    return torch.cat(parts)


def _floats(pixels: Pixels) -> Tensor:
    """Convert uint8 (n, s, s, 3) to float (n, 3, s, s) in [-1, 1]."""
    return torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).float() / 127.5 - 1


def _points(pictures: Tensor, patch: int) -> Tensor:
    """Return the patches (n · T, D) of pictures (n, 3, s, s)."""
    return pixel_unshuffle(pictures, patch).flatten(2).transpose(1, 2).flatten(0, 1)
