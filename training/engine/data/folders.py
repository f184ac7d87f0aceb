"""Read a plain folder of pictures, each with its keywords in a ``.txt`` file of the same name.

``cat.jpg`` is described by ``cat.txt``: keywords with commas between them, as is usual for
training a LoRA, or a sentence. A picture without one takes part without text.
"""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from training.engine.data.rows import Row, Snapshot
from training.engine.files import TrainingError

SUFFIXES = frozenset((".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"))
HELD_OUT_FROM = 200  # pictures; of fewer all are needed for training
HELD_OUT = 0.1  # the share of pictures that only judges see
SEPARATORS = re.compile(r"[,،、，\n\r]")  # commas of any script, and line breaks


def holds_pictures(folder: Path) -> bool:
    """Return whether pictures lie in the folder itself."""
    return bool(picture_paths(folder))


def picture_paths(folder: Path) -> list[Path]:
    """Return the pictures in a folder by name, but for hidden ones; none where it is unreadable."""
    try:
        return sorted(
            path
            for path in folder.iterdir()
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
        )
    except OSError:
        return []


def read_folder(folder: Path) -> Snapshot:
    """Read the folder as a snapshot; raise ``TrainingError`` where it holds no pictures.

    A picture counts once, however many copies of it there are; which are held out for judges
    depends on their content alone.
    """
    paths = picture_paths(folder)
    if not paths:
        raise TrainingError(
            f"{folder} holds no pictures: put them there directly, not in folders of their own."
        )
    by_content: dict[str, Row] = {}
    for path in paths:
        row = _row(path)
        if row.content not in by_content or not by_content[row.content].captions:
            by_content[row.content] = row
    rows = [by_content[content] for content in sorted(by_content)]
    large = len(rows) >= HELD_OUT_FROM
    return Snapshot(
        folder=folder,
        concepts=(),
        train=tuple(row for row in rows if not (large and is_held_out(row))),
        test=tuple(row for row in rows if large and is_held_out(row)),
        digest=digest(rows),
    )


def _row(path: Path) -> Row:
    text = read_text(path.with_suffix(".txt"))
    keywords = tuple(dict.fromkeys(_keywords(text)))
    caption = ", ".join(keywords)
    return Row(
        path=path,
        captions=((caption, 1.0),) if caption else (),
        tags=keywords if len(keywords) > 1 else (),
        concepts={},
        content=hash_of(path),
    )


def hash_of(path: Path) -> str:
    """Return the SHA-256 of a picture's file; raise ``TrainingError`` where it is unreadable."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise TrainingError(f"The picture {path} cannot be read: {error.strerror}.") from None


def read_text(path: Path) -> str:
    """Return the text of a file, "" where there is none; raise ``TrainingError`` if unreadable."""
    try:
        return path.read_text("utf-8-sig")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise TrainingError(f"{path} is not text in UTF-8: save it as such.") from None
    except OSError as error:
        raise TrainingError(f"{path} cannot be read: {error.strerror}.") from None


def _keywords(text: str) -> Sequence[str]:
    """Return what stands between separators, without empty parts; runs of spaces become one."""
    parts = (" ".join(part.split()) for part in SEPARATORS.split(text))
    return [part for part in parts if part]


def is_held_out(row: Row) -> bool:
    """Return whether a picture is held out, where there are enough: by its content alone."""
    return int(row.content[:8], 16) / 2**32 < HELD_OUT


def digest(rows: Sequence[Row]) -> str:
    """Return a hash of pictures and texts, whatever the files' names."""
    lines = "\n".join(f"{row.content} {row.captions}" for row in rows)
    return hashlib.sha256(lines.encode()).hexdigest()
