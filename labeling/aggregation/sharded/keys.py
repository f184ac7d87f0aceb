"""64-bit keys of ids, by which tasks and annotators of many files are told apart.

Names of a billion answers do not fit into memory; keys of them do. Two of n names share a key with
a probability of n² / 2⁶⁵: for 100 million names 3 · 10⁻⁴.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Keys = npt.NDArray[np.uint64]

TOGETHER = 10**7  # keys that are joined at a time, at least


def keys(ids: Any) -> Keys:
    """Return the keys (n,) of ids, a pa.Array of whole numbers or texts."""
    if pa.types.is_integer(ids.type):
        return _mixed(ids.to_numpy(zero_copy_only=False).astype(np.int64).view(np.uint64))
    digests = b"".join(blake2b(each.encode(), digest_size=8).digest() for each in ids.to_pylist())
    return np.frombuffer(digests, np.uint64)


def union(parts: Iterable[Keys]) -> Keys:
    """Return the different keys of all parts, sorted."""
    found, waiting = np.zeros(0, np.uint64), [np.zeros(0, np.uint64)]
    for part in parts:
        waiting.append(part)
        if sum(map(len, waiting)) > max(TOGETHER, len(found)):
            found, waiting = _joined(found, *waiting), []
    return _joined(found, *waiting)


def _joined(*parts: Keys) -> Keys:
    keys = np.concatenate(parts)
    keys.sort()  # many times as quick as NumPy's union, which hashes
    joined: Keys = keys[np.append(True, keys[1:] != keys[:-1])[: len(keys)]]
    return joined


def places(known: Keys, keys: Keys) -> npt.NDArray[np.intp]:
    """Return the place (n,) of each key among the known ones, which are sorted."""
    order = np.argsort(keys)  # neighbours are found together
    found = np.empty(len(keys), np.intp)
    found[order] = np.searchsorted(known, keys[order])
    return found


def _mixed(numbers: Keys) -> Keys:
    """Return different numbers for different ones, evenly spread (G. Steele's SplitMix64)."""
    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    found: Keys = mixed ^ (mixed >> np.uint64(31))
    return found
