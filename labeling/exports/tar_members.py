"""Members of a tar by themselves: the headers of `tarfile`, of which only three fields change."""

import os
import tarfile
from collections.abc import Iterator
from typing import IO

from labeling.exports.errors import ExportError

_BLOCK = tarfile.BLOCKSIZE
END = bytes(2 * _BLOCK)
_NAME, _SIZE, _SUM = slice(0, 100), slice(124, 136), slice(148, 156)
_EMPTY = bytearray(tarfile.TarInfo("").tobuf(tarfile.USTAR_FORMAT))
_EMPTY[_SUM] = b" " * 8
_TOTAL = sum(_EMPTY) - sum(_EMPTY[_SIZE])
SIZE_MAX = 8**11 - 1  # bytes


def member(name: str, data: bytes) -> bytes:
    """Return a file as a member, padded to whole blocks: no time, no owner, mode 644.

    Raises ExportError for one that the format has no place for.
    """
    encoded, size = name.encode(), b"%011o\0" % len(data)
    if len(encoded) > 100 or len(data) > SIZE_MAX:
        raise ExportError(f"{name} is too long for a tar.")
    header = bytearray(_EMPTY)
    header[_NAME] = encoded.ljust(100, b"\0")
    header[_SIZE] = size
    header[_SUM] = b"%06o\0 " % (_TOTAL + sum(encoded) + sum(size))
    return b"".join((header, data, bytes(-len(data) % _BLOCK)))


def read(file: IO[bytes]) -> Iterator[tuple[str, int]]:
    """Yield the name and size of each member; what they hold is passed over."""
    while (header := file.read(_BLOCK)) and header != bytes(_BLOCK):
        size = int(header[_SIZE].rstrip(b"\0 "), 8)
        yield header[_NAME].rstrip(b"\0").decode(), size
        file.seek(size + -size % _BLOCK, os.SEEK_CUR)
