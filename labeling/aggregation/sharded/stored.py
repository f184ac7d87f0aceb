"""Keep an object with large arrays in a file, whose arrays are mapped into memory when it is read.

Files are written beside their place and moved there, so that a process killed halfway leaves none.
Nobody else may write them: they hold Python objects, which may run anything when they are read.
"""

import mmap
import os
import pickle
from pathlib import Path
from typing import Any

_ALIGNED = 64  # bytes at which arrays begin


def save(path: Path, value: Any) -> None:
    """Write an object to a file."""
    buffers: list[pickle.PickleBuffer] = []
    body = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    raws = [buffer.raw() for buffer in buffers]
    head = pickle.dumps((len(body), [raw.nbytes for raw in raws]))
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with open(draft, "wb", opener=_private) as file:
        file.write(len(head).to_bytes(8, "little") + head + body)
        for raw in raws:
            file.write(bytes(-file.tell() % _ALIGNED))
            file.write(raw)
    draft.replace(path)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def load(path: Path) -> Any:
    """Return the object that a file holds; its arrays can be read alone."""
    with path.open("rb") as file:
        head_size = int.from_bytes(file.read(8), "little")
        body_size, sizes = pickle.loads(file.read(head_size))
        body = file.read(body_size)
        place = file.tell()
        view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    buffers = []
    for size in sizes:
        place += -place % _ALIGNED
        buffers.append(view[place : place + size])
        place += size
    return pickle.loads(body, buffers=buffers)
