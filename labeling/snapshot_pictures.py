"""The pictures of a snapshot's folder: each is stored once, however many snapshots hold it.

A picture that an earlier snapshot holds is linked (a hard link: another name of the same file), so
that a new snapshot after a changed label writes its metadata alone. Whatever is linked is read and
hashed first. Where the file system has no hard links, it is copied.

Pictures are never linked with those of the project's storage: what happens to these must not reach
a snapshot. They are only read-only files, since a change of one would be a change of all.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from labeling import local_files, snapshot_folder
from labeling.snapshot_folder import SPLITS, SnapshotError

READ_ONLY = 0o444


class Picture(NamedTuple):
    """A picture that a snapshot holds."""

    pk: int
    path: str  # in the snapshot's folder
    sha256: str
    file: str  # in the project's storage
    name: str  # for people


def place(picture: Picture, *, folder: Path, earlier: Sequence[Path]) -> int:
    """Put a picture into a snapshot's folder; return how many bytes were written.

    earlier: folders of snapshots that may hold it, the likeliest first. Raises SnapshotError where
    neither they nor the storage have the picture as it was imported.
    """
    target = folder / picture.path
    for path in _candidates(picture, earlier):
        data = _read(path)
        if data is None or snapshot_folder.digest(data) != picture.sha256:
            continue
        try:
            os.link(path, target)
        except OSError:  # no hard links here, or too many of this file already
            return _write(target, data)
        return 0
    return _write(target, content(picture))


def content(picture: Picture) -> bytes:
    """Return the bytes of a picture in the storage. Raises SnapshotError unless as imported.

    Raises StorageAway where nothing can be said of it.
    """
    try:
        data = local_files.read(picture.file)
    except FileNotFoundError as error:
        raise SnapshotError(
            f"The file of {picture.name} cannot be read: restore it, or delete the image."
        ) from error
    if snapshot_folder.digest(data) != picture.sha256:
        raise SnapshotError(
            f"The file of {picture.name} is not what was imported: restore it, or delete the image."
        )
    return data


def _candidates(picture: Picture, earlier: Sequence[Path]) -> Sequence[Path]:
    """Return where a picture may lie: a near-duplicate that was removed may change its split."""
    split, _, name = picture.path.partition("/")
    splits = sorted(SPLITS, key=lambda each: each != split)
    return [folder / each / name for each in splits for folder in earlier]


def _read(path: Path) -> bytes | None:
    with suppress(OSError):
        return path.read_bytes()
    return None


def _write(target: Path, data: bytes) -> int:
    target.write_bytes(data)
    target.chmod(READ_ONLY)
    return len(data)
