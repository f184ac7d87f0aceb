"""Find the picture that a text is about: one, or none; never one of several."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from labeling.imports.entries import By, Reference
from labeling.imports.nearness import Folders, nearness
from labeling.imports.paths import inside, is_named_as_picture, stem

COMPARED_MAX = 100  # pictures that fit as well; of more, none is meant
NAMED = 3  # pictures that are named where a text fits several


@dataclass
class Pictures:
    """The pictures of a source, by all ways in which a text may name them."""

    paths: set[str] = field(default_factory=set)
    by_stem: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    by_key: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    by_name: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    by_stem_name: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    by_folded: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    by_folded_stem: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    by_end: dict[str, dict[str, list[str]]] = field(default_factory=dict)  # by name and end
    named: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    near_pictures: dict[str, Folders] = field(default_factory=dict)  # by name, as they are wanted
    near_named: dict[str, Folders] = field(default_factory=dict)

    @classmethod
    def of(cls, paths: Iterable[str]) -> "Pictures":
        """Return the pictures at these paths, in their normal form."""
        pictures = cls()
        for path in sorted(paths):
            pictures.paths.add(path)
            pictures.by_stem[stem(path)].append(path)
            pictures.by_key[key(path)].append(path)
            pictures.by_name[_name(path)].append(path)
            pictures.by_stem_name[_name(stem(path))].append(path)
            pictures.by_folded[path.casefold()].append(path)
            pictures.by_folded_stem[stem(path).casefold()].append(path)
        return pictures

    def expect(self, reference: Reference) -> None:
        """Take note of a reference that will be looked for: two may not mean one by its name.

        Expect all of them before the first is looked for.
        """
        if reference.by in {By.END, By.NAME}:
            self.named[_name(reference.path)].add(reference.path)
        if reference.instead:
            self.named[_name(reference.instead)].add(reference.path)

    def find(self, reference: Reference) -> list[str]:
        """Return the pictures that a reference may mean: it is attached where there is just one."""
        found = self._find(reference)
        if found or not reference.instead:
            return found
        if reference.by is By.END and len(self.named[_name(reference.instead)]) > 1:
            return []
        return self._find(reference._replace(path=reference.instead))

    def _find(self, reference: Reference) -> list[str]:
        if reference.by is By.STEM:
            return _pictures_first(self._by_stem(reference.path))
        if reference.by is By.NAME:
            found = self._by_stem(reference.path) or self._by_name(reference.path)
            return _pictures_first(found)
        beside = inside(reference.folder, reference.path) if reference.folder else None
        if beside in self.paths:
            return [beside]
        if reference.path in self.paths:
            return [reference.path]
        if reference.by is By.END and (found := self._by_end(reference.path)):
            return found
        if reference.by is By.BELOW and (found := self._below(reference.path)):
            return found
        return self.by_folded.get(reference.path.casefold(), [])

    def _by_stem(self, path: str) -> list[str]:
        """`IMG.txt` is of `IMG.png`; so is `IMG.png.txt`, and a WebDataset's `IMG.caption.txt`."""
        if path in self.paths:
            return [path]
        if found := self.by_stem.get(path):
            return found
        if found := self.by_key.get(key(path)):
            return found
        return self.by_folded_stem.get(path.casefold(), [])

    def _by_name(self, path: str) -> list[str]:
        """Return those of its name in the nearest folder, unless another file is nearer to them.

        So `labels/train/a.txt` is of `images/train/a.png`, and `labels/val/a.txt` is not.
        """
        name = _name(path)
        found = self._near(self.near_pictures, name, self.by_stem_name.get(name, [])).nearest(path)
        if len(found) > COMPARED_MAX:
            return found
        others = self._near(self.near_named, name, self.named[name])
        return [each for each in found if nearness(each, path) >= others.nearness(each)]

    def _near(self, known: dict[str, Folders], name: str, paths: Iterable[str]) -> Folders:
        if name not in known:
            known[name] = Folders.of(paths)
        return known[name]

    def _ending(self, name: str, paths: Iterable[str]) -> dict[str, list[str]]:
        """Return the paths of a name by all ends that they have."""
        if name not in self.by_end:
            ending = self.by_end[name] = defaultdict(list)
            for path in paths:
                for end in _ends(path):
                    ending[end].append(path)
        return self.by_end[name]

    def _below(self, path: str) -> list[str]:
        """Return those of its name in the folders below its own."""
        folder, same_name = path.removesuffix(_name(path)), self.by_name.get(_name(path), [])
        if len(same_name) > COMPARED_MAX:
            return same_name
        return [each for each in same_name if each.startswith(folder)]

    def _by_end(self, path: str) -> list[str]:
        """Return those whose path ends so; else the one of its name, where no other is meant."""
        same_name = self.by_name.get(_name(path), [])
        if found := self._ending(_name(path), same_name).get(path):
            return found
        if whole := next((end for end in _ends(path) if end in self.paths), None):
            return [whole]
        if len(same_name) == 1 and len(self.named[_name(path)]) > 1:
            return []
        return same_name


def _pictures_first(paths: list[str]) -> list[str]:
    """Return those named as pictures, if any: `IMG.txt` is of `IMG.jpg`, not of `IMG.cr2`."""
    return [path for path in paths if is_named_as_picture(path)] or paths


def _ends(path: str) -> Iterator[str]:
    """Yield the path from its second folder on, from its third, and so to its name."""
    while "/" in path:
        path = path.partition("/")[2]
        yield path


def _name(path: str) -> str:
    return path.rpartition("/")[2]


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
