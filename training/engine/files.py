"""Files that are whole or absent, and the one error that people see."""

import errno
import hashlib
import importlib.metadata
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor


class TrainingError(Exception):
    """Something that a person must put right, said in one sentence."""


def in_words(error: Exception) -> str:
    """What went wrong outside of this program, and what to do about it."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return (
            f"The disk is full ({error.filename or error.strerror}): free some space and start "
            "again; a run goes on from its last checkpoint."
        )
    if isinstance(error, MemoryError | RuntimeError):
        return "There is not enough memory for this: choose a smaller preset, or smaller options."
    return str(error)


def is_memory(error: RuntimeError) -> bool:
    """Whether torch says so of a processor's memory, or of a GPU's."""
    return "can't allocate memory" in str(error) or "out of memory" in str(error)


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` so that a crash leaves the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).rename(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, whole or not at all."""
    write_bytes(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors as safetensors, whole or not at all."""
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_bytes(path, save(whole, dict(metadata) if metadata else None))


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with ``prefix``, by the rest of their names."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def read_json(path: Path) -> Any:
    """Read JSON; a missing or broken file is a ``TrainingError`` that names it."""
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise TrainingError(f"{path} is missing.") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise TrainingError(f"{path} cannot be read as JSON: {error}.") from None


def append_line(path: Path, value: Mapping[str, Any]) -> None:
    """Append one JSON line in a single write, so that a reader never sees a part of one."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, (json.dumps(value) + "\n").encode())
    finally:
        os.close(handle)


def code_version() -> str:
    """The package's version, and a hash of what stands in this folder: what made a model."""
    sources = sorted(Path(__file__).parent.rglob("*.py"))
    content = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    return f"{importlib.metadata.version('tessera')}+{content[:12]}"


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
