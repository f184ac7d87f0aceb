"""What a format is: how it is written, and how it is counted when it is read back."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Protocol

from labeling import label_accuracy
from labeling.exports.options import Options
from labeling.exports.pictures import Picture
from labeling.exports.rows import ExportRow
from labeling.exports.sinks import Sink
from labeling.exports.stored import Stored

Counts = dict[str, int]  # what an export holds: pictures, captions, tags, labels, answers


@dataclass(frozen=True)
class About:
    """What a writer may know of the whole before the first row comes."""

    project: str
    snapshot: str  # its SHA-256
    options: Options
    manifest: Mapping[str, Any]
    rows: Callable[[], Iterator[ExportRow]]  # all rows once more
    left_out: Counter[str]  # by the reason; a writer adds what it has no place for
    files: ExitStack  # closes what a writer opened, where the export fails
    answers: Callable[[], Iterator[dict[str, Any]]] | None = None  # raw ones, with pseudonyms

    @property
    def accuracy(self) -> list[str]:
        """How often the snapshot's labels are right, in words; nothing where it is not told."""
        told = self.manifest.get("accuracy")
        return label_accuracy.sentences(told) if told else []


class Writer(Protocol):
    """Writes rows as they come; what is written at the end, `close` writes."""

    def write(self, row: ExportRow, picture: Picture) -> None:
        """Write a row; read its picture's bytes only if they are needed."""
        ...

    def close(self) -> Counts:
        """Write the rest and return what was written."""
        ...


@dataclass(frozen=True)
class Format:
    """A layout that some other program reads."""

    name: str
    title: str
    read_by: str  # programs
    holds: str  # what of a snapshot it has a place for
    options: tuple[str, ...]
    writer: Callable[[Sink, About], Writer]
    count: Callable[[Stored], Counts]  # what is there, from the files alone
    suffixes: tuple[str, ...] = ()  # of pictures that its readers read; others become PNG. (): any
    into_folder: bool = False  # whether it may be put into a folder that is in use
