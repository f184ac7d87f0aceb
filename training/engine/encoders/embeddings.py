"""Keep embeddings by (model, content), so that a text or a picture is encoded once."""

import errno
import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.engine.data.packing import pack
from training.engine.data.rows import Row, digest
from training.engine.encoders.clip import Clip
from training.engine.encoders.text import TextEncoder
from training.engine.files import TrainingError

LOOKUPS = 500  # keys of one query
BATCH = 4096  # texts or pictures that are encoded, and kept, at once


def cached(
    cache: Path,
    identity: str,
    keys: Sequence[str],
    encode: Callable[[list[int]], Tensor],
) -> Tensor:
    """Return a row (n, E) for each of ``keys``: those known are read, the others encoded and kept.

    ``encode`` takes indices of missing keys and returns their rows. Raise ``TrainingError`` where
    the cache is broken, ``OSError`` where the disk is full.
    """
    cache.mkdir(parents=True, exist_ok=True)
    hashes = [hashlib.sha256(f"{identity}\0{key}".encode()).digest() for key in keys]
    try:
        with closing(sqlite3.connect(cache / "embeddings.sqlite", timeout=60)) as store:
            return _read_or_encode(store, hashes, encode)
    except sqlite3.Error as error:
        if "full" in str(error):
            raise OSError(errno.ENOSPC, "no space left", str(cache)) from None
        raise TrainingError(
            f"The cache {cache / 'embeddings.sqlite'} cannot be used ({error}): delete it."
        ) from None


def _read_or_encode(
    store: sqlite3.Connection, hashes: list[bytes], encode: Callable[[list[int]], Tensor]
) -> Tensor:
    store.execute("CREATE TABLE IF NOT EXISTS embedding (hash BLOB PRIMARY KEY, value BLOB)")
    known: dict[bytes, bytes] = {}
    for start in range(0, len(hashes), LOOKUPS):
        part = hashes[start : start + LOOKUPS]
        placeholders = ",".join("?" * len(part))
        known.update(
            store.execute(f"SELECT hash, value FROM embedding WHERE hash IN ({placeholders})", part)
        )
    missing = [index for index, key in enumerate(hashes) if key not in known]
    for start in range(0, len(missing), BATCH):
        part_missing = missing[start : start + BATCH]
        encoded = encode(part_missing).numpy().astype(np.float32)
        new = {hashes[i]: row.tobytes() for i, row in zip(part_missing, encoded, strict=True)}
        with store:
            store.executemany("INSERT OR REPLACE INTO embedding VALUES (?, ?)", new.items())
        known.update(new)
    rows = [np.frombuffer(known[key], np.float32) for key in hashes]
    return torch.from_numpy(np.stack(rows)) if rows else torch.zeros(0, 0)


def embed_texts(texts: Sequence[str], encoder: TextEncoder, cache: Path) -> Tensor:
    """Return unit rows (n, E) of texts, encoded once for all runs that share the cache."""
    encode = encoder.encode
    if not texts:
        return torch.zeros(0, encoder.width)
    return cached(cache, encoder.identity, texts, lambda i: encode([texts[j] for j in i]))


def encode_pictures(rows: Sequence[Row], clip: Clip, cache: Path) -> Tensor:
    """Return unit rows (n, E) of pictures, packed in ``cache``; their embeddings are not kept.

    This is for a model's own evaluation, after which nobody asks for them again.
    """
    if not rows:
        return torch.zeros(0, clip.width)
    if clip.encode_tiles:
        return clip.encode_tiles([(row.path, None) for row in rows], cache)
    return clip.encode_images(pack(rows, clip.size, cache, digest(rows)))


def embed_pictures(rows: Sequence[Row], clip: Clip, cache: Path) -> Tensor:
    """Return unit rows (n, E) of pictures, encoded once for all runs that share the cache."""
    if not rows:
        return torch.zeros(0, clip.width)
    pixels = pack(rows, clip.size, cache, digest(rows))
    keys = [f"picture {row.key} {clip.size}" for row in rows]
    return cached(cache, clip.identity, keys, lambda i: clip.encode_images(pixels[i]))
