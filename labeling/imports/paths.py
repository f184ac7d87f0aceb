"""The door through which all paths of a source go, whoever wrote them.

A path has slashes, no `./`, no `//`, and Unicode's NFC. What is stored, what is compared and what a
text names is such a path.
"""

import unicodedata
from pathlib import PurePosixPath

PICTURE_SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif",
)  # fmt: skip


def normal(path: str) -> str:
    """Return the normal form of a path."""
    plain = path.replace("\\", "/")
    if plain.isascii() and not _is_irregular(plain):
        return plain  # as nearly all are
    return unicodedata.normalize("NFC", PurePosixPath(plain).as_posix())


def folder_of(path: str) -> str:
    """Return the normal path of the folder in which a file lies; "." outside of all."""
    return normal(path).rpartition("/")[0] or "."


def stem(path: str) -> str:
    """Return a normal path without the last suffix of its file name."""
    folder, slash, name = path.rpartition("/")
    base = name.rpartition(".")[0]
    return path if not base.strip(".") or name.endswith(".") else f"{folder}{slash}{base}"


def is_named_as_picture(path: str) -> bool:
    """Whether the suffix says that a file is a picture; others may be pictures as well."""
    return path.lower().endswith(PICTURE_SUFFIXES)


def inside(folder: str, name: str) -> str | None:
    """Return the path of a file named from a folder: `../b/x.png` too; None where it leaves all."""
    parts: list[str] = []
    for part in normal(f"{folder}/{name}").split("/"):
        if part == ".." and not parts:
            return None
        if part == "..":
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join(parts) or None


def _is_irregular(path: str) -> bool:
    return "//" in path or path.endswith("/") or any(part == "." for part in path.split("/"))
