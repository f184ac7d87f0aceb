"""Read files of a stored folder one after another, without a copy on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from django.core.files.storage import default_storage

from labeling.stored_folders import indexes
from labeling.stored_folders.errors import FolderMissing, asking


class Reader:
    """A folder as it is now. Raises FolderMissing and StorageAway.

    files: the size and SHA-256 of each, which whoever reads compares.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._index = indexes.read(name)
        self.files = indexes.files_of(name, self._index)

    @contextmanager
    def open(self, file: str) -> Iterator[IO[bytes]]:
        """Open one of its files. Raises FolderMissing and StorageAway, also while it is read."""
        if file not in self.files:
            raise FolderMissing(f"{self._name} in the storage holds no {file}.")
        key = self._index.key(self._name, file, self.files[file])
        try:
            with asking(), default_storage.open(key, "rb") as opened:
                yield opened
        except FileNotFoundError as error:
            raise FolderMissing(f"{self._name} in the storage lacks {file}.") from error
