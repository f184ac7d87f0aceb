"""Find the picture that a text is about: one, or none; never one of several."""

from array import array
from collections.abc import Collection, Iterable
from functools import cached_property

import numpy as np

from labeling.imports.entries import By, Reference
from labeling.imports.lookup import Lookup, Nearby, name_of
from labeling.imports.nearness import nearness
from labeling.imports.paths import inside, is_named_as_picture, stem

COMPARED_MAX = 100  # pictures that fit as well; of more, none is meant
NAMED = 3  # pictures that are named where a text fits several
PARTS_MAX = 12  # of the end of a path that are looked up; of a longer one the rest is compared


class Pictures:
    """The pictures of a source, by all ways in which a text may name them.

    Each way is looked up in an index of its own, made when it is first needed.
    """

    def __init__(self, paths: Collection[str]) -> None:
        self.paths = paths if isinstance(paths, set) else set(paths)
        self._sorted = sorted(paths)
        self._by_end: dict[int, Lookup] = {}  # by how many parts of a path the end has
        self._named = array("q")  # hashes: of a name, and of the path of that name, by turns
        self._plainly_named: set[str] = set()  # without a suffix

    @classmethod
    def of(cls, paths: Iterable[str]) -> "Pictures":
        """Return the pictures at these paths, in their normal form."""
        return cls(paths if isinstance(paths, set) else set(paths))

    def expect(self, reference: Reference) -> None:
        """Take note of a reference that will be looked for: two may not mean one by its name.

        Expect all of them before the first is looked for.
        """
        if reference.by in {By.END, By.NAME}:
            self._named.extend((hash(name_of(reference.path)), hash(reference.path)))
            if reference.by is By.NAME or "." not in name_of(reference.path):
                self._plainly_named.add(reference.path)
        if reference.instead:
            self._named.extend((hash(name_of(reference.instead)), hash(reference.path)))
        self.__dict__.pop("_named_twice", None)

    def find(self, reference: Reference) -> list[str]:
        """Return the pictures that a reference may mean: it is attached where there is just one."""
        found = self._find(reference)
        if found or not reference.instead:
            return found
        if reference.by is By.END and hash(name_of(reference.instead)) in self._named_twice:
            return []
        return self._find(reference._replace(path=reference.instead))

    def _find(self, reference: Reference) -> list[str]:
        if reference.by is By.STEM:
            return _pictures_first(self._of_stem(reference.path))
        if reference.by is By.NAME:
            found = self._of_stem(reference.path) or self._of_name(reference.path)
            return _pictures_first(found)
        beside = inside(reference.folder, reference.path) if reference.folder else None
        if beside and beside in self.paths:
            return [beside]
        if reference.path in self.paths:
            return [reference.path]
        if reference.by is By.END and (found := self._of_end(reference.path)):
            return found
        if reference.by is By.BELOW and (found := self._below(reference.path)):
            return found
        return self._by_folded.get(reference.path.casefold())

    def _of_stem(self, path: str) -> list[str]:
        """`IMG.txt` is of `IMG.png`; so is `IMG.png.txt`, and a WebDataset's `IMG.caption.txt`."""
        if path in self.paths:
            return [path]
        if found := self._by_stem.get(path):
            return found
        return self._by_key.get(key(path)) or self._by_folded_stem.get(path.casefold())

    def _of_name(self, path: str) -> list[str]:
        """Return those of its name in the nearest folder, unless another file is nearer to them.

        So `labels/train/a.txt` is of `images/train/a.png`, and `labels/val/a.txt` is not.
        """
        name = name_of(path)
        found = self._nearby.nearest(path, name)
        if len(found) > COMPARED_MAX:
            return found
        others = self._others_nearby
        return [each for each in found if nearness(each, path) >= others.nearness(each, name)]

    def _of_end(self, path: str) -> list[str]:
        """Return those whose path ends so; else the one of its name, where no other is meant."""
        if found := [each for each in self._ending(path) if each.endswith(f"/{path}")]:
            return found
        parts = path.split("/")
        ends = ("/".join(parts[first:]) for first in range(1, len(parts)))
        if longest := next((end for end in ends if end in self.paths), ""):
            return [longest]
        same_name = self._ending(name_of(path))
        if len(same_name) == 1 and hash(name_of(path)) in self._named_twice:
            return []
        return same_name

    def _below(self, path: str) -> list[str]:
        """Return those of its name in the folders below its own."""
        name = name_of(path)
        folder, same_name = path.removesuffix(name), self._ending(name)
        if len(same_name) > COMPARED_MAX:
            return same_name
        return [each for each in same_name if each.startswith(folder)]

    def _ending(self, path: str) -> list[str]:
        """Return the pictures with the same last parts: `PARTS_MAX` of a longer path."""
        count = min(path.count("/") + 1, PARTS_MAX)
        if count not in self._by_end:
            self._by_end[count] = Lookup(self._sorted, lambda each: _last(each, count))
        return self._by_end[count].get(_last(path, count))

    @cached_property
    def _named_twice(self) -> set[int]:
        """The hashes of names by which texts name several paths."""
        pairs = np.unique(np.array(self._named, np.int64).reshape(-1, 2), axis=0)
        names, counts = np.unique(pairs[:, 0], return_counts=True)
        return set(names[counts > 1].tolist())

    @cached_property
    def _by_stem(self) -> Lookup:
        return Lookup(self._sorted, stem)

    @cached_property
    def _by_key(self) -> Lookup:
        return Lookup(self._sorted, key)

    @cached_property
    def _by_folded(self) -> Lookup:
        return Lookup(self._sorted, str.casefold)

    @cached_property
    def _by_folded_stem(self) -> Lookup:
        return Lookup(self._sorted, lambda path: stem(path).casefold())

    @cached_property
    def _nearby(self) -> Nearby:
        return Nearby(self._sorted, stem)

    @cached_property
    def _others_nearby(self) -> Nearby:
        return Nearby(sorted(self._plainly_named), str)


def _last(path: str, count: int) -> str:
    """Return so many parts of the end of a path."""
    return "/".join(path.rsplit("/", count)[-count:])


def _pictures_first(paths: list[str]) -> list[str]:
    """Return those named as pictures, if any: `IMG.txt` is of `IMG.jpg`, not of `IMG.cr2`."""
    return [path for path in paths if is_named_as_picture(path)] or paths


def key(path: str) -> str:
    """Return a WebDataset's key: the path up to the first dot of the file name."""
    folder, slash, name = path.rpartition("/")
    return f"{folder}{slash}{name.partition('.')[0]}"


def why_not(reference: Reference, found: list[str]) -> str:
    """Return why a text is attached to no picture."""
    if not found:
        if reference.by in {By.STEM, By.NAME}:
            return "a text without a picture of the same name"
        return f"names {reference.path}, which is not there"
    named = ", ".join(found[:NAMED]) + (" …" if len(found) > NAMED else "")
    return f"fits {len(found):,} pictures: {named}"
