"""Find the training pictures nearest to a sample, in the space of their principal components."""

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

SIZE = 32  # pixels at which pictures are compared, at most
COMPONENTS = 256


def with_mirrored(pca: PCA, pixels: Pixels) -> Tensor:
    """Return latents (2, n, K) in half precision: of the pictures, and of their mirror images."""
    sides = [pca.encode_all(side).half() for side in (pixels, pixels[:, :, ::-1])]
    return torch.stack(sides).to(device())


@dataclass(frozen=True)
class Neighbours:
    """Training pictures by name, and coefficients (2, n, K) of them and their mirror images."""

    names: list[str]
    pca: PCA
    coefficients: Tensor

    @classmethod
    def fit(cls, pixels: Pixels, names: Sequence[str]) -> "Neighbours":
        """Fit to uint8 pictures (n, s, s, 3)."""
        small = resized(pixels, min(SIZE, pixels.shape[1]))
        pca = fit(small, COMPONENTS, seed=0)
        sides = [pca.encode_all(side) * pca.scale for side in (small, small[:, :, ::-1])]
        return cls(list(names), pca, torch.stack(sides))

    def nearest(self, pixels: Pixels, count: int) -> tuple[Tensor, Tensor]:
        """Return distances (m, count) and indices (m, count) of the nearest to (m, s, s, 3).

        A distance is the root mean square difference of pixels in [0, 1], from the picture or its
        mirror image, whichever is nearer.
        """
        small = resized(pixels, self.pca.size)
        distance = self._distances(self.pca.encode_all(small) * self.pca.scale)
        nearest = distance.topk(min(count, len(self.names)), largest=False)
        return nearest.values, nearest.indices

    def spacing(self, queries: int = 500) -> float:
        """Return the median distance of training pictures to their nearest other, of a sample."""
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

    @staticmethod
    def is_in(folder: Path) -> bool:
        """Return whether a model folder has any of the files; one may be left without both."""
        return any(folder.glob("neighbours.*"))

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
