"""What the frozen image encoder sees of tiles: features that are computed once, by content."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch import Tensor

from training.engine.data.pictures import Pixels, Tile, load
from training.engine.encoders import efficientnet
from training.engine.encoders.efficientnet import EfficientNet
from training.engine.encoders.embeddings import cached
from training.engine.files import TrainingError

BLOCK = 2048  # tiles whose features are held, and kept, at once
FOLDS = 5
DECODERS = 2  # threads


@dataclass(frozen=True)
class TileFeatures:
    """The features of T tiles: square roots of the pooled ones, which spread more evenly."""

    roots: NDArray[np.float16]  # (T, 1280), mapped from a file; NaN: the picture is unreadable
    folds: NDArray[np.int64]  # (T,) below FOLDS, by content: equal pictures share one

    @property
    def usable(self) -> NDArray[np.intp]:
        """Return the rows (n,) of the tiles that could be read."""
        blocks = range(0, len(self.roots), BLOCK)
        finite = [np.isfinite(self.roots[start : start + BLOCK, 0]) for start in blocks]
        return np.flatnonzero(np.concatenate(finite)) if finite else np.zeros(0, np.intp)

    def rows(self, rows: NDArray[np.intp]) -> Tensor:
        """Return the features (n, 1280) in these rows (n,)."""
        return torch.from_numpy(self.roots[rows].astype(np.float32))


def see(tiles: Sequence[Tile], network: EfficientNet, cache: Path, file: Path) -> TileFeatures:
    """Return what the encoder sees of tiles, mapped from a new ``file`` (.npy).

    Tiles of a picture are to stand side by side. What was seen is kept in ``cache`` block by
    block, so that a process that was killed goes on where it was.
    """
    shape = (len(tiles), efficientnet.WIDTH)
    roots = np.zeros(shape, np.float16)  # an empty array cannot be mapped
    if tiles:
        roots = open_memmap(file, mode="w+", dtype=np.float16, shape=shape)
    folds = np.zeros(len(tiles), np.int64)
    keys = _Keys()
    for start in range(0, len(tiles), BLOCK):
        block = tiles[start : start + BLOCK]
        of_block = [keys.of(tile) for tile in block]
        rows = slice(start, start + len(block))
        folds[rows] = [int(key[:8], 16) % FOLDS for key in of_block]
        identity = f"{efficientnet.NAME} {efficientnet.SIZE}"
        roots[rows] = cached(cache, identity, of_block, _Encoder(block, network)).numpy()
    return TileFeatures(roots, folds)


class _Keys:
    """Keys of what tiles show, wherever their files lie."""

    def __init__(self) -> None:
        self._path, self._digest = Path(), b""

    def of(self, tile: Tile) -> str:
        path, box = tile
        if path != self._path:
            try:
                digest = sha256(path.read_bytes()).digest()
            except OSError:
                digest = str(path).encode()
            self._path, self._digest = path, digest
        return sha256(self._digest + repr(box).encode()).hexdigest()


class _Encoder:
    """Encode those tiles of a block that are not known yet."""

    def __init__(self, tiles: Sequence[Tile], network: EfficientNet) -> None:
        self._tiles, self._network = tiles, network

    def __call__(self, missing: list[int]) -> Tensor:
        """Return roots of pooled features (n, 1280), NaN where a picture cannot be read."""
        roots = torch.full((len(missing), efficientnet.WIDTH), torch.nan)
        size = efficientnet.IMAGE_BATCH
        with ThreadPoolExecutor(DECODERS) as pool:
            for start in range(0, len(missing), size):
                part = [self._tiles[index] for index in missing[start : start + size]]
                loaded = {
                    start + place: pixels
                    for place, pixels in enumerate(pool.map(_load, part))
                    if pixels is not None
                }
                if loaded:
                    pixels = np.concatenate(list(loaded.values()))
                    seen = efficientnet.pooled_features(self._network, pixels)
                    roots[list(loaded)] = seen.sqrt()
        return roots


def _load(tile: Tile) -> Pixels | None:
    path, box = tile
    try:
        return load(path, [box], efficientnet.SIZE)
    except TrainingError as error:
        print(f"Left out: {error}", flush=True)
        return None
