"""A snapshot's pictures as latents: as they are, mirrored, and as neighbours of what was drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from training.clip import device
from training.data import Pixels
from training.files import TrainingError, read_json, write_json, write_tensors
from training.nets.pca import PCA


def with_mirrored(pca: PCA, pixels: Pixels) -> Tensor:
    """Latents (2, n, K) in half precision: the pictures as they are, and mirrored."""
    sides = [pca.encode_all(side).half() for side in (pixels, pixels[:, :, ::-1])]
    return torch.stack(sides).to(device())


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
