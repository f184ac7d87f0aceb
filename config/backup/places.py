"""Where backups are kept: a folder, or a prefix of a bucket."""

import hashlib
import os
import stat
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

from django.core.files import File
from django.utils.module_loading import import_string

from config import storage
from config.backup.errors import BackupError
from labeling.buckets.addresses import SCHEME

BLOCK = 1024 * 1024  # bytes that are read together
PRIVATE = 0o700  # a backup holds the hashes of passwords, and addresses


class Kept(NamedTuple):
    """A content that is in the place."""

    sha256: str
    size: int
    new: bool = False  # whether it was not there before

    @property
    def name(self) -> str:
        return object_name(self.sha256)


def object_name(sha256: str) -> str:
    """Return the name under which a content is kept."""
    return f"objects/{sha256[:2]}/{sha256}"


class Place(ABC):
    """A tree of files that are written whole, or not at all."""

    @abstractmethod
    def open(self, name: str) -> IO[bytes]:
        """Open a file. Raises FileNotFoundError."""

    @abstractmethod
    def size(self, name: str) -> int | None:
        """Return the bytes of a file; None if there is none."""

    @abstractmethod
    def put(self, draft: Path, name: str) -> None:
        """Take a local file over under a name."""

    @abstractmethod
    def names(self, folder: str) -> list[str]:
        """Return the names of the files somewhere below a folder, in their order."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Delete a file, if it is there."""

    @contextmanager
    def draft(self) -> Iterator[Path]:
        """Yield the path of a local file that is to be filled; it is gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="tessera-backup-") as folder:
            yield Path(folder) / "draft"

    def keep(self, content: IO[bytes]) -> Kept:
        """Keep a content, unless it is there."""
        with self.draft() as draft:
            digest = hashlib.sha256()
            with draft.open("xb") as out:
                while block := content.read(BLOCK):
                    digest.update(block)
                    out.write(block)
                size = out.tell()
            return self.keep_file(draft, digest.hexdigest(), size)

    def keep_file(self, draft: Path, sha256: str, size: int) -> Kept:
        """Take over a local file whose hash is known, unless its content is there."""
        kept = Kept(sha256, size)
        if self.size(kept.name) == size:
            return kept
        self.put(draft, kept.name)
        return kept._replace(new=True)

    @contextmanager
    def fetched(self, kept: Kept) -> Iterator[Path]:
        """Yield a local copy of a content, once its hash is checked. Raises BackupError."""
        with self.draft() as draft:
            digest = hashlib.sha256()
            try:
                with self.open(kept.name) as file, draft.open("xb") as out:
                    while out.tell() <= kept.size and (block := file.read(BLOCK)):
                        digest.update(block)
                        out.write(block)
            except FileNotFoundError:
                raise BackupError(f"The backup is incomplete: {kept.name} is missing.") from None
            if digest.hexdigest() != kept.sha256:
                raise BackupError(
                    f"The backup is damaged: {kept.name} has another content than its hash."
                    " Restore another backup, or mend this file from a copy of it."
                )
            yield draft


class Folder(Place):
    """A folder of this machine, or one that it has mounted."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def open(self, name: str) -> IO[bytes]:
        """Open a file. Raises FileNotFoundError, also where something else has its name."""
        with suppress(IsADirectoryError, NotADirectoryError):
            file = open(self._path / name, "rb", opener=_without_waiting)  # noqa: SIM115
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return file
            file.close()
        raise FileNotFoundError(name)

    def size(self, name: str) -> int | None:
        try:
            return (self._path / name).stat().st_size
        except FileNotFoundError:
            return None

    def put(self, draft: Path, name: str) -> None:
        path = self._path / name
        self._make(path.parent)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(path)

    def names(self, folder: str) -> list[str]:
        paths = sorted((self._path / folder).rglob("*"))
        return [path.relative_to(self._path).as_posix() for path in paths if path.is_file()]

    def delete(self, name: str) -> None:
        (self._path / name).unlink(missing_ok=True)

    @contextmanager
    def draft(self) -> Iterator[Path]:
        """Yield a file of the same disk, which can be renamed into its place."""
        self._make(self._path / ".drafts")
        handle, name = tempfile.mkstemp(dir=self._path / ".drafts")
        os.close(handle)
        Path(name).unlink()
        try:
            yield Path(name)
        finally:
            Path(name).unlink(missing_ok=True)

    def _make(self, folder: Path) -> None:
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        for each in reversed(missing):
            with suppress(FileExistsError):
                each.mkdir(mode=PRIVATE)


class Bucket(Place):
    """A prefix of a bucket, with the credentials of this machine."""

    def __init__(self, address: str) -> None:
        """Take an address as `FILE_STORAGE` has it. Raises ImproperlyConfigured."""
        backend, options = storage.parse(address)
        kind: Any = import_string(backend)
        self._address = address
        self._storage: Any = kind(**options | {"file_overwrite": True})

    def __str__(self) -> str:
        return self._address

    def open(self, name: str) -> IO[bytes]:
        file: IO[bytes] = self._storage.open(name, "rb")
        return file

    def size(self, name: str) -> int | None:
        try:
            return int(self._storage.size(name))
        except FileNotFoundError:
            return None

    def put(self, draft: Path, name: str) -> None:
        with draft.open("rb") as file:
            self._storage.save(name, File(file))

    def names(self, folder: str) -> list[str]:
        prefix = f"{self._storage.location}/".lstrip("/")
        found = self._storage.bucket.objects.filter(Prefix=f"{prefix}{folder}/")
        return sorted(each.key.removeprefix(prefix) for each in found)

    def delete(self, name: str) -> None:
        self._storage.delete(name)


def _without_waiting(path: str, flags: int) -> int:
    """Open a file, or a pipe into which nobody writes."""
    return os.open(path, flags | os.O_NONBLOCK)


def place_at(address: str) -> Place:
    """Return the place of an address: `s3://bucket/prefix`, else a folder."""
    if address.startswith(SCHEME):
        return Bucket(address)
    return Folder(Path(address).expanduser().resolve())
