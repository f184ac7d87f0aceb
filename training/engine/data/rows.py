"""A snapshot's rows: what is known of each picture."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One picture and what is believed of all of it; what parts of it show is left out."""

    path: Path
    captions: tuple[tuple[str, float], ...]
    tags: tuple[str, ...]
    concepts: dict[str, float]
    content: str = ""  # a hash of the picture, where its file is not named by one
    prompt: str = ""  # what a model drew it from
    right: float | None = None  # how far people believe that it shows what it was drawn from

    @property
    def key(self) -> str:
        """What stands for the picture's content in caches."""
        return self.content or self.path.name


@dataclass(frozen=True)
class Snapshot:
    folder: Path
    concepts: tuple[str, ...]
    train: tuple[Row, ...]
    test: tuple[Row, ...]
    digest: str


def digest(rows: Sequence[Row]) -> str:
    """A name for the rows' pictures; a snapshot's file names are hashes of their content."""
    names = "\n".join(row.key for row in rows)
    return hashlib.sha256(names.encode()).hexdigest()[:16]
