"""Write files that are whole or absent; the error that people see, in a sentence."""

import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor

DRAFT = ".draft"  # ends the names of files and folders that are not finished


class TrainingError(Exception):
    """An error that a person can mend, described in one sentence."""


class PeerError(TrainingError):
    """Another process of the same run has failed: of itself, this one could go on."""

    def __init__(self, reason: str = "") -> None:
        told = "Another process of this run has failed: see its own error."
        super().__init__(f"{told} ({reason})" if reason else told)


class BusyError(TrainingError):
    """Another process is at the same work."""


def in_words(error: Exception) -> str:
    """Describe an error of the machine, and what to do about it."""
    if is_full_disk(error):
        assert isinstance(error, OSError)
        return (
            f"The disk is full ({error.filename or error.strerror}): free some space and start "
            "again; a run goes on from its last checkpoint."
        )
    if isinstance(error, MemoryError | RuntimeError):
        return "There is not enough memory for this: choose a smaller preset, or smaller options."
    return str(error)


def is_full_disk(error: Exception) -> bool:
    """Return whether there was no room for a file."""
    full = errno.ENOSPC, errno.EDQUOT, errno.EFBIG
    return isinstance(error, OSError) and error.errno in full


def is_memory(error: RuntimeError) -> bool:
    """Return whether torch ran out of a processor's or a GPU's memory."""
    return "can't allocate memory" in str(error) or "out of memory" in str(error)


@contextmanager
def draft(path: Path) -> Iterator[Path]:
    """Yield a unique path beside ``path`` for a file or folder, and replace ``path`` with it.

    Several processes may write the same path: the last one to finish wins. Where the block
    raises, the draft is removed; ``remove_drafts`` removes those that a killed process left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}{DRAFT}")
    try:
        yield temporary
        if temporary.is_dir():
            _remove(path)
        temporary.rename(path)
    finally:
        _remove(temporary)
    _sync(path.parent)


@contextmanager
def array_draft(
    path: Path, shape: tuple[int, ...], dtype: type[np.generic]
) -> Iterator[NDArray[Any]]:
    """Yield a memory-mapped array to fill, and make it the file ``path`` (.npy) at the end."""
    with draft(path) as temporary:
        array = open_memmap(temporary, mode="w+", dtype=dtype, shape=shape)
        with temporary.open("r+b") as file:  # a full disk would kill who writes to the map
            os.posix_fallocate(file.fileno(), 0, temporary.stat().st_size)
        yield array
        array.flush()


def remove_drafts(folder: Path) -> None:
    """Remove all drafts in a folder that no other process writes to."""
    for path in list(folder.rglob(f".*{DRAFT}")):
        _remove(path)


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` so that a crash leaves the old file or the new one, never a part."""
    with draft(path) as temporary, temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, whole or not at all."""
    write_bytes(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors as safetensors, whole or not at all."""
    copies = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_bytes(path, save(copies, dict(metadata) if metadata else None))


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names begin with ``prefix``, by the rest of their names."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def read_json(path: Path) -> Any:
    """Read JSON; raise ``TrainingError`` that names a missing or broken file."""
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise TrainingError(f"{path} is missing.") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise TrainingError(f"{path} cannot be read as JSON: {error}.") from None


def append_line(path: Path, value: Mapping[str, Any]) -> None:
    """Append one JSON line in a single write, so that a reader never sees a part of one.

    What a process left that was killed or met a full disk within a line becomes a line of its own.
    """
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        size = os.fstat(handle).st_size
        cut = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        os.write(handle, b"\n" * cut + (json.dumps(value) + "\n").encode())
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
