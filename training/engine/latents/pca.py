"""Principal components, a linear autoencoder fitted to a snapshot's pictures."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.engine.data.pictures import Pixels

FIT_ROWS = 6144  # pictures to fit to, half of them mirrored


class PCA(nn.Module):
    """Encode pictures (n, 3·s·s) in [0, 1] as latents (n, k) and decode them.

    A latent is a coefficient divided by the root of its standard deviation, a compromise between
    raw coefficients, where the first dominate, and whitened ones, where noise does.
    """

    mean: Tensor
    basis: Tensor
    scale: Tensor

    def __init__(self, size: int, components: int) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("mean", torch.zeros(3 * size * size))
        self.register_buffer("basis", torch.zeros(components, 3 * size * size))
        self.register_buffer("scale", torch.ones(components))

    @property
    def components(self) -> int:
        return len(self.scale)

    def encode(self, pixels: Tensor) -> Tensor:
        return (pixels - self.mean) @ self.basis.T / self.scale

    def decode(self, latents: Tensor) -> Tensor:
        return (latents * self.scale) @ self.basis + self.mean

    def encode_all(self, pixels: Pixels) -> Tensor:
        """Return latents (n, k) of uint8 pictures (n, s, s, 3), in batches."""
        parts = [
            self.encode(flat(pixels[start : start + 512])) for start in range(0, len(pixels), 512)
        ]
        return torch.cat(parts)

    def pictures(self, latents: Tensor) -> Pixels:
        """Return uint8 pictures (n, s, s, 3) of latents (n, k)."""
        return self.pixels(latents).cpu().numpy()

    def pixels(self, latents: Tensor) -> Tensor:
        """Return pictures as `pictures` does, as a tensor."""
        values = self.decode(latents).clamp(0, 1).mul(255).round().to(torch.uint8)
        return values.view(-1, self.size, self.size, 3)


def flat(pixels: Pixels) -> Tensor:
    """Convert uint8 (n, s, s, 3) to float (n, 3·s·s) in [0, 1]."""
    return torch.from_numpy(np.array(pixels)).flatten(1).float() / 255


def fit(
    pixels: Pixels,
    components: int,
    seed: int,
    rows: NDArray[np.int64] | None = None,
    extra: Pixels | None = None,
    *,
    mirrored: bool = True,
) -> PCA:
    """Fit to pictures (n, s, s, 3), or to those at ``rows``, and if ``mirrored`` to mirror images.

    ``extra`` pictures (m, s, s, 3) are fitted to as well. Of many, fit to a random sample, at
    most half of it from ``extra`` where there are enough of the others.
    """
    half = FIT_ROWS // 2
    known = np.arange(len(pixels)) if rows is None else rows
    random = np.random.default_rng(seed)
    chosen = pixels[np.sort(random.permutation(known)[:half])]
    if extra is not None and len(extra):
        count = max(half - len(chosen), half // 2)
        more = extra[np.sort(random.permutation(len(extra))[:count])]
        chosen = np.concatenate([chosen[: half - len(more)], more])
    sides = [chosen, chosen[:, :, ::-1]] if mirrored else [chosen]
    images = torch.cat([flat(side) for side in sides])
    pca = PCA(pixels.shape[1], min(components, len(images), images.shape[1]))
    pca.mean.copy_(images.mean(0))
    torch.manual_seed(seed)
    _, deviation, basis = torch.svd_lowrank(images - pca.mean, q=pca.components, niter=2)
    deviation = (deviation / len(images) ** 0.5).clamp(min=1e-4)
    pca.basis.copy_(basis.T)
    pca.scale.copy_((deviation * deviation.mean()).sqrt())  # mean variance of a latent: 1
    return pca
