"""Pictures that look alike: found by their difference hashes, confirmed by their pixels."""

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from labeling.models import Image as ImageRow
from labeling.models import Project

DISTANCE = 6  # bits of 64 that may differ
DIFFERENCE = 8.0  # of 255: root mean square over small colour copies
CANDIDATES = 5  # looked at for one picture, nearest first
SIDE = 32  # pixels of a small copy


class Lookalikes:
    """The hashes of a project's pictures, near-duplicates apart, searched by brute force.

    A million hashes are 8 MB, and one search is an xor and a count of bits: milliseconds.
    """

    def __init__(self, project: Project) -> None:
        rows = list(
            ImageRow.objects.filter(project=project, near_duplicate_of=None)
            .order_by("id")
            .values_list("id", "perceptual_hash")
        )
        self._size = len(rows)
        self._ids = np.array([row[0] for row in rows], dtype=np.int64)
        self._hashes = np.array([row[1] for row in rows], dtype=np.int64)

    def add(self, image_id: int, perceptual_hash: int) -> None:
        if self._size == len(self._ids):  # grow by doubling
            self._ids = np.resize(self._ids, max(64, 2 * self._size))
            self._hashes = np.resize(self._hashes, max(64, 2 * self._size))
        self._ids[self._size], self._hashes[self._size] = image_id, perceptual_hash
        self._size += 1

    def near(self, perceptual_hash: int) -> list[int]:
        """Ids of the pictures within `DISTANCE`, nearest first, `CANDIDATES` at most."""
        apart = np.bitwise_count(self._hashes[: self._size] ^ np.int64(perceptual_hash))
        found = np.flatnonzero(apart <= DISTANCE)
        nearest = found[np.argsort(apart[found], kind="stable")][:CANDIDATES]
        return [int(image_id) for image_id in self._ids[nearest]]


def small(data: bytes) -> NDArray[np.float32]:
    """A copy of 32 × 32 × RGB to compare pixels with."""
    with Image.open(io.BytesIO(data)) as image:
        image.draft("RGB", (4 * SIDE, 4 * SIDE))
        copy = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(copy, dtype=np.float32)


def alike(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    return bool(np.sqrt(np.mean((one - other) ** 2)) <= DIFFERENCE)


def original(
    perceptual_hash: int, data: bytes, lookalikes: Lookalikes, stored: Callable[[int], bytes]
) -> int | None:
    """The id of the picture that this one repeats, if any.

    stored: gives the file of a picture by its id. Its pixels are compared in colour, since a red
    and a blue heart have one and the same hash.
    """
    candidates = lookalikes.near(perceptual_hash)
    if not candidates:
        return None
    copy = small(data)
    return next((one for one in candidates if alike(copy, small(stored(one)))), None)
