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
from training.engine.encoders.seen_tiles import SeenTiles
from training.engine.files import TrainingError

BLOCK = 2048  # tiles whose features are held, and kept, at once
FOLDS = 5
KEY = 32  # bytes
DECODERS = 2  # threads
IDENTITY = f"{efficientnet.NAME} {efficientnet.SIZE}"  # of what is kept


@dataclass(frozen=True)
class TileFeatures:
    """The features of T tiles: square roots of the pooled ones, which spread more evenly."""

    roots: NDArray[np.float16]  # (T, 1280), mapped from a file; NaN: the picture is unreadable
    keys: NDArray[np.uint8]  # (T, KEY), by content: equal pictures share one

    @property
    def folds(self) -> NDArray[np.int64]:
        """Return a number below FOLDS for each tile, (T,): the same of equal pictures."""
        return self.keys[:, :4].copy().view(">u4")[:, 0].astype(np.int64) % FOLDS

    @property
    def usable(self) -> NDArray[np.intp]:
        """Return the rows (n,) of the tiles that could be read."""
        blocks = range(0, len(self.roots), BLOCK)
        finite = [np.isfinite(self.roots[start : start + BLOCK, 0]) for start in blocks]
        return np.flatnonzero(np.concatenate(finite)) if finite else np.zeros(0, np.intp)

    def rows(self, rows: NDArray[np.intp]) -> Tensor:
        """Return the features (n, 1280) in these rows (n,)."""
        return torch.from_numpy(self.roots[rows].astype(np.float32))


def see(
    tiles: Sequence[Tile],
    network: EfficientNet,
    cache: Path,
    file: Path,
    *,
    ids: Sequence[int] = (),
    seen: SeenTiles | None = None,
) -> TileFeatures:
    """Return what the encoder sees of tiles, mapped from a new ``file`` (.npy).

    Tiles of a picture are to stand side by side. What was seen is kept in ``cache`` block by
    block, so that a process that was killed goes on where it was. Those that were ``seen``
    elsewhere, by their ``ids``, are not looked at; their pictures need not be there.
    """
    shape = (len(tiles), efficientnet.WIDTH)
    roots = np.zeros(shape, np.float16)  # an empty array cannot be mapped
    if tiles:
        roots = open_memmap(file, mode="w+", dtype=np.float16, shape=shape)
    keys = np.zeros((len(tiles), KEY), np.uint8)
    of_tiles = _Keys()
    for start in range(0, len(tiles), BLOCK):
        block = tiles[start : start + BLOCK]
        known = _Known(ids[start : start + BLOCK], seen)
        of_block = [known.keys.get(at) or of_tiles.of(tile) for at, tile in enumerate(block)]
        rows = slice(start, start + len(block))
        keys[rows] = np.frombuffer(bytes.fromhex("".join(of_block)), np.uint8).reshape(-1, KEY)
        encoder = _Encoder(block, network, known)
        roots[rows] = cached(cache, IDENTITY, of_block, encoder).numpy()
    return TileFeatures(roots, keys)


class _Known:
    """What others saw of the tiles of a block, by their places in it."""

    def __init__(self, ids: Sequence[int], seen: SeenTiles | None) -> None:
        self._ids, self._seen = ids, seen
        at = np.flatnonzero(seen.among(ids)).tolist() if seen and ids else []
        keys = seen.keys([ids[place] for place in at]) if seen and at else []
        self.keys = dict(zip(at, keys, strict=True))

    def roots(self, places: Sequence[int]) -> Tensor:
        """Return the roots (n, 1280) of n places, one at least."""
        assert self._seen is not None
        return self._seen.images([self._ids[place] for place in places]).float()


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

    def __init__(self, tiles: Sequence[Tile], network: EfficientNet, known: _Known) -> None:
        self._tiles, self._network, self._known = tiles, network, known

    def __call__(self, missing: list[int]) -> Tensor:
        """Return roots of pooled features (n, 1280), NaN where a picture cannot be read."""
        roots = torch.full((len(missing), efficientnet.WIDTH), torch.nan)
        known = [row for row, place in enumerate(missing) if place in self._known.keys]
        if known:
            roots[known] = self._known.roots([missing[row] for row in known])
        unseen = [row for row, place in enumerate(missing) if place not in self._known.keys]
        size = efficientnet.IMAGE_BATCH
        with ThreadPoolExecutor(DECODERS) as pool:
            for start in range(0, len(unseen), size):
                part = unseen[start : start + size]
                pictures = pool.map(_load, [self._tiles[missing[row]] for row in part])
                loaded = {
                    row: pixels
                    for row, pixels in zip(part, pictures, strict=True)
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
