"""Masks among a source's pictures: they say where another picture shows something.

They are recognised by their names alone, and only where the picture is there that they are of.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from pathlib import PurePosixPath

from labeling.imports.paths import folder_of, stem

REASON = "a mask of another picture, which is not read: --masks pictures takes such as pictures"
LOSSLESS = (".png", ".bmp", ".gif", ".tif", ".tiff", ".webp")  # as masks must be
FOLDER = re.compile(
    r"masks?|.*[_\- ]masks?|segmentation(class|object|s|_masks?)?|seg(s|maps?)?|trimaps?"
    r"|label(s|maps?|_?ids)?|annotations?|ground_?truth|gt(fine|coarse)?",
    re.IGNORECASE,
)
NAME = re.compile(
    r"(?P<name>.+?)[_\-. ](masks?|seg|segmentation|labelids|instanceids|trainids|trimap)\d*",
    re.IGNORECASE,
)
COMPARED_MAX = 100  # folders that may have the pictures of one folder of masks
SHARE = 0.9  # of a folder's files that must be of pictures in one other folder


def find(paths: Collection[str]) -> set[str]:
    """Return those of the pictures' paths that are masks of others of them.

    1. `a_mask.png` beside `a.jpg`
    2. what lies in a folder such as `masks`, of which nearly all files, in a lossless format, have
       the names of those of the folder beside it, or of the like further up: `train/masks/a.png` of
       `train/images/a.jpg`, and `masks/train/a.png` of `images/train/a.jpg`
    """
    stems = {stem(path) for path in paths}
    masks = {path for path in paths if _is_named_so(path) and _base(path) in stems}
    files: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        files[folder_of(path)].append(path)
    names = {folder: {PurePosixPath(path).stem for path in some} for folder, some in files.items()}
    for folder, others in _parallel(sorted(files)):
        wanted = _pictures_of(files[folder])
        if any(_are_masks(wanted, names[other]) for other in others[:COMPARED_MAX]):
            masks.update(files[folder])
    return masks


def _is_named_so(path: str) -> bool:
    return bool(path.lower().endswith(LOSSLESS) and NAME.fullmatch(PurePosixPath(path).stem))


def _base(path: str) -> str:
    """Return the path, without a suffix, of the picture that a mask so called is of."""
    match = NAME.fullmatch(PurePosixPath(path).stem)
    return str(PurePosixPath(path).with_name(match["name"])) if match else ""


def _parallel(folders: Collection[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield folders that are called as those of masks are, with those that may have the pictures.

    These are the same but for that part of the path, or lack it.
    """
    called = {
        folder: [n for n, part in enumerate(folder.split("/")) if FOLDER.fullmatch(part)]
        for folder in folders
    }
    places = {n for numbers in called.values() for n in numbers}
    alike: dict[tuple[int, str], list[str]] = defaultdict(list)
    for folder, numbers in called.items():
        for n in places - set(numbers):
            if n < folder.count("/") + 1:
                alike[n, _without(folder, n)].append(folder)
    for folder, numbers in called.items():
        for n in numbers:
            rest = _without(folder, n)
            above = [rest] if rest in folders else []
            yield folder, alike.get((n, rest), []) + above


def _without(folder: str, number: int) -> str:
    """Return a folder's path without one part."""
    parts = folder.split("/")
    return "/".join(parts[:number] + parts[number + 1 :]) or "."


def _pictures_of(files: Sequence[str]) -> list[set[str]]:
    """Return the names that the picture of each file may have, if that is a mask."""
    return [
        {PurePosixPath(path).stem, PurePosixPath(_base(path)).name}
        if path.lower().endswith(LOSSLESS)
        else set()
        for path in files
    ]


def _are_masks(wanted: Sequence[set[str]], names: set[str]) -> bool:
    """Whether nearly all of the files may be masks of pictures of these names."""
    return sum(not names.isdisjoint(each) for each in wanted) >= SHARE * len(wanted)
