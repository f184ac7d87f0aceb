"""The files of the default storage, whatever that is."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from django.core.files.storage import FileSystemStorage, Storage

from config import storage
from labeling.stored_folders import ownership

# What waits to be imported can be uploaded again; whose files they are, their storage says itself.
LEFT_OUT = {"uploads", storage.PROBES, ownership.FILE}

DRAFT = re.compile(r"\..+\.part")


class Found(NamedTuple):
    """A file of the storage; its stamp changes when it is written again."""

    name: str
    stamp: str


def walk(files: Storage) -> Iterator[Found]:
    """Yield the files of a storage, but for those of unfinished uploads and writes."""
    for found in _found(files):
        if found.name.partition("/")[0] not in LEFT_OUT and not _is_draft(found.name):
            yield found


def _is_draft(name: str) -> bool:
    """Whether a part of the name is that of an unfinished file."""
    parts = name.split("/")
    return any(part.startswith(".draft") for part in parts) or bool(DRAFT.fullmatch(parts[-1]))


def _found(files: Storage) -> Iterator[Found]:
    if isinstance(files, FileSystemStorage):
        yield from _of_folder(Path(files.location))
    elif type(files).__name__ == "S3Storage":
        yield from _of_bucket(files)
    else:
        yield from _of_any(files, "")


def _of_folder(root: Path) -> Iterator[Found]:
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            try:
                status = path.stat()
            except FileNotFoundError:  # deleted meanwhile
                continue
            yield Found(path.relative_to(root).as_posix(), f"{status.st_size} {status.st_mtime_ns}")


def _of_bucket(files: Any) -> Iterator[Found]:
    """List a bucket of S3, a thousand objects a request."""
    prefix = f"{files.location}/".lstrip("/")
    for each in files.bucket.objects.filter(Prefix=prefix):
        yield Found(each.key.removeprefix(prefix), f"{each.size} {each.e_tag}")


def _of_any(files: Storage, folder: str) -> Iterator[Found]:
    try:
        folders, names = files.listdir(folder)
    except FileNotFoundError:
        return
    for name in names:
        path = f"{folder}/{name}".lstrip("/")
        yield Found(path, f"{files.size(path)} {files.get_modified_time(path).isoformat()}")
    for name in folders:
        yield from _of_any(files, f"{folder}/{name}".lstrip("/"))
