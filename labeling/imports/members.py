"""The members of a source: files that can be read, and rejections with a reason."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from labeling.decoding import too_large

ARCHIVES = (
    ".zip", ".tar", ".tgz", ".tbz", ".txz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".cbz",
)  # fmt: skip
OF_FILE_MANAGERS = {"thumbs.db", "desktop.ini", "__macosx"}
PATH_MAX = 1_000  # characters of a path inside an archive
SHOWN = 400  # … and of a longer one, where it is named
DRIVE = re.compile(r"[A-Za-z]:")


class SourceError(ValueError):
    """The source as a whole cannot be imported; the message says what to do."""


class TooManyMembers(SourceError):
    """An archive holds more files than may be imported at once."""


@dataclass(frozen=True)
class Member:
    """A file of the source. `read(limit)` returns its bytes or raises `ImageRejected`."""

    path: str
    size: int
    read: Callable[[int], bytes]


@dataclass(frozen=True)
class Rejection:
    """A member that is not imported, and why."""

    path: str
    reason: str


def is_ignored(path: str) -> bool:
    """Whether it is hidden, or left by a file manager: such files are passed over in silence."""
    parts = path.replace("\\", "/").split("/")
    return any(
        part.lower() in OF_FILE_MANAGERS or (part.startswith(".") and part not in {".", ".."})
        for part in parts
    )


def path_problem(path: str, *, inside: str = "archive") -> str | None:
    """Return why a member must not be imported because of its path, or None."""
    if len(path) > PATH_MAX:
        return f"its path is longer than {PATH_MAX:,} characters"
    plain = path.replace("\\", "/")
    if plain.startswith("/") or DRIVE.match(plain) or ".." in plain.split("/"):
        return f"its path leaves the {inside}"
    if plain.lower().endswith(ARCHIVES):
        return f"an archive within {'an archive' if inside == 'archive' else 'a folder'}"
    return None


def cut(path: str) -> str:
    """Return a path as it is named where it is refused: a long one without its end."""
    return path if len(path) <= PATH_MAX else f"{path[:SHOWN]}…"


def size_problem(size: int, limit: int) -> str | None:
    """Return why a file of this size, in bytes, must not be read, or None."""
    return too_large(limit) if size > limit else None
