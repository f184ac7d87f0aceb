"""A snapshot's pictures as latents: as they are, altered, and as neighbours of what was drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from training.clip import device
from training.data import Pixels
from training.files import TrainingError, read_json, write_json, write_tensors
from training.nets.pca import PCA, flat

TURNS = (1 / 6, 1 / 3, 1 / 2, 2 / 3, 5 / 6)  # of the colour circle


@dataclass(frozen=True)
class Augments:
    """Kinds of alteration: how often each is drawn (V,), and what the network is told (V, A).

    Because the network is told, samples, which ask for none, show none (arXiv 2206.00364).
    """

    odds: Tensor
    flags: Tensor


def augmented(pca: PCA, pixels: Pixels, flips: float, hues: float) -> tuple[Tensor, Augments]:
    """Latents (V, n, K) in half precision: as they are, mirrored, and in other colours."""
    turns = (0.0, *(TURNS if hues else ()))
    kinds = [(flip, turn) for turn in turns for flip in ((0, 1) if flips else (0,))]
    parts, odds, flags = [], [], []
    for flip, turn in kinds:
        latents = [
            pca.encode(_altered(pixels[start : start + 512], flip, turn))
            for start in range(0, len(pixels), 512)
        ]
        parts.append(torch.cat(latents).half())
        odds.append(
            (flips if flip else 1 - flips) * (hues / (len(turns) - 1) if turn else 1 - hues)
        )
        angle = 2 * np.pi * turn
        flags.append([float(flip), np.sin(angle), 1 - np.cos(angle)])
    augments = Augments(torch.tensor(odds).to(device()), torch.tensor(flags).float().to(device()))
    return torch.stack(parts).to(device()), augments


def _altered(pixels: Pixels, flip: int, turn: float) -> Tensor:
    images = flat(pixels[:, :, ::-1] if flip else pixels)
    if not turn:
        return images
    rgb = images.view(len(images), -1, 3) @ _hue_matrix(2 * np.pi * turn).T
    return rgb.clamp(0, 1).flatten(1)


def _hue_matrix(angle: float) -> Tensor:
    """Turn colours about the grey axis, by Rodrigues' formula with the axis (1, 1, 1)/√3."""
    c, s = np.cos(angle), np.sin(angle) / 3**0.5
    same, left, right = c + (1 - c) / 3, (1 - c) / 3 - s, (1 - c) / 3 + s
    return torch.tensor(
        [[same, left, right], [right, same, left], [left, right, same]], dtype=torch.float32
    )


@dataclass(frozen=True)
class Neighbours:
    """The training pictures by name, and their coefficients (2, n, K): as they are, mirrored."""

    names: list[str]
    coefficients: Tensor
    values: int  # numbers in a picture

    @classmethod
    def of(cls, pca: PCA, pixels: Pixels, names: Sequence[str]) -> "Neighbours":
        sides = [pca.encode_all(side) * pca.scale for side in (pixels, pixels[:, :, ::-1])]
        return cls(list(names), torch.stack(sides), pca.basis.shape[1])

    def nearest(self, coefficients: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """For (m, K): root mean square differences of pixels (m, count), and indices.

        Pixels run from 0 to 1, and a mirrored training picture is as near as the picture.
        """
        distance = self._distances(coefficients).topk(min(count, len(self.names)), largest=False)
        return distance.values, distance.indices

    def apart(self, queries: int = 500) -> float:
        """How far training pictures are from the nearest other: the median of some."""
        if len(self.names) < 2:
            return 0.0
        rows = torch.linspace(0, len(self.names) - 1, min(queries, len(self.names))).long()
        distance = self._distances(self.coefficients[0, rows])
        distance[torch.arange(len(rows)), rows] = torch.inf
        return float(distance.min(1).values.median())

    def _distances(self, coefficients: Tensor) -> Tensor:
        known = self.coefficients.to(coefficients.dtype)
        both = torch.stack([torch.cdist(coefficients, side) for side in known])
        nearest: Tensor = both.min(0).values / self.values**0.5
        return nearest

    def save(self, folder: Path) -> None:
        tensors = {"coefficients": self.coefficients.half()}
        write_tensors(folder / "neighbours.safetensors", tensors)
        write_json(folder / "neighbours.json", {"names": self.names, "values": self.values})

    @classmethod
    def load(cls, folder: Path) -> "Neighbours":
        about = read_json(folder / "neighbours.json")
        try:
            tensors = load_file(folder / "neighbours.safetensors")
            return cls(about["names"], tensors["coefficients"].float(), int(about["values"]))
        except (OSError, SafetensorError, KeyError, TypeError, ValueError):
            raise TrainingError(f"{folder / 'neighbours.safetensors'} cannot be read.") from None
