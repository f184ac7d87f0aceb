"""Latent spaces of the networks: an autoencoder's, a picture's principal components, its pixels."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor, nn

from training.engine.data.moving import MOVES, moved, random_moves
from training.engine.data.packing import PackedPictures
from training.engine.data.pictures import Pixels, uint8, uint8_tensor
from training.engine.device import device
from training.engine.files import TrainingError, under
from training.engine.latents.autoencoder import BATCH, CHANNELS, REDUCTION, Autoencoder, signed
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

    def tensors(self) -> dict[str, Tensor]:
        """Return what a model folder keeps of it, by names that begin alike."""


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

    def tensors(self) -> dict[str, Tensor]:
        return {}


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

    def tensors(self) -> dict[str, Tensor]:
        return {f"pca.{name}": value for name, value in self.pca.state_dict().items()}

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


class AutoencoderSpace:
    """An autoencoder's latents, as rows of numbers (K,)."""

    def __init__(self, autoencoder: Autoencoder, size: int) -> None:
        self.autoencoder = autoencoder
        self.side = size // REDUCTION
        self.shape = (CHANNELS * self.side**2,)

    def pictures(self, latents: Tensor) -> Pixels:
        return self.autoencoder.to(device()).pictures(self._maps(latents))

    def pixels(self, latents: Tensor) -> Tensor:
        return uint8_tensor(self.autoencoder.decode(self._maps(latents)))

    def latents(self, pictures: Pixels) -> Tensor:
        return self.autoencoder.to(device()).encode_all(pictures).flatten(1)

    def mirrored(self, latents: Tensor) -> Tensor:
        return self._maps(latents).flip(-1).flatten(1)

    def tensors(self) -> dict[str, Tensor]:
        weights = self.autoencoder.state_dict()
        return {f"autoencoder.{name}": value for name, value in weights.items()}

    def _maps(self, latents: Tensor) -> Tensor:
        return latents.view(-1, CHANNELS, self.side, self.side)


class AutoencoderDataset:
    def __init__(self, space: AutoencoderSpace, *pixels: Pixels, variants: int = 0) -> None:
        """Concatenate several arrays of pictures; rows count on from one to the next.

        Of each picture so many ``variants`` are kept beside it: moved and scaled a little.
        """
        self.space = space
        count = sum(len(part) for part in pixels)
        moves = random_moves(variants * count, torch.Generator().manual_seed(0))
        self.moves = torch.cat([torch.zeros(count, MOVES), moves]).to(device())
        self.moves = self.moves.view(1 + variants, count, MOVES)
        self.latents = torch.stack(  # (1 + variants, n, K)
            [torch.cat([space.latents(part).half() for part in pixels if len(part)])]
            + [_moved_latents(space, pixels, of_all.cpu()) for of_all in self.moves[1:]]
        )
        scale = space.autoencoder.scale  # errors count as they show in the picture
        weight = (scale / scale.mean()).expand(CHANNELS, space.side, space.side)
        self.weight = weight.flatten().to(device())

    def batch(self, rows: Tensor, mirrored: Tensor) -> Tensor:
        latents = self.latents[0, rows].float()
        return torch.where(mirrored.bool()[:, None], self.space.mirrored(latents), latents)

    def moved_batch(self, rows: Tensor, mirrored: Tensor, share: float) -> tuple[Tensor, Tensor]:
        """Return latents (B, K), a share of them moved, then mirrored or not, and moves (B, 3)."""
        variant = torch.randint(1, len(self.latents), (len(rows),), device=rows.device)
        variant = torch.where(torch.rand(len(rows), device=rows.device) < share, variant, 0)
        latents = self.latents[variant, rows].float()
        latents = torch.where(mirrored.bool()[:, None], self.space.mirrored(latents), latents)
        return latents, self.moves[variant, rows]


def _moved_latents(space: AutoencoderSpace, pixels: Sequence[Pixels], moves: Tensor) -> Tensor:
    """Return latents (n, K) of all pictures, moved by (n, 3), in half precision."""
    latents, first = [], 0
    for part in pixels:
        for start in range(0, len(part), BATCH):
            pictures = signed(part[start : start + BATCH])
            of_these = moves[first : first + len(pictures)]
            latents.append(space.latents(uint8(moved(pictures, of_these))).half())
            first += len(pictures)
    return torch.cat(latents)


def bind(network: nn.Module, space: LatentSpace) -> None:
    """Let a network refuse a checkpoint's weights that were trained with another autoencoder.

    That is fitted before the network, and kept apart from its checkpoints. The network has a buffer
    more from here on, ``space``. Principal components are found again, the same but for rounding.
    """
    if not isinstance(space, AutoencoderSpace):
        return
    own = torch.tensor(int.from_bytes(_digest(space)[:7], "big"))
    network.register_buffer("space", own)

    def check(module: nn.Module, state: dict[str, Tensor], prefix: str, *rest: object) -> None:
        if int(state.get(f"{prefix}space", own)) != int(own):
            raise RuntimeError("The weights were trained with another autoencoder.")

    network.register_load_state_dict_pre_hook(check)  # type: ignore[no-untyped-call]


def model_tensors(network: nn.Module, space: LatentSpace) -> dict[str, Tensor]:
    """Return what a model folder keeps of a network and its space."""
    weights = {f"network.{k}": v for k, v in network.state_dict().items() if k != "space"}
    return weights | space.tensors()


def _digest(space: LatentSpace) -> bytes:
    hashed = hashlib.sha256()
    for name, tensor in sorted(space.tensors().items()):
        hashed.update(name.encode())
        hashed.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return hashed.digest()


def check_size(space: str, size: int) -> None:
    """Raise ``TrainingError`` where pictures of that size have no latents in the space."""
    if space == "autoencoder" and size % REDUCTION:
        raise TrainingError(f"The option size must be a multiple of {REDUCTION} here.")


def load_space(
    space: str, size: int, components: int, tensors: Mapping[str, Tensor]
) -> LatentSpace:
    """Return the space of a model folder with such options and tensors.

    Raise ``KeyError`` or ``RuntimeError`` where tensors are missing or of another shape.
    """
    if space == "pixels":
        return PixelSpace(size)
    with torch.device("meta"):
        module = PCA(size, components) if space == "components" else Autoencoder()
    prefix = "pca." if space == "components" else "autoencoder."
    module.load_state_dict(under(prefix, dict(tensors)), assign=True)
    module.requires_grad_(False)
    if isinstance(module, PCA):
        return LinearSpace(module)
    module.to_channels_last()
    return AutoencoderSpace(module.eval(), size)
