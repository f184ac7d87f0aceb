"""Find near-duplicates by what a frozen encoder sees: mirrored, cropped, brightened copies.

An encoder says which pictures may be copies of which; their pixels decide (`windows`).
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from django.db import transaction

from labeling import features
from labeling.features import Features, Ids
from labeling.images import store, windows
from labeling.images.windows import Windows
from labeling.models import Image, Project, Tile
from labeling.stored_folders import objects

CANDIDATE = 0.85  # cosine of centred features: see "Near-duplicates" in docs/benchmarks.md
CANDIDATES_MAX = 5  # of one picture, the nearest
BLOCK = 512  # new pictures that are compared at once
CACHED = 256  # pictures whose windows are kept, 250 KB each

Singles = npt.NDArray[np.float32]


def mark(project: Project, *, known: Ids) -> int:
    """Mark pictures as near-duplicates of older ones; return how many were marked.

    Those are compared whose tiles are not among the `known` ones, with all older pictures. Their
    features are to be those of a frozen encoder.
    """
    seen = features.load(project)
    if seen is None:
        return 0
    images, rows, is_new = _originals(project, seen, known)
    originals: dict[int, int] = {}  # of those found now

    @lru_cache(CACHED)
    def windows_of(image: int) -> Windows | None:
        return _windows(image)

    for image, older in _candidates(seen, images, rows, is_new):
        own = windows_of(image)
        for candidate in dict.fromkeys(originals.get(each, each) for each in older):
            other = windows_of(candidate)
            if own is not None and other is not None and windows.show_the_same(own, other):
                originals[image] = candidate
                break
    return _store(project, originals) if originals else 0


def _originals(
    project: Project, seen: Features, known: Ids
) -> tuple[Ids, features.Index, npt.NDArray[np.bool_]]:
    """Return images that are no near-duplicates, the oldest first, their rows, which are new."""
    wholes = Tile.objects.filter(
        image__project=project, image__generated=False, image__near_duplicate_of=None, grid=1
    )
    pairs = list(wholes.order_by("image_id").values_list("image_id", "pk"))
    images, tiles = np.array(pairs, np.int64).reshape(-1, 2).T
    rows = seen.rows_of(tiles)
    there = rows >= 0
    return images[there], rows[there], ~np.isin(tiles[there], known)


def _candidates(
    seen: Features, images: Ids, rows: features.Index, is_new: npt.NDArray[np.bool_]
) -> Iterator[tuple[int, list[int]]]:
    """Yield each new image with the older ones that are near it, the nearest first."""
    new = np.flatnonzero(is_new)
    for start in range(0, len(new), BLOCK):
        block = new[start : start + BLOCK]
        own = _unit(seen.rows(rows[block]))
        near: list[list[tuple[float, int]]] = [[] for _ in block]
        for first in range(0, int(block[-1]), features.BLOCK):
            others = np.arange(first, min(first + features.BLOCK, int(block[-1])))
            cosines = own @ _unit(seen.rows(rows[others])).T
            older = others < block[:, np.newaxis]
            for row, column in np.argwhere((cosines >= CANDIDATE) & older).tolist():
                near[row].append((-float(cosines[row, column]), int(images[others[column]])))
        for place, candidates in zip(block.tolist(), near, strict=True):
            if candidates:
                nearest = sorted(candidates)[:CANDIDATES_MAX]
                yield int(images[place]), [image for _, image in nearest]


def _unit(rows: Singles) -> Singles:
    """Return rows of length one; of what cannot be read, and of what has no features, zeros."""
    finite: Singles = np.nan_to_num(rows, nan=0.0)
    unit: Singles = finite / np.maximum(np.linalg.norm(finite, axis=1, keepdims=True), 1e-6)
    return unit


def _windows(image: int) -> Windows | None:
    """Return the windows of a stored picture; None where it is gone, or cannot be read."""
    name = Image.objects.filter(pk=image).values_list("file", flat=True).first()
    try:
        return windows.cut(objects.read(name or ""))
    except (OSError, ValueError):
        return None


def _store(project: Project, originals: Mapping[int, int]) -> int:
    """Store what was found of pictures that are still there and still their own originals."""
    with transaction.atomic():
        store.lock(project)
        own = Image.objects.filter(project=project, near_duplicate_of=None)
        there = set(own.filter(pk__in=originals.values()).values_list("pk", flat=True))
        marked = [row for row in own.filter(pk__in=originals) if originals[row.pk] in there]
        for row in marked:
            row.near_duplicate_of_id = originals[row.pk]
        repeats = _repeats(marked)
        Image.objects.bulk_update([*marked, *repeats], ["near_duplicate_of"])
    return len(marked)


def _repeats(marked: Sequence[Image]) -> list[Image]:
    """Return the near-duplicates of pictures that are some themselves now, with their originals."""
    originals = {row.pk: row.near_duplicate_of_id for row in marked}
    rows = list(Image.objects.filter(near_duplicate_of__in=originals))
    for row in rows:
        row.near_duplicate_of_id = originals[row.near_duplicate_of_id or 0]
    return rows
