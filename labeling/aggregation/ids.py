"""Index columns of ids of any kind by integers. Only the distinct ids are ever sorted."""

from collections import defaultdict
from typing import Any

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[Any]
Index = npt.NDArray[np.int32]

NUMBERS = "biufMm"  # kinds of NumPy arrays that NumPy can sort
SPREAD = 4  # places per entry up to which integers are looked up in a table
LONGEST = 1000  # characters of an id in an array of fixed width; longer ones are kept as objects


def column(values: npt.ArrayLike, name: str) -> Column:
    """Return the ids as a flat array, as they are: "1" beside 1 stays text beside a number.

    `name` stands in error messages. Raises ValueError where they do not form one column.
    """
    kinds = set(map(type, values)) if isinstance(values, list | tuple) else set()
    try:
        ids = np.asarray(values, object if any(issubclass(kind, str) for kind in kinds) else None)
        if kinds == {int} and ids.dtype.kind == "f":  # integers that no array of numbers can hold
            ids = np.asarray(values, object)
    except ValueError:  # lists of several lengths
        ids = np.zeros((0, 0))
    if ids.ndim != 1:
        raise ValueError(f"the {name} column must be a flat list or array")
    if np.ma.is_masked(values):
        raise ValueError(f"the {name} column must not hold NaN or nothing")
    return ids


def index(ids: Column, name: str) -> tuple[Column, Index]:
    """Return the distinct ids, sorted, and the place of each entry among them.

    Raises ValueError where an entry is None, NaN or empty text, or where two have no order.
    """
    if ids.dtype.kind not in NUMBERS:
        return _index_objects(ids.tolist(), name)
    if ids.dtype.kind in "fMm" and np.isnan(ids).any():
        raise ValueError(f"the {name} column must not hold NaN or nothing")
    if ids.dtype.kind in "biu" and len(ids):
        low, high = int(ids.min()), int(ids.max())
        if high - low < SPREAD * len(ids) and high < 2**63:
            return _index_dense(ids, low, high)
    distinct, places = np.unique(ids, return_inverse=True)
    return distinct, places.astype(np.int32)


def _index_dense(ids: Column, low: int, high: int) -> tuple[Column, Index]:
    """Index integers by a table with a place for each number from low to high, in linear time."""
    offsets = ids.astype(np.int64) - low if low else ids
    if offsets.dtype.kind == "b":
        offsets = offsets.view(np.uint8)
    used = np.zeros(high - low + 1, bool)
    used[offsets] = True
    rank = np.cumsum(used, dtype=np.int32) - np.int32(1)
    distinct = (np.flatnonzero(used) + low).astype(ids.dtype)
    return distinct, rank[offsets]


def _index_objects(ids: list[Any], name: str) -> tuple[Column, Index]:
    """Index any ids by a dictionary of the distinct ones."""
    seen: dict[Any, int] = defaultdict(lambda: len(seen))
    try:
        places = np.fromiter(map(seen.__getitem__, ids), np.int32, len(ids))
        if any(each is None or each != each for each in seen):
            raise ValueError(f"the {name} column must not hold NaN or nothing")
        if "" in seen:
            raise ValueError(f"the {name} column must not hold empty text")
        distinct = sorted(seen)
    except TypeError:
        raise ValueError(f"the {name} column mixes kinds of ids that cannot be sorted") from None
    rank = np.empty(len(seen), np.int32)
    rank[[seen[each] for each in distinct]] = np.arange(len(seen))
    return _array(distinct), rank[places]


def _array(distinct: list[Any]) -> Column:
    """Return an array of text where nothing is lost by that, else of objects."""
    if all(isinstance(each, str) and len(each) <= LONGEST for each in distinct):
        text = np.array(distinct, str)
        if text.tolist() == distinct:  # an array of text drops zero characters at the end
            return text
    return np.fromiter(distinct, object, len(distinct))
