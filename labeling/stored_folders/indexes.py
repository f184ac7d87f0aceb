"""The index of a stored folder: which files belong to it, written when all of them are there.

It is a small file, `.folder.json`, which is read whenever the folder is used. The list of many
files is a file of its own, which bears its hash and is read once.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from labeling.stored_folders import objects
from labeling.stored_folders.errors import FolderDamaged, FolderMissing

INDEX = ".folder.json"
LIST = ".folder-{}.json"
FORMAT = 1
INLINE = 1_000  # files that the index itself lists
DIGITS = 16  # of a hash in the name of a file
LARGEST = 1 << 50  # bytes of a file
WRONG = AttributeError, KeyError, RecursionError, TypeError, ValueError  # of JSON of another shape
SHA256 = re.compile("[0-9a-f]{64}")


class StoredFile(NamedTuple):
    """A file of a folder, as it was put there."""

    size: int
    sha256: str


Files = dict[str, StoredFile]


@dataclass(frozen=True)
class Index:
    """A folder's files, which lie under their own names (plain) or under names with their hash.

    In a storage that is no folder of this machine they have their hash in their names: a folder
    that is put again keeps the files of the earlier one until its own index is there, and two who
    put different files of the same name do each other no harm.
    """

    plain: bool
    digest: str  # of the list of files
    listed: Files | None  # None: it is a file of its own

    def key(self, folder: str, file: str, stored: StoredFile) -> str:
        """Return under which name of the storage a file lies."""
        return key_of(folder, file, stored, plain=self.plain)


class Listing:
    """The files of a folder as they are written into its index."""

    def __init__(self, files: Files, *, plain: bool) -> None:
        self.files = dict(sorted(files.items()))
        self.plain = plain

    @cached_property
    def data(self) -> bytes:
        """The list as JSON: name → size and SHA-256."""
        return json.dumps(self.files, ensure_ascii=False, separators=(",", ":")).encode()

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    def write(self, folder: str) -> None:
        """Write the index: from now on the folder is this one."""
        about: dict[str, Any] = {"format": FORMAT, "plain": self.plain, "digest": self.digest}
        if len(self.files) <= INLINE:
            about["files"] = self.files
        else:
            objects.write(f"{folder}/{_list_name(self.digest)}", self.data)
        objects.write(f"{folder}/{INDEX}", json.dumps(about, ensure_ascii=False).encode())


def key_of(folder: str, file: str, stored: StoredFile, *, plain: bool) -> str:
    """Return the name in the storage of a file of a folder."""
    return f"{folder}/{file}" if plain else f"{folder}/{file}~{stored.sha256[:DIGITS]}"


def is_own(file: str) -> bool:
    """Whether a file is an index, or a list of one, and not a folder's content."""
    name = PurePosixPath(file).name
    return name == INDEX or (name.startswith(".folder-") and name.endswith(".json"))


def read(folder: str) -> Index:
    """Return the index of a folder. Raises FolderMissing, StorageAway; ValueError for no name."""
    if not folder:
        raise FolderMissing("It has no folder in the storage.")
    try:
        data = objects.read(f"{check_name(folder)}/{INDEX}")
    except FileNotFoundError as error:
        objects.check_answers()
        raise FolderMissing(f"The storage has no complete folder {folder}.") from error
    try:
        about = json.loads(data)
        if about["format"] != FORMAT:
            raise ValueError("another format")
        return _checked(
            plain=bool(about["plain"]), digest=about["digest"], listed=about.get("files")
        )
    except WRONG as error:
        raise _damaged(folder) from error


def _checked(*, plain: bool, digest: Any, listed: Any) -> Index:
    """Return an index whose hash is that of what it lists: a folder of the cache bears its name.

    Raises one of WRONG.
    """
    if not SHA256.fullmatch(digest):
        raise ValueError("no hash")
    files = None if listed is None else parse(listed)
    if files is not None and Listing(files, plain=plain).digest != digest:
        raise ValueError("another hash")
    return Index(plain=plain, digest=digest, listed=files)


def files_of(folder: str, index: Index) -> Files:
    """Return the files that an index lists. Raises FolderMissing and StorageAway."""
    if index.listed is not None:
        return index.listed
    try:
        data = objects.read(f"{folder}/{_list_name(index.digest)}")
    except FileNotFoundError as error:
        raise _damaged(folder) from error
    return parse_list(data, folder=folder, digest=index.digest)


def parse_list(data: bytes, *, folder: str, digest: str) -> Files:
    """Return the files of a list whose hash is right. Raises FolderDamaged."""
    try:
        if hashlib.sha256(data).hexdigest() != digest:
            raise ValueError("another hash")
        return parse(json.loads(data))
    except WRONG as error:
        raise _damaged(folder) from error


def parse(listed: dict[str, Any]) -> Files:
    """Return the files of a list. Raises one of WRONG for what is none."""
    files: Files = {}
    for name, (size, sha256) in listed.items():
        check_name(name)
        if not (isinstance(size, int) and 0 <= size < LARGEST and SHA256.fullmatch(sha256)):
            raise ValueError(f"{name} has no size and hash")
        files[name] = StoredFile(size, sha256)
    return files


def check_name(name: str) -> str:
    """Return a relative name, of a folder or a file in it. Raises ValueError for another."""
    parts = name.split("/")
    if "\\" in name or "\0" in name or any(part in {"", ".", ".."} for part in parts):
        raise ValueError(f"“{name}” is no name of a stored folder or file.")
    return name


def _list_name(digest: str) -> str:
    return LIST.format(digest[:DIGITS])


def _damaged(folder: str) -> FolderDamaged:
    return FolderDamaged(f"The index of {folder} in the storage is damaged.")
