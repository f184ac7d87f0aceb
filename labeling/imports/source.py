"""Open a source of images: a folder, a zip or a tar, recognised by their content."""

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from labeling.imports import folder, tars, zips
from labeling.imports.members import Member, Rejection, SourceError
from labeling.imports.paths import normal

Members = Callable[[], Iterator[Member | Rejection]]


def find(path: Path, *, most: int | None = None) -> Members:
    """Return a function that iterates over all members at each call. Raises `SourceError`.

    most: members of a zip, above which `TooManyMembers` is raised before they are in memory.
    """
    try:
        if path.is_dir():
            return lambda: distinct(folder.members(path))
        if not path.exists():
            raise SourceError(f"There is no {path}: name a folder, a zip or a tar with pictures.")
        if path.is_file() and zipfile.is_zipfile(path):
            return lambda: distinct(zips.members(path, most=most))
        if path.is_file() and tars.is_tar(path):
            return lambda: distinct(tars.members(path))
    except OSError as error:
        raise SourceError(f"{path} cannot be opened: {error.strerror}.") from error
    raise SourceError(f"{path} is neither a folder nor a zip nor a tar.")


def distinct(members: Iterator[Member | Rejection]) -> Iterator[Member | Rejection]:
    """Give all members paths in their normal form; reject all but the first of one path."""
    paths: set[str] = set()
    for member in members:
        path = normal(member.path)
        if isinstance(member, Member) and path in paths:
            yield Rejection(path, "there is another of this name before it")
        else:
            paths.add(path)
            yield member if path == member.path else replace(member, path=path)
