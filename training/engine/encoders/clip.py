"""A CLIP as the rest of the engine sees it: two functions into one space of unit vectors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from training.engine.data.pictures import Pixels, Tile
from training.engine.device import device

IMAGE_BATCH, TEXT_BATCH = 128, 256


@dataclass(frozen=True)
class Clip:
    """A loaded CLIP.

    ``encode_images`` takes uint8 pictures (n, size, size, 3), ``encode_texts`` n texts; both
    return unit rows (n, width). ``identity`` names the weights, for caches and model folders.
    ``encode_tiles`` takes tiles and a cache folder instead, where much is known there; it raises
    ``TrainingError`` where a picture cannot be read.
    """

    identity: str
    size: int
    width: int
    encode_images: Callable[[Pixels], Tensor]
    encode_texts: Callable[[Sequence[str]], Tensor]
    encode_tiles: Callable[[Sequence[Tile], Path], Tensor] | None = None


def image_encoder(
    tower: Callable[[Tensor], Tensor], mean: Sequence[float], std: Sequence[float]
) -> Callable[[Pixels], Tensor]:
    """Return a function from uint8 pictures (n, s, s, 3) to unit rows (n, E), batch by batch.

    ``tower`` takes pictures (B, 3, s, s), scaled to [0, 1] and normalised by ``mean`` and ``std``.
    """
    shift = torch.tensor(mean).view(1, 3, 1, 1)
    scale = torch.tensor(std).view(1, 3, 1, 1)

    @torch.no_grad()
    def encode(pixels: Pixels) -> Tensor:
        parts = []
        for start in range(0, len(pixels), IMAGE_BATCH):
            batch = torch.from_numpy(np.array(pixels[start : start + IMAGE_BATCH]))
            batch = (batch.permute(0, 3, 1, 2) / 255 - shift) / scale
            parts.append(normalize(tower(batch.to(device())).float(), dim=-1).cpu())
        return torch.cat(parts)

    return encode


def text_encoder(
    tower: Callable[[list[str]], Tensor], width: int
) -> Callable[[Sequence[str]], Tensor]:
    """Return a function from n texts to unit rows (n, width), batch by batch."""

    @torch.no_grad()
    def encode(texts: Sequence[str]) -> Tensor:
        parts = [torch.zeros(0, width)]
        for start in range(0, len(texts), TEXT_BATCH):
            batch = list(texts[start : start + TEXT_BATCH])
            parts.append(normalize(tower(batch).float(), dim=-1).cpu())
        return torch.cat(parts)

    return encode
