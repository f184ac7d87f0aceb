"""A snapshot's rows: what is known of each picture."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One picture and what is known of all of it; what only parts of it show is left out."""

    path: Path
    captions: tuple[tuple[str, float], ...]  # each with the probability that it is true
    tags: tuple[str, ...]
    concepts: dict[str, float]  # the probability that the picture shows each
    content: str = ""  # a hash of the picture, where its file is not named by one
    generated: bool = False  # whether a model drew it
    prompt: str = ""  # what a model generated it from
    shows_prompt: float | None = None  # the probability of it, by people; None: nobody judged it
    fits_prompt: float | None = None  # the same by the project's CLIP; None: no CLIP has seen it
    pair: float = 0.0  # the probability that two halves belong together; 0: it is one picture
    second: Path | None = None  # the second half, where each half has a file of its own
    source: str = ""  # the path that it was imported from, where its file is named by content

    @property
    def key(self) -> str:
        """Return what stands for the picture's content in caches."""
        return self.content or self.path.name


@dataclass(frozen=True)
class Drawings:
    """What models drew: rows that people have judged, and how many teach nothing.

    Why is said by the keys of `training.engine.learnt.LEFT_OUT`.
    """

    rows: tuple[Row, ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)

    @property
    def read(self) -> int:
        """How many there are: those that teach, and those left out."""
        return len(self.rows) + sum(self.left_out.values())


@dataclass(frozen=True)
class Snapshot:
    """The rows of a frozen folder, or of a flat one.

    ``train`` and ``test`` are real pictures; what models drew is apart.

    ``digest`` is a hash of what is read of them, by which caches and checkpoints know the data;
    ``sha256`` is the snapshot's own, as its manifest has it: empty where there is none.
    """

    folder: Path
    concepts: tuple[str, ...]
    train: tuple[Row, ...]
    test: tuple[Row, ...]
    digest: str
    sha256: str = ""
    drawings: Drawings = Drawings()


def digest(rows: Sequence[Row]) -> str:
    """Return a hash of the rows' pictures, by which caches know them."""
    keys = "\n".join(row.key for row in rows)
    return hashlib.sha256(keys.encode()).hexdigest()[:16]
