"""Many paths, to be found by a part of theirs in little memory."""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from labeling.imports.nearness import Folders

FEW = 16  # paths of one name that need no index of their folders
LAST = 16  # keys whose paths are remembered: one key may have all paths

Key = Callable[[str], str]


class Lookup:
    """Paths by a key of theirs, in their order: a hash and a place for each, 12 bytes."""

    def __init__(self, paths: Sequence[str], key: Key) -> None:
        self._paths, self._key = paths, key
        hashes = np.fromiter((hash(key(path)) for path in paths), np.int64, len(paths))
        order = np.argsort(hashes, kind="stable")
        self._hashes = array("q", hashes[order].tobytes())
        self._places = array("I", order.astype(np.uint32).tobytes())
        self.get = lru_cache(maxsize=LAST)(self._get)

    def _get(self, value: str) -> list[str]:
        wanted, found = hash(value), list[str]()
        place = bisect_left(self._hashes, wanted)
        while place < len(self._hashes) and self._hashes[place] == wanted:
            path = self._paths[self._places[place]]
            if self._key(path) == value:
                found.append(path)
            place += 1
        return found


class Nearby:
    """Paths of one name, of which those are found that share the most folders with another path.

    plain: makes of a path what its name is told from, such as it without its suffix.
    """

    def __init__(self, paths: Sequence[str], plain: Key) -> None:
        self._by_name = Lookup(paths, lambda path: name_of(plain(path)))
        self._folders: dict[str, Folders] = {}  # of names that many have

    def nearest(self, path: str, name: str) -> list[str]:
        """Return the paths of that name that are the nearest to another path."""
        return self._of(name).nearest(path)

    def nearness(self, path: str, name: str) -> int:
        """Return how near the nearest path of that name is."""
        return self._of(name).nearness(path)

    def _of(self, name: str) -> Folders:
        if name in self._folders:
            return self._folders[name]
        paths = self._by_name.get(name)
        folders = Folders.of(paths)
        if len(paths) > FEW:
            self._folders[name] = folders
        return folders


def name_of(path: str) -> str:
    """Return the name of a file without its folder."""
    return path.rpartition("/")[2]
