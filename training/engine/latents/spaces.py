"""Latent spaces of the networks: a picture's principal components, or its pixels."""

from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from training.engine.data.packing import PackedPictures
from training.engine.data.pictures import Pixels, uint8, uint8_tensor
from training.engine.device import device
from training.engine.latents.neighbours import with_mirrored
from training.engine.latents.pca import PCA


class LatentSpace(Protocol):
    """A space of latents, and the way to pictures and back."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one latent."""

    def pictures(self, latents: Tensor) -> Pixels:
        """Decode latents (n, …) to uint8 (n, s, s, 3)."""

    def pixels(self, latents: Tensor) -> Tensor:
        """Decode latents as `pictures` does, to a tensor where they lie: an export follows it."""

    def latents(self, pictures: Pixels) -> Tensor:
        """Encode uint8 (n, s, s, 3) as latents (n, …)."""

    def mirrored(self, latents: Tensor) -> Tensor:
        """Return the latents of the pictures' mirror images."""


class LatentDataset(Protocol):
    """Training pictures as latents."""

    weight: Tensor  # of errors in each part of a latent

    def batch(self, rows: Tensor, mirrored: Tensor) -> Tensor:
        """Return latents (B, …) of the rows (B,), mirrored where ``mirrored`` (B,) is 1."""


class PixelSpace:
    """Pixels in [-1, 1], (3, size, size)."""

    def __init__(self, size: int) -> None:
        self.shape = (3, size, size)

    def pictures(self, latents: Tensor) -> Pixels:
        return uint8(latents)

    def pixels(self, latents: Tensor) -> Tensor:
        return uint8_tensor(latents)

    def latents(self, pictures: Pixels) -> Tensor:
        return PackedPictures(pictures, device()).batch(torch.arange(len(pictures)))

    def mirrored(self, latents: Tensor) -> Tensor:
        return latents.flip(-1)


class PixelDataset:
    def __init__(self, pixels: Pixels) -> None:
        self.pictures = PackedPictures(pixels, device())
        self.weight = torch.ones((), device=device())

    def batch(self, rows: Tensor, mirrored: Tensor) -> Tensor:
        pictures = self.pictures.batch(rows)
        return torch.where(mirrored.bool()[:, None, None, None], pictures.flip(-1), pictures)


class LinearSpace:
    """Coefficients of principal components (K,)."""

    def __init__(self, pca: PCA) -> None:
        self.pca = pca
        self.shape = (pca.components,)

    def pictures(self, latents: Tensor) -> Pixels:
        return self.pca.pictures(latents.cpu())

    def pixels(self, latents: Tensor) -> Tensor:
        return self.pca.pixels(latents)

    def latents(self, pictures: Pixels) -> Tensor:
        return self.pca.encode_all(pictures).to(device())

    def mirrored(self, latents: Tensor) -> Tensor:
        return latents @ self.mirror

    @cached_property
    def mirror(self) -> Tensor:
        """The linear map (K, K) from a picture's latent to its mirror image's."""
        basis, scale = self.pca.basis, self.pca.scale
        mirrored = basis.view(len(basis), self.pca.size, -1, 3).flip(2).flatten(1)
        return (scale[:, None] * (mirrored @ basis.T) / scale).to(device())


class LinearDataset:
    def __init__(self, pca: PCA, *pixels: Pixels) -> None:
        """Concatenate several arrays of pictures; rows count on from one to the next."""
        parts = [with_mirrored(pca, part) for part in pixels if len(part)]
        self.latents = torch.cat(parts, dim=1)  # (2, n, K)
        scale = pca.scale.to(device())
        self.weight = scale / scale.mean()  # errors count as they show in the picture

    def batch(self, rows: Tensor, mirrored: Tensor) -> Tensor:
        return self.latents[mirrored.long(), rows].float()
