"""Whether a source is still what it was: by its files' names, sizes and times."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from labeling.imports.options import Options

BEGINNING = 65_536  # bytes of a single file that are compared as well


def fingerprint(path: Path, options: Options) -> str:
    """Return a hash of what a source holds and how it is read; equal: it may go on.

    Of a folder, the name, size and time of each file below it count; of a file, how it begins as
    well. What cannot be looked at is passed over, as it is when the source is read.
    """
    digest = hashlib.sha256(of_options(options).encode())
    if path.is_dir():
        for line in _below(path):
            digest.update(line)
    else:
        digest.update(_state(path.stat()))
        with path.open("rb") as file:
            digest.update(file.read(BEGINNING))
    return digest.hexdigest()


def of_options(options: Options) -> str:
    """Return a hash of how a source is read."""
    return hashlib.sha256(json.dumps(options.as_json(), sort_keys=True).encode()).hexdigest()


def _below(folder: Path) -> Iterator[bytes]:
    """Yield a line for each file below a folder, in the order of their paths."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(place, name)
            with suppress(OSError):
                yield os.fsencode(path.relative_to(folder)) + b"\0" + _state(path.lstat())


def _state(status: os.stat_result) -> bytes:
    return b"%d %d\n" % (status.st_size, status.st_mtime_ns)
