"""Archives: opened by their content; or as sources of their own among other files."""

import zipfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path

from labeling.imports import tars, zips
from labeling.imports.members import BadArchive, Member, Rejection

SUFFIXES = (  # of those that are read, the longest first
    *(".tar.bz2", ".tar.gz", ".tar.xz"),
    *(".zip", ".cbz", ".tar", ".tgz", ".tbz", ".txz"),
)
NO_ARCHIVE = "is no zip or tar that can be read, or is cut off: pack it again"

Found = Iterator[Member | Rejection]


def is_archive(path: str) -> bool:
    """Whether a file is an archive that can be read, by its name."""
    return path.lower().endswith(SUFFIXES)


def open_members(path: Path, *, most: int | None = None, encoding: str = "") -> Found | None:
    """Return the members of a zip or a tar, by its content; None where it is neither.

    most: members of a zip, above which `TooManyMembers` is raised before they are in memory.
    encoding: of names that are not UTF-8. Raises OSError, and `SourceError` on the way.
    """
    if zipfile.is_zipfile(path):
        return zips.members(path, most=most, encoding=encoding)
    if tars.is_tar(path):
        return tars.members(path, encoding=encoding)
    return None


def reopened(path: Path, *, encoding: str = "") -> Found:
    """Yield the members of what was a zip or a tar. Raises `SourceError`."""
    members = open_members(path, encoding=encoding)
    if members is None:
        raise BadArchive(path, NO_ARCHIVE)
    yield from members


def shard(
    path: Path,
    name: str,
    *,
    folder: str,
    encoding: str = "",
    most: int | None = None,
    bound: Callable[[Found], Found] = lambda members: members,
) -> Found:
    """Yield the members of an archive among other files, as they lie in a folder of its own.

    name: its path in the source, by which it is refused as a whole. folder: a path with a slash
    behind it. bound: ends members that are too many. Raises `TooManyMembers`.
    """
    try:
        members = open_members(path, most=most, encoding=encoding)
        if members is None:
            yield Rejection(name, NO_ARCHIVE, cut=True)
            return
        for member in bound(members):
            if isinstance(member, Rejection) and member.path == path.name:
                yield replace(member, path=name)  # of the archive as a whole
            else:
                yield replace(member, path=f"{folder}{member.path}")
    except BadArchive as error:
        yield Rejection(name, error.reason, cut=True)
    except OSError as error:
        yield Rejection(name, f"cannot be read: {error.strerror}", cut=True)


def folder_of(name: str, others: Collection[str]) -> str:
    """Return the folder of an archive's members, with a slash: its name without the suffix.

    others: paths of files and folders beside it. Where one of them would share the folder, it is
    the whole name, so that no two shards have one key.
    """
    short = without_suffix(name)
    taken = {_claim(other) for other in others if other != name}
    return f"{name}/" if short in taken or not short else f"{short}/"


def without_suffix(name: str) -> str:
    """Return an archive's name without its suffix."""
    suffix = next((each for each in SUFFIXES if name.lower().endswith(each)), "")
    return name.removesuffix(name[len(name) - len(suffix) :]) if suffix else name


def _claim(name: str) -> str:
    return without_suffix(name) if is_archive(name) else name
