"""A small convolutional autoencoder: pictures as latents of an eighth of their side, and back.

Of a picture of 64 pixels it keeps 8 × 8 × 8 numbers, a 24th. The design follows the autoencoders of
latent diffusion (Rombach et al. 2022, arXiv 2112.10752), without attention, so that two processor
cores can train it in minutes.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle, silu

from training.engine.data.pictures import Pixels, uint8

REDUCTION = 8  # pixels of a picture's side for one of its latent's
CHANNELS = 8  # of a latent
WIDTHS = 48, 96, 144  # channels at a half, a quarter and an eighth of the side
GROUP = 12  # channels that are normalised together
BATCH = 64  # pictures that are encoded or decoded at once


class Block(nn.Module):
    """Two convolutions, added to what goes in (arXiv 1603.05027); at first they add nothing."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(width // GROUP, width)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.norm2 = nn.GroupNorm(width // GROUP, width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.conv1(silu(self.norm1(x)))
        out: Tensor = x + self.conv2(silu(self.norm2(hidden)))
        return out


class Autoencoder(nn.Module):
    """Encode pictures (n, 3, s, s) in [-1, 1] as latents (n, 8, s/8, s/8), and decode them.

    Each channel of the latents has mean 0 and variance 1 over the pictures that it was fitted to.
    The latent of a mirrored picture is about the mirrored latent: it is trained to be.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        half, quarter, eighth = WIDTHS
        self.encoder = nn.Sequential(
            nn.Conv2d(12, half, 3, padding=1),
            Block(half),
            nn.Conv2d(half, quarter, 3, padding=1, stride=2),
            Block(quarter),
            nn.Conv2d(quarter, eighth, 3, padding=1, stride=2),
            Block(eighth),
            nn.GroupNorm(eighth // GROUP, eighth),
            nn.SiLU(),
            nn.Conv2d(eighth, CHANNELS, 1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(CHANNELS, eighth, 3, padding=1),
            Block(eighth),
            Block(eighth),
            nn.Conv2d(eighth, 4 * quarter, 1),
            nn.PixelShuffle(2),
            Block(quarter),
            Block(quarter),
            nn.Conv2d(quarter, 4 * half, 1),
            nn.PixelShuffle(2),
            Block(half),
            nn.GroupNorm(half // GROUP, half),
            nn.SiLU(),
            nn.Conv2d(half, 12, 3, padding=1),
        )
        self.register_buffer("mean", torch.zeros(CHANNELS, 1, 1))
        self.register_buffer("scale", torch.ones(CHANNELS, 1, 1))
        self.to_channels_last()

    def to_channels_last(self) -> None:
        """Store weights so that convolutions are quickest: by a third, on a processor."""
        for parameter in self.parameters():
            parameter.data = channels_last(parameter.data)

    def encode(self, pictures: Tensor) -> Tensor:
        return (self.raw_latents(pictures) - self.mean) / self.scale

    def decode(self, latents: Tensor) -> Tensor:
        return self.decode_raw(latents * self.scale + self.mean)

    def raw_latents(self, pictures: Tensor) -> Tensor:
        """Return latents that are not yet standardised."""
        halves = channels_last(pixel_unshuffle(pictures, 2))
        latents: Tensor = self.encoder(halves)
        return latents

    def decode_raw(self, latents: Tensor) -> Tensor:
        """Decode latents that are not standardised."""
        return pixel_shuffle(self.decoder(channels_last(latents)), 2)

    @torch.no_grad()
    def encode_all(self, pixels: Pixels) -> Tensor:
        """Return latents (n, 8, s/8, s/8) of uint8 pictures (n, s, s, 3), in batches."""
        side = pixels.shape[1] // REDUCTION
        parts = [torch.zeros(0, CHANNELS, side, side, device=self.mean.device)]
        for start in range(0, len(pixels), BATCH):
            parts.append(self.encode(signed(pixels[start : start + BATCH]).to(self.mean.device)))
        return torch.cat(parts)

    @torch.no_grad()
    def pictures(self, latents: Tensor) -> Pixels:
        """Return uint8 pictures (n, s, s, 3) of latents (n, 8, s/8, s/8), in batches."""
        at = self.mean.device
        parts = [self.decode(part.to(at).float()) for part in torch.split(latents, BATCH)]
        return uint8(torch.cat(parts))


def channels_last(tensor: Tensor) -> Tensor:
    """Store a convolution's weights, or pictures, with the channels of a pixel side by side."""
    if tensor.dim() != 4:
        return tensor
    return tensor.contiguous(memory_format=torch.channels_last)


def signed(pixels: Pixels) -> Tensor:
    """Convert uint8 (n, s, s, 3) to float (n, 3, s, s) in [-1, 1]."""
    return torch.tensor(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
