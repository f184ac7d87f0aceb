"""Single files of the storage: written whole or not at all, and removed with the folder."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage

from labeling.stored_folders import ownership
from labeling.stored_folders.errors import StorageAway, asking

LARGEST_INDEX = 1 << 30  # bytes
NO_FOLDER = ".no-folder"  # in which nothing ever lies


def local_path(name: str) -> Path | None:
    """Return the path of what lies in the storage; None where it is no folder of this machine."""
    try:
        return Path(default_storage.path(name))
    except NotImplementedError:
        return None


def read(name: str) -> bytes:
    """Return a small file, by one request. Raises FileNotFoundError and StorageAway."""
    with asking():
        if _is_s3():
            return _read_s3(name)
        try:
            with default_storage.open(name, "rb") as file:
                data: bytes = file.read(LARGEST_INDEX)
        except (IsADirectoryError, NotADirectoryError) as error:
            raise FileNotFoundError(name) from error
        return data


def _is_s3() -> bool:
    """Whether the storage is S3's own back end, and not one that does more to its files."""
    return default_storage.__class__.__module__ == "storages.backends.s3" and not getattr(
        default_storage, "gzip", False
    )


def _read_s3(name: str) -> bytes:
    """Return a file of S3 by one request: its back end asks whether it is there first."""
    from boto3.s3.transfer import S3Transfer

    files: Any = default_storage
    options = files.get_object_parameters(name).items()
    allowed = {key: value for key, value in options if key in S3Transfer.ALLOWED_DOWNLOAD_ARGS}
    stored = files.bucket.Object(files._normalize_name(name)).get(**allowed)
    data: bytes = stored["Body"].read()
    return data


def write(name: str, data: bytes) -> None:
    """Write a small file in place of an earlier one, in one step. Raises StorageAway."""
    path = local_path(name)
    with asking():
        if path is None:
            _save(name, ContentFile(data))
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{secrets.token_hex(8)}.part")
        try:
            with draft.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


def upload(path: Path, name: str) -> None:
    """Put a file into a storage that is no folder of this machine. Raises StorageAway."""
    with path.open("rb") as file, asking():
        _save(name, File(file))


def exists(name: str) -> bool:
    """Whether a file is in the storage. Raises StorageAway."""
    with asking():
        return default_storage.exists(name)


def is_there(name: str, size: int) -> bool:
    """Whether a file of that size is in the storage. Raises StorageAway."""
    with suppress(FileNotFoundError), asking():
        return default_storage.exists(name) and default_storage.size(name) == size
    return False


def chunks(name: str) -> Iterator[bytes]:
    """Yield the content of a file. Raises FileNotFoundError and StorageAway."""
    with asking(), default_storage.open(name, "rb") as file:
        yield from file.chunks()


def copy(source: BinaryIO, target: Path) -> None:
    """Copy a file in place of an earlier one, in one step."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with draft.open("xb") as out:
            shutil.copyfileobj(source, out)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def delete(name: str) -> None:
    """Delete a file, if it is there. Raises StorageAway."""
    with suppress(FileNotFoundError), asking():
        default_storage.delete(name)


def walk(folder: str) -> Iterator[str]:
    """Yield the names of all files below a folder of the storage. Raises StorageAway."""
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        inner, names = _listed(place)
        waiting += [f"{place}/{name}" for name in inner]
        yield from (f"{place}/{name}" for name in names)


def check_answers() -> None:
    """Raise StorageAway unless the storage is this installation's, and answers.

    A bucket that is not there, or not to be read, says of each file that it is not there, and so
    does a folder whose disk is not mounted.
    """
    ownership.check()
    with suppress(NotImplementedError):
        _listed(NO_FOLDER)


def _listed(folder: str) -> tuple[list[str], list[str]]:
    with suppress(FileNotFoundError), asking():
        return _listdir(folder)
    return [], []


def _listdir(folder: str) -> tuple[list[str], list[str]]:
    try:
        return default_storage.listdir(folder)
    except NotADirectoryError as error:
        raise FileNotFoundError(folder) from error


def _save(name: str, content: "File[Any]") -> None:
    """Save a file under this very name, in place of an earlier one."""
    if hasattr(default_storage, "file_overwrite"):
        # whatever is set for the names of pictures
        default_storage._save(name, content)  # type: ignore[attr-defined]
        return
    saved = default_storage.save(name, content)
    if saved == name:
        return
    default_storage.delete(saved)
    default_storage.delete(name)
    content.seek(0)
    saved = default_storage.save(name, content)
    if saved != name:  # somebody else was quicker, or it renames whatever it is given
        default_storage.delete(saved)
        raise StorageAway(f"The storage keeps {name} under another name: let it overwrite files.")
