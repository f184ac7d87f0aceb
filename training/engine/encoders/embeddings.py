"""Embeddings kept by (model, content), so that a text or a picture is encoded once."""

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


def cached(
    cache: Path,
    identity: str,
    keys: Sequence[str],
    encode: Callable[[list[int]], Tensor],
) -> Tensor:
    """Rows for ``keys``: those known are read, ``encode(missing indices)`` makes the others."""
    cache.mkdir(parents=True, exist_ok=True)
    hashes = [hashlib.sha256(f"{identity}\0{key}".encode()).digest() for key in keys]
    try:
        with closing(sqlite3.connect(cache / "embeddings.sqlite", timeout=60)) as store:
            return _through(store, hashes, encode)
    except sqlite3.Error as error:
        if "full" in str(error):
            raise OSError(errno.ENOSPC, "no space left", str(cache)) from None
        raise TrainingError(
            f"The cache {cache / 'embeddings.sqlite'} cannot be used ({error}): delete it."
        ) from None


def _through(
    store: sqlite3.Connection, hashes: list[bytes], encode: Callable[[list[int]], Tensor]
) -> Tensor:
    store.execute("CREATE TABLE IF NOT EXISTS embedding (hash BLOB PRIMARY KEY, value BLOB)")
    known: dict[bytes, bytes] = {}
    for start in range(0, len(hashes), 500):
        part = hashes[start : start + 500]
        marks = ",".join("?" * len(part))
        known.update(
            store.execute(f"SELECT hash, value FROM embedding WHERE hash IN ({marks})", part)
        )
    missing = [index for index, key in enumerate(hashes) if key not in known]
    for start in range(0, len(missing), 4096):
        part_missing = missing[start : start + 4096]
        made = encode(part_missing).numpy().astype(np.float32)
        fresh = {hashes[i]: row.tobytes() for i, row in zip(part_missing, made, strict=True)}
        with store:
            store.executemany("INSERT OR REPLACE INTO embedding VALUES (?, ?)", fresh.items())
        known.update(fresh)
    rows = [np.frombuffer(known[key], np.float32) for key in hashes]
    return torch.from_numpy(np.stack(rows)) if rows else torch.zeros(0, 0)


def embed_texts(texts: Sequence[str], encoder: TextEncoder, cache: Path) -> Tensor:
    """Unit rows (n, E), encoded once for all runs that share the cache."""
    encode = encoder.encode
    if not texts:
        return torch.zeros(0, encoder.width)
    return cached(cache, encoder.identity, texts, lambda i: encode([texts[j] for j in i]))


def embed_pictures(rows: Sequence[Row], clip: Clip, cache: Path) -> Tensor:
    """Unit rows (n, E) of the rows' pictures, seen once for all runs that share the cache."""
    if not rows:
        return torch.zeros(0, clip.width)
    pixels = pack(rows, clip.size, cache, digest(rows))
    keys = [f"picture {row.key} {clip.size}" for row in rows]
    return cached(cache, clip.identity, keys, lambda i: clip.encode_images(pixels[i]))
