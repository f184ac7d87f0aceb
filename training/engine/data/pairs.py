"""Pairs of pictures that belong together: which rows hold them, and their halves as arrays."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from training.engine.data.pictures import Pixels, load_halves
from training.engine.data.rows import Row, Snapshot, digest
from training.engine.files import TrainingError, array_draft

HALVES = 2
WATCHED = 8  # pairs in the grids of a run, at most
CHUNK = 256  # pairs decoded at once


def of_pairs(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot with its pairs alone, and of their texts the captions.

    Raise ``TrainingError`` where it holds no pairs to learn from.
    """
    pairs = _chosen(snapshot, _as_pair)
    if not pairs.train:
        raise TrainingError(
            f"{snapshot.folder} holds no pairs: import some with import_images --pairs, or name a "
            "folder with two folders of equally named pictures or a pairs.csv."
        )
    return pairs


def without_pairs(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot with its single pictures alone; raise ``TrainingError`` for none."""
    single = _chosen(snapshot, lambda row: None if row.pair else row)
    if not single.train:
        raise TrainingError(
            f"{snapshot.folder} holds pairs alone, which the recipe pairs learns from: choose it, "
            "or import single pictures."
        )
    return single


def _chosen(snapshot: Snapshot, choose: Callable[[Row], Row | None]) -> Snapshot:
    """Return the snapshot with what ``choose`` makes of its rows."""
    train, test = (
        tuple(chosen for row in rows if (chosen := choose(row)))
        for rows in (snapshot.train, snapshot.test)
    )
    return replace(snapshot, train=train, test=test)


def _as_pair(row: Row) -> Row | None:
    """Return a pair; its keywords and concepts say what kind of pair it is, not what it shows."""
    if not row.pair:
        return None
    return replace(row, tags=(), concepts={}, prompt="", shows_prompt=None)


def watched(snapshot: Snapshot) -> tuple[Row, ...]:
    """Return the pairs that a run is watched by: held-out ones if there are any, evenly spread."""
    rows = snapshot.test or snapshot.train
    count = min(WATCHED, len(rows))
    return tuple(rows[index * len(rows) // count] for index in range(count))


def text_of(row: Row) -> str:
    """Return the first caption of a pair, "" where there is none."""
    return row.captions[0][0] if row.captions else ""


def name_of(row: Row) -> str:
    """Return what a pair is called: by its caption, else by the file that it came from."""
    return text_of(row) or Path(row.source or row.path).stem


def pack_halves(rows: Sequence[Row], size: int, cache: Path) -> Pixels:
    """Return the pairs' halves as uint8 (n, 2, size, size, 3), memory-mapped from ``cache``.

    Raise ``TrainingError`` where a picture cannot be read, or the file is of other pairs.
    """
    shape = (len(rows), HALVES, size, size, 3)
    path = cache / f"halves-{size}-{digest(rows)}.npy"
    if not path.exists():
        with array_draft(path, shape, np.uint8) as packed, ThreadPoolExecutor(os.cpu_count()) as do:
            for start in range(0, len(rows), CHUNK):
                part = rows[start : start + CHUNK]
                loaded = do.map(lambda row: load_halves(row.path, row.second, size), part)
                packed[start : start + len(part)] = list(loaded)
    halves: Pixels = np.load(path, mmap_mode="r")
    if halves.shape != shape:
        raise TrainingError(f"{path} does not fit the snapshot: delete it and start again.")
    return halves
