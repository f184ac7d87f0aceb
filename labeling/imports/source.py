"""Open a source of images by its content: a folder, a zip, a tar or a list of addresses.

A single Parquet or Arrow file is a source as well: of the pictures in its rows.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from labeling.imports import archives, columnar, folder, urls
from labeling.imports.members import Member, Rejection, SourceError
from labeling.imports.paths import normal

Members = Callable[[], Iterator[Member | Rejection]]


def find(path: Path, *, encoding: str = "", column: str = "") -> Members:
    """Return a function that iterates over all members at each call. Raises `SourceError`.

    encoding: of names that are not UTF-8. column: of a list, that holds the addresses.
    """
    try:
        if path.is_dir():
            return lambda: distinct(folder.members(path, encoding=encoding))
        if not path.exists():
            raise SourceError(f"There is no {path}: name a folder, a zip or a tar with pictures.")
        if path.is_file() and archives.open_members(path) is not None:
            return lambda: distinct(archives.reopened(path, encoding=encoding))
        if path.is_file() and urls.is_list(path, column=column):
            return lambda: distinct(urls.members(path, column=column))
        if path.is_file() and columnar.is_columnar(path.name):
            return lambda: distinct(iter([folder.file(path.name, path)]))
    except OSError as error:
        raise SourceError(f"{path} cannot be opened: {error.strerror}.") from error
    raise SourceError(
        f"{path} is neither a folder nor a zip nor a tar, nor a list or table of pictures."
    )


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
