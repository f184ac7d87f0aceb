"""A plain folder of pictures, each with its keywords in a ``.txt`` file of the same name.

``cat.jpg`` is described by ``cat.txt``: keywords with commas between them, as trainers of LoRA
expect them, or a sentence. A picture without one takes part unnamed.
"""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from training.engine.data.rows import Row, Snapshot
from training.engine.files import TrainingError

SUFFIXES = frozenset((".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"))
HELD_OUT_FROM = 200  # pictures; of fewer all are needed for training
HELD_OUT = 0.1  # the share of the others that only judges see


def holds_pictures(folder: Path) -> bool:
    """Whether pictures lie in the folder itself."""
    return bool(_pictures(folder))


def read_folder(folder: Path) -> Snapshot:
    """The folder as a snapshot; raises ``TrainingError`` where it holds no pictures.

    A picture counts once, however many copies of it there are; which are held out for judges
    depends on their content alone.
    """
    paths = _pictures(folder)
    if not paths:
        raise TrainingError(
            f"{folder} holds no pictures: put them there directly, not in folders of their own."
        )
    known: dict[str, Row] = {}
    for path in paths:
        row = _row(path)
        if row.content not in known or not known[row.content].captions:
            known[row.content] = row
    rows = [known[content] for content in sorted(known)]
    large = len(rows) >= HELD_OUT_FROM
    return Snapshot(
        folder=folder,
        concepts=(),
        train=tuple(row for row in rows if not (large and _held_out(row))),
        test=tuple(row for row in rows if large and _held_out(row)),
        digest=_digest(rows),
    )


def _pictures(folder: Path) -> list[Path]:
    try:
        return sorted(
            path
            for path in folder.iterdir()
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
        )
    except OSError:
        return []


def _row(path: Path) -> Row:
    try:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise TrainingError(f"The picture {path} cannot be read: {error.strerror}.") from None
    text = _text(path.with_suffix(".txt"))
    keywords = tuple(dict.fromkeys(_keywords(text)))
    caption = ", ".join(keywords)
    return Row(
        path=path,
        captions=((caption, 1.0),) if caption else (),
        tags=keywords if len(keywords) > 1 else (),
        concepts={},
        content=content,
    )


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise TrainingError(f"{path} is not text in UTF-8: save it as such.") from None
    except OSError as error:
        raise TrainingError(f"{path} cannot be read: {error.strerror}.") from None


def _keywords(text: str) -> Sequence[str]:
    """What stands between commas, of any script, and line breaks; runs of spaces are one."""
    parts = (" ".join(part.split()) for part in re.split(r"[,،、，\n\r]", text))
    return [part for part in parts if part]


def _held_out(row: Row) -> bool:
    return int(row.content[:8], 16) / 2**32 < HELD_OUT


def _digest(rows: Sequence[Row]) -> str:
    """Of pictures and texts, whatever their names."""
    told = "\n".join(f"{row.content} {row.captions}" for row in rows)
    return hashlib.sha256(told.encode()).hexdigest()
