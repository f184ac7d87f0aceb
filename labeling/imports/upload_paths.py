"""The paths by which a client names its files: which are passed over or refused, and why.

They are never used on the server's disk.
"""

import hashlib
from typing import NamedTuple

from django.conf import settings

from labeling.captions import has_controls
from labeling.imports import archives, layouts, texts
from labeling.imports.members import ARCHIVES, OTHER_ARCHIVE, is_ignored, path_problem, size_problem
from labeling.models.imports import PATH_LENGTH

SHOWN = 400  # characters of a path that is too long


class Checked(NamedTuple):
    """A path as it is stored, and why the file is refused; empty: it is not."""

    path: str
    problem: str


def check(path: str, size: int) -> Checked | None:
    """Check the path and the size, in bytes, of a file; return None for what is passed over."""
    if problem := _path_problem(path):
        return Checked(printable(path), problem)
    if is_ignored(path):
        return None
    return Checked(path, _kind_problem(path) or size_problem(size, _limit(path)) or "")


def printable(text: str) -> str:
    """Return a text of `PATH_LENGTH` characters at most that can be stored and shown.

    Two texts that differ stay two.
    """
    plain = texts.shown(text)
    if len(plain) <= PATH_LENGTH:
        return plain
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{plain[:SHOWN]}… ({digest[:16]})"


def _path_problem(path: str) -> str:
    if not path.strip("/\\ ."):
        return "it has no name"
    if len(path) > PATH_LENGTH:
        return f"its path is longer than {PATH_LENGTH} characters"
    if has_controls(path):
        return "control characters in its path"
    return (
        (path_problem(path, inside="folder") or "") if not _is_any_archive(path) else _leaves(path)
    )


def _leaves(path: str) -> str:
    """Return why an archive's own path is refused, which says nothing of its kind."""
    return path_problem(f"{path}_", inside="folder") or ""


def _is_any_archive(path: str) -> bool:
    return path.lower().endswith(ARCHIVES)


def _kind_problem(path: str) -> str:
    if _is_any_archive(path) and not archives.is_archive(path):
        return OTHER_ARCHIVE
    return ""


def _limit(path: str) -> int:
    """Return how many bytes of a file would be read at most."""
    plain = path.lower()
    if archives.is_archive(plain):
        return int(settings.UPLOAD_MAX_BYTES)
    if layouts.layout_of(plain) is not None:
        return min(layouts.size_max(plain), int(settings.UPLOAD_MAX_BYTES))
    return int(settings.IMAGE_MAX_BYTES)
