"""Pictures that look alike: found by their difference hashes, confirmed by their pixels."""

import io

import numpy as np
from django.core.files.storage import default_storage
from numpy.typing import NDArray
from PIL import Image

from labeling.models import Image as ImageRow
from labeling.models import Project

DISTANCE = 6  # bits of 64 that may differ
DIFFERENCE = 8.0  # of 255: root mean square over small colour copies
CANDIDATES = 5  # looked at for one picture, nearest first
SIDE = 32  # pixels of a small copy
COPIES = 20_000  # small copies kept at hand, 3 KB each

Copy = NDArray[np.uint8]


class DuplicateIndex:
    """The hashes of a project's pictures, near-duplicates apart, searched by brute force.

    A million hashes are 8 MB, and one search is an xor and a count of bits: milliseconds.
    """

    def __init__(self, project: Project) -> None:
        rows = list(
            ImageRow.objects.filter(project=project, near_duplicate_of=None)
            .order_by("id")
            .values_list("id", "perceptual_hash")
        )
        self._copies: dict[int, Copy] = {}
        self._size = len(rows)
        self._ids = np.array([row[0] for row in rows], dtype=np.int64)
        self._hashes = np.array([row[1] for row in rows], dtype=np.int64)

    def original(self, perceptual_hash: int, data: bytes) -> int | None:
        """The id of the picture that this one repeats, if any.

        Pixels are compared in colour, since a red and a blue heart have one and the same hash.
        """
        near = self._near(perceptual_hash)
        copy = small(data) if near else None
        return next(
            (one for one in near if copy is not None and alike(copy, self._copy(one))), None
        )

    def add(self, image_id: int, perceptual_hash: int, data: bytes) -> None:
        """Remember a picture that repeats none."""
        if self._size == len(self._ids):  # grow by doubling
            self._ids = np.resize(self._ids, max(64, 2 * self._size))
            self._hashes = np.resize(self._hashes, max(64, 2 * self._size))
        self._ids[self._size], self._hashes[self._size] = image_id, perceptual_hash
        self._size += 1
        self._remember(image_id, small(data))

    def _near(self, perceptual_hash: int) -> list[int]:
        """Ids of the pictures within `DISTANCE`, nearest first, `CANDIDATES` at most."""
        apart = np.bitwise_count(self._hashes[: self._size] ^ np.int64(perceptual_hash))
        found = np.flatnonzero(apart <= DISTANCE)
        nearest = found[np.argsort(apart[found], kind="stable")][:CANDIDATES]
        return [int(image_id) for image_id in self._ids[nearest]]

    def _copy(self, image_id: int) -> Copy:
        if image_id not in self._copies:
            name = ImageRow.objects.values_list("file", flat=True).get(pk=image_id)
            with default_storage.open(name) as file:
                self._remember(image_id, small(file.read()))
        return self._copies[image_id]

    def _remember(self, image_id: int, copy: Copy) -> None:
        self._copies[image_id] = copy
        if len(self._copies) > COPIES:
            del self._copies[next(iter(self._copies))]


def small(data: bytes) -> Copy:
    """A copy of 32 × 32 × RGB to compare pixels with."""
    with Image.open(io.BytesIO(data), formats=("WEBP", "JPEG")) as image:
        image.draft("RGB", (4 * SIDE, 4 * SIDE))
        copy = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(copy)


def alike(one: Copy, other: Copy) -> bool:
    difference = one.astype(np.float32) - other
    return bool(np.sqrt(np.mean(difference**2)) <= DIFFERENCE)
