"""Training pictures as coefficients: as they are, mirrored, and as neighbours of what was drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from training.engine.data.pictures import Pixels, resized
from training.engine.device import device
from training.engine.files import TrainingError, read_json, write_json, write_tensors
from training.engine.latents.pca import PCA, fit

SIDE = 32  # pixels at which pictures are compared, at most
COMPONENTS = 256


def with_mirrored(pca: PCA, pixels: Pixels) -> Tensor:
    """Latents (2, n, K) in half precision: the pictures as they are, and mirrored."""
    sides = [pca.encode_all(side).half() for side in (pixels, pixels[:, :, ::-1])]
    return torch.stack(sides).to(device())


@dataclass(frozen=True)
class Neighbours:
    """The training pictures by name, and their coefficients (2, n, K): as they are, mirrored."""

    names: list[str]
    pca: PCA
    coefficients: Tensor

    @classmethod
    def fit(cls, pixels: Pixels, names: Sequence[str]) -> "Neighbours":
        """Of uint8 pictures (n, s, s, 3), compared in their principal components."""
        small = resized(pixels, min(SIDE, pixels.shape[1]))
        pca = fit(small, COMPONENTS, seed=0)
        sides = [pca.encode_all(side) * pca.scale for side in (small, small[:, :, ::-1])]
        return cls(list(names), pca, torch.stack(sides))

    def nearest(self, pixels: Pixels, count: int) -> tuple[Tensor, Tensor]:
        """For (m, s, s, 3): root mean square differences of pixels (m, count), and indices.

        Pixels run from 0 to 1, and a mirrored training picture is as near as the picture.
        """
        small = resized(pixels, self.pca.size)
        distance = self._distances(self.pca.encode_all(small) * self.pca.scale)
        found = distance.topk(min(count, len(self.names)), largest=False)
        return found.values, found.indices

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
        nearest: Tensor = both.min(0).values / self.pca.basis.shape[1] ** 0.5
        return nearest

    def save(self, folder: Path) -> None:
        tensors = {f"pca.{k}": v.half() for k, v in self.pca.state_dict().items()}
        tensors["coefficients"] = self.coefficients.half()
        write_tensors(folder / "neighbours.safetensors", tensors)
        write_json(folder / "neighbours.json", {"names": self.names, "size": self.pca.size})

    @classmethod
    def load(cls, folder: Path) -> "Neighbours":
        about = read_json(folder / "neighbours.json")
        try:
            names = [str(name) for name in about["names"]]
            tensors = {
                k: v.float() for k, v in load_file(folder / "neighbours.safetensors").items()
            }
            coefficients = tensors.pop("coefficients")
            pca = PCA(int(about["size"]), len(tensors["pca.scale"]))
            pca.load_state_dict({k.removeprefix("pca."): v for k, v in tensors.items()})
            if coefficients.shape != (2, len(names), pca.components):
                raise ValueError(coefficients.shape)
            return cls(names, pca, coefficients)
        except (OSError, SafetensorError, RuntimeError, KeyError, TypeError, ValueError):
            raise TrainingError(f"{folder / 'neighbours.safetensors'} cannot be read.") from None
