"""The file of what a process counts, which is written to as memory is."""

import mmap
import os
from pathlib import Path
from typing import Any

from prometheus_client import mmap_dict

INITIAL_SIZE = 1 << 16  # bytes
ENTRY = 64  # bytes of an entry, at most, besides its key
_base: Any = mmap_dict.MmapedDict  # which has no types


class MetricsFile(_base):  # type: ignore[misc]
    """Its place on the disk is taken before it is used: on a full one, to write would kill.

    Where there is no place, counts are kept in memory, and are not seen by other processes.
    """

    _f: Any
    _fname: str

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        if not read_mode and not _take(filename, INITIAL_SIZE):
            filename = f"/proc/self/fd/{os.memfd_create('metrics')}"
        super().__init__(filename, read_mode)

    def _init_value(self, key: str) -> None:
        while self._used + len(key.encode()) + ENTRY > self._capacity:
            if not _take(self._fname, 2 * self._capacity):
                self._move_to_memory()
            self._f.truncate(2 * self._capacity)
            self._capacity *= 2
            self._m = mmap.mmap(self._f.fileno(), self._capacity)
        super()._init_value(key)

    def _move_to_memory(self) -> None:
        file = os.fdopen(os.memfd_create("metrics"), "w+b")
        file.write(self._m[:])
        file.flush()
        self._f.close()
        self._f, self._fname = file, f"/proc/self/fd/{file.fileno()}"


def _take(name: str, size: int) -> bool:
    """Take place for a file, of this size at least; return whether there was enough."""
    try:
        with Path(name).open("ab") as file:
            os.posix_fallocate(file.fileno(), 0, size)
    except OSError:
        return False
    return True
