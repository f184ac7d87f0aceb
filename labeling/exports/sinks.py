"""Where an export's files go, each hashed while it is written: a folder, a zip or a tar.

A folder keeps a journal of what is whole. An export that is begun again writes the same files in
the same order, so that what the journal names next need not be written again.
"""

import hashlib
import io
import json
import os
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

from labeling.exports.errors import ExportError

MANIFEST = "MANIFEST.sha256"
JOURNAL = ".journal.jsonl"
CHUNK = 1 << 20  # bytes
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a zip knows
IN_MEMORY = 8 << 20  # bytes of a member that is not yet whole


class Written(NamedTuple):
    """A file that is whole."""

    name: str
    sha256: str
    size: int  # bytes


class Sink(Protocol):
    """Takes files in a fixed order, each under a name that is new."""

    def has(self, name: str) -> bool:
        """Whether that file, which comes next, is whole already; then it is passed over."""
        ...

    def put(self, name: str, data: Callable[[], bytes]) -> None:
        """Write a file at once, unless it is whole already."""
        ...

    def file(self, name: str) -> "_Opened":
        """Return a context in which a file is written piece by piece; it is whole at its end."""
        ...

    def sha256(self, name: str) -> str:
        """Return the hash of one of the files that were written piece by piece."""
        ...


class HashedFile(io.RawIOBase):
    """A file that hashes what is written to it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._file.write(data)
        self._hash.update(data)
        count = memoryview(data).nbytes
        self.size += count
        return count

    def tell(self) -> int:
        return self.size

    def written(self, name: str) -> Written:
        return Written(name, self._hash.hexdigest(), self.size)


_Opened = Any  # a context manager that gives a HashedFile


class FolderSink:
    """A folder, and the journal of what is whole in it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._journal = (folder / JOURNAL).open("a+b")
        self._journal.seek(0)
        self._position: int | None = None  # where the journal's next line begins
        self._next = self._read()
        self._digests: dict[str, str] = {}
        self._folders: set[Path] = set()
        self.kept = 0  # files that were whole already
        self.size = 0  # bytes

    def has(self, name: str) -> bool:
        if self._next is None or self._next.name != name or not self._is_there(self._next):
            return False
        self._note(self._next)
        self.kept += 1
        self._next = self._read()
        return True

    def put(self, name: str, data: Callable[[], bytes]) -> None:
        if self.has(name):
            return
        content = data()
        path = self._path(name)
        path.write_bytes(content)
        self._add(Written(name, hashlib.sha256(content).hexdigest(), len(content)))

    @contextmanager
    def file(self, name: str) -> Iterator[HashedFile]:
        path = self._path(name)
        draft = path.with_name(f".{path.name}.part")
        with draft.open("wb") as file:
            hashed = HashedFile(file)
            yield hashed
        draft.replace(path)
        written = hashed.written(name)
        self._digests[name] = written.sha256
        if self._next == written:
            self.has(name)
        else:
            self._add(written)

    def sha256(self, name: str) -> str:
        return self._digests[name]

    def finish(self) -> str:
        """Write the manifest and return its SHA-256; the journal stays until `drop_journal`."""
        self._stop_keeping()
        self._journal.flush()
        self._journal.seek(0)
        with (self._folder / MANIFEST).open("wb") as file:
            manifest = HashedFile(file)
            for line in self._journal:
                written = Written(*json.loads(line))
                manifest.write(f"{written.sha256}  {written.name}\n".encode())
            file.flush()
            os.fsync(file.fileno())
        self.close()
        return manifest.written(MANIFEST).sha256

    def close(self) -> None:
        self._journal.close()

    def drop_journal(self) -> None:
        """Forget what was written: the export is done."""
        (self._folder / JOURNAL).unlink()

    def _path(self, name: str) -> Path:
        path = self._folder / name
        if path.parent not in self._folders:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._folders.add(path.parent)
        return path

    def _read(self) -> Written | None:
        """Return the next line of an earlier attempt; where there is no more, what follows goes."""
        self._position = self._journal.tell()
        line = self._journal.readline()
        try:
            return Written(*json.loads(line)) if line.endswith(b"\n") else None
        except (ValueError, TypeError):
            return None

    def _is_there(self, written: Written) -> bool:
        path = self._folder / written.name
        return path.is_file() and path.stat().st_size == written.size

    def _add(self, written: Written) -> None:
        self._stop_keeping()
        self._journal.write(json.dumps(written, ensure_ascii=False).encode() + b"\n")
        self._journal.flush()
        self._note(written)

    def _note(self, written: Written) -> None:
        self.size += written.size

    def _stop_keeping(self) -> None:
        """Forget what an earlier attempt wrote from here on."""
        if self._position is not None:
            self._journal.truncate(self._position)
            self._journal.seek(self._position)
            self._position, self._next = None, None


class ArchiveSink:
    """A zip or tar, whose members have no times, owners or rights of their own.

    The pictures have their own compression, and get none.
    """

    def __init__(self, out: IO[bytes], kind: str) -> None:
        self._archive = Archive(out, kind)
        self._digests: dict[str, str] = {}
        self._manifest = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `close`)
        self.kept = 0
        self.size = 0

    def has(self, name: str) -> bool:
        return False

    def put(self, name: str, data: Callable[[], bytes]) -> None:
        content = data()
        self._archive.add(name, io.BytesIO(content), len(content))
        self._note(Written(name, hashlib.sha256(content).hexdigest(), len(content)))

    @contextmanager
    def file(self, name: str) -> Iterator[HashedFile]:
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as spooled:
            hashed = HashedFile(spooled)
            yield hashed
            written = hashed.written(name)
            spooled.seek(0)
            self._archive.add(name, spooled, written.size)
        self._digests[name] = written.sha256
        self._note(written)

    def sha256(self, name: str) -> str:
        return self._digests[name]

    def finish(self) -> str:
        """Write the manifest as the last member and return its SHA-256."""
        size = self._manifest.tell()
        self._manifest.seek(0)
        digest = hashlib.file_digest(self._manifest, "sha256").hexdigest()
        self._manifest.seek(0)
        self._archive.add(MANIFEST, self._manifest, size)
        self._archive.close()
        self.close()
        return digest

    def close(self) -> None:
        self._archive.give_up()
        self._manifest.close()

    def _note(self, written: Written) -> None:
        self._manifest.write(f"{written.sha256}  {written.name}\n".encode())
        self.size += written.size


class Archive:
    """A zip or tar that is written as a stream: the same members give the same bytes."""

    def __init__(self, out: Any, kind: str) -> None:
        if kind == "zip":
            self._zip: zipfile.ZipFile | None = zipfile.ZipFile(out, "w", zipfile.ZIP_STORED)
        elif kind == "tar":
            self._zip = None
            self._tar = tarfile.open(fileobj=out, mode="w|")  # noqa: SIM115  (closed by `close`)
        else:
            raise ExportError(f"There is no archive “{kind}”: choose zip or tar.")

    def add(self, name: str, file: IO[bytes], size: int) -> None:
        """Add a member whole."""
        for _ in self.pieces(name, file, size):
            pass

    def pieces(self, name: str, file: IO[bytes], size: int) -> Iterator[None]:
        """Add a member, and stop after each piece of it."""
        if self._zip is None:
            yield from self._tar_member(name, file, size)
            return
        member = zipfile.ZipInfo(name, EPOCH)
        member.create_system, member.external_attr = 3, 0o100644 << 16
        member.file_size = size  # which says whether it needs a zip of 64 bits
        with self._zip.open(member, "w") as out:
            while piece := file.read(CHUNK):
                out.write(piece)
                yield

    def _tar_member(self, name: str, file: IO[bytes], size: int) -> Iterator[None]:
        info = tarfile.TarInfo(name)
        info.size = size
        self._tar.addfile(info)  # its header alone
        self._tar.members.clear()  # type: ignore[attr-defined]  # a stream never needs them again
        assert self._tar.fileobj is not None
        while piece := file.read(CHUNK):
            self._tar.fileobj.write(piece)
            yield
        self._tar.fileobj.write(bytes(-size % tarfile.BLOCKSIZE))
        self._tar.offset += size + -size % tarfile.BLOCKSIZE

    def give_up(self) -> None:
        """Write no more: no end that would fail in turn where the disk is full."""
        if self._zip is not None:
            self._zip.fp = None
        elif self._tar.fileobj is not None:
            self._tar.fileobj.closed = True  # type: ignore[attr-defined]

    def close(self) -> None:
        if self._zip is None:
            self._tar.close()
        else:
            self._zip.close()
