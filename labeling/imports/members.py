"""What a source of pictures is made of: members that can be read, and refusals with a reason."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from labeling.images.decoding import too_large

ARCHIVES = {
    ".zip", ".tar", ".tgz", ".tbz", ".txz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".cbz",
}  # fmt: skip
CLUTTER = {"thumbs.db", "desktop.ini", "__macosx"}
DRIVE = re.compile(r"[A-Za-z]:")


class Unreadable(ValueError):
    """The source as a whole cannot be read; the message says what to do."""


@dataclass(frozen=True)
class Member:
    """A file of the source. `read(limit)` gives its bytes or raises `pictures.ImageRejected`."""

    path: str
    size: int
    read: Callable[[int], bytes]


@dataclass(frozen=True)
class Refusal:
    path: str
    reason: str


def clutter(path: str) -> bool:
    """Hidden files and what file managers leave behind: passed over without a word."""
    parts = path.replace("\\", "/").split("/")
    return any(
        part.lower() in CLUTTER or (part.startswith(".") and part not in {".", ".."})
        for part in parts
    )


def objection(path: str, *, inside: str = "archive") -> str | None:
    """Why a member may not be taken in for its path, if so."""
    plain = path.replace("\\", "/")
    if plain.startswith("/") or DRIVE.match(plain) or ".." in plain.split("/"):
        return f"its path leaves the {inside}"
    if PurePosixPath(plain).suffix.lower() in ARCHIVES:
        return f"an archive within {'an archive' if inside == 'archive' else 'a folder'}"
    return None


def oversize(size: int, limit: int) -> str | None:
    """Why a file of this size may not be read, if so."""
    return too_large(limit) if size > limit else None
