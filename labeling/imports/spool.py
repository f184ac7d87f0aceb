"""Entries on their way from a source's files to its pictures: on the disk, a batch in memory."""

import pickle
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from labeling.imports.entries import Box, Entry

BATCH = 1_000  # entries


class Spool:
    """Entries in their order, to be gone through as often as is wanted."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._batch: list[Entry] = []
        self._places: list[int] = []  # where the batches begin

    def append(self, entry: Entry) -> None:
        """Add an entry at the end. Raises OSError where the disk is full."""
        self._batch.append(entry if isinstance(entry.text, str) else _emptied(entry))
        if len(self._batch) == BATCH:
            self._write()

    def __iter__(self) -> Iterator[Entry]:
        if self._batch:
            self._write()
        for place in self._places:
            self._file.seek(place)
            yield from pickle.load(self._file)

    def _write(self) -> None:
        self._file.seek(0, 2)
        self._places.append(self._file.tell())
        pickle.dump(self._batch, self._file, pickle.HIGHEST_PROTOCOL)
        self._batch = []


@contextmanager
def temporary() -> Iterator[Spool]:
    """Keep entries in a file that is gone at the end."""
    with tempfile.TemporaryFile() as file:
        yield Spool(file)


def _emptied(entry: Entry) -> Entry:
    """Return an entry without what is in its lists and objects, which are no text."""
    text = entry.text
    if isinstance(text, Box):
        text = text._replace(label=_empty(text.label))
    elif type(text) is tuple:
        text = tuple(map(_empty, text))
    return entry._replace(text=_empty(text))


def _empty(value: object) -> object:
    return type(value)() if isinstance(value, list | dict) else value
