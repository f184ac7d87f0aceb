"""Files of frozen encoders: they ship in wheels, or lie where a variable says; hashes pin them."""

import hashlib
import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path

from training.engine.files import TrainingError, sha256_of


def find(variable: str, wheel: str, *inside: str) -> Path | None:
    """Return the path that an environment variable names, else that in an installed wheel.

    None where neither is there; nothing is imported.
    """
    if named := os.environ.get(variable):
        return Path(named).expanduser()
    spec = importlib.util.find_spec(wheel)
    if spec is None or not spec.origin:
        return None
    path = Path(spec.origin).parent.joinpath(*inside)
    return path if path.exists() else None


def check_folder(folder: Path, hashes: Mapping[str, str], advice: str) -> None:
    """Raise ``TrainingError`` unless a folder holds these files with these SHA-256 hashes."""
    for name, expected in hashes.items():
        try:
            found = sha256_of(folder / name)
        except OSError as error:
            raise TrainingError(
                f"{folder / name} cannot be read ({error.strerror}): {advice}."
            ) from None
        if found != expected:
            raise _differs(folder / name, advice)


def read(file: Path, expected: str, advice: str) -> bytes:
    """Return a file's content; raise ``TrainingError`` unless its SHA-256 hash is this one."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise TrainingError(f"{file} cannot be read ({error.strerror}): {advice}.") from None
    if hashlib.sha256(content).hexdigest() != expected:
        raise _differs(file, advice)
    return content


def _differs(file: Path, advice: str) -> TrainingError:
    return TrainingError(
        f"{file} is not the file that was pinned, and was not opened: {advice}, with"
        " `--force-reinstall` where it is there."
    )
