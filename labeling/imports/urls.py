"""A list of addresses as a source: a text with one a line, or a table with a column of them.

What else a row says is a text beside its picture, as img2dataset packs it. Pictures are fetched as
they are read, some ahead, and kept on disk until the import is done: so one that was stopped goes
on without fetching again what has come.
"""

import hashlib
import io
import json
import re
import shutil
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

import pyarrow
from django.conf import settings
from pyarrow import parquet

from labeling import outbound
from labeling.decoding import ImageRejected
from labeling.imports import csv_rows, lines, texts
from labeling.imports.members import Member, Rejection, SourceError
from labeling.outbound import Allowed, FetchError, Limits

SUFFIXES = (".txt", ".csv", ".tsv", ".jsonl", ".parquet")
COLUMNS = ("url", "image_url", "img_url", "URL")  # of a table that is a list of addresses
PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
URL = re.compile(r"\s*https?://\S+\s*", re.IGNORECASE)
LOOKED_AT = 100  # rows, of which one may tell that a table is a list
AHEAD = 8  # pictures that are fetched at a time
ROWS = 1_000  # of a Parquet table at a time
FOLDER = "addresses"  # in `CACHE_ROOT`, of what was fetched, …
KEPT = 3_600.0  # … which goes when nothing was added for so many seconds
NAME = 40  # characters of a picture's name
NONE_ALLOWED = (
    "{name} is a list of addresses, and nothing is fetched unless IMPORT_HOSTS names the hosts: "
    "set it to images.example, for example."
)

UNREADABLE = (ValueError, pyarrow.ArrowException, ImageRejected)

Row = dict[str, Any]


def is_list(path: Path, name: str = "", column: str = "") -> bool:
    """Whether a file is a list of addresses, by its name and the first row that can be read.

    name: as it was called, where it lies under another name. column: that holds the addresses;
    empty: one that is called so.
    """
    suffix = Path(name or path.name).suffix.lower()
    if suffix not in SUFFIXES:
        return False
    try:
        rows = islice(_rows(path, suffix), LOOKED_AT)
        row = next((row for row in rows if isinstance(row, dict)), None)
    except (SourceError, OSError, *UNREADABLE):
        return False
    if row is None or any(map(_is_binary, row.values())):
        return False
    return bool(_url(row, column))


def members(path: Path, name: str = "", column: str = "") -> Iterator[Member | Rejection]:
    """Yield the pictures of a list, and what its rows say of them. Raises `SourceError`."""
    name = name or path.name
    forget_old()
    with _Fetching(cache_of(path), _allowed(name)) as fetching:
        try:
            rows = enumerate(_rows(path, Path(name).suffix.lower()), start=1)
            for (number, row), following in _with_following(rows):
                if isinstance(row, dict) and (url := _url(row, column)):
                    ahead = [each for each in (_url(row, column) for _, row in following) if each]
                    yield Member(_name(url), 0, partial(fetching.open, url, ahead), url)
                    yield from _texts_of(url, row, column)
                else:
                    problem = row if isinstance(row, str) else "no address that can be fetched"
                    yield Rejection(f"{name}, row {number}", problem)
        except UNREADABLE as error:
            raise SourceError(f"{name} cannot be read as a list of addresses: {error}.") from error


def _allowed(name: str) -> list[Allowed]:
    """Return the hosts from which may be fetched. Raises `SourceError`."""
    try:
        allowed = [Allowed.of(text) for text in settings.IMPORT_HOSTS]
    except ValueError as error:
        raise SourceError(f"IMPORT_HOSTS: {error}.") from error
    if not allowed:
        raise SourceError(NONE_ALLOWED.format(name=name))
    return allowed


def _texts_of(url: str, row: Row, column: str) -> Iterator[Member]:
    """Yield what a row says beside the address, as a text beside the picture."""
    addresses = {*COLUMNS, column}
    columns = {
        name: value
        for name, value in row.items()
        if isinstance(name, str) and name not in addresses and value not in (None, "", [], {})
    }
    if columns:
        data = json.dumps(columns, default=str).encode()
        yield Member(f"{_key(url)}.json", len(data), partial(io.BytesIO, data))


def cache_of(path: Path) -> Path:
    """Return the folder of what was fetched of a list."""
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()
    return Path(settings.CACHE_ROOT) / FOLDER / digest[:16]


def forget(path: Path) -> None:
    """Delete what was fetched of a list, once it is imported."""
    shutil.rmtree(cache_of(path), ignore_errors=True)


def forget_old() -> None:
    """Delete what was fetched, on this machine, of lists that nobody is at any more."""
    root = Path(settings.CACHE_ROOT) / FOLDER
    for folder in root.iterdir() if root.is_dir() else ():
        with suppress(FileNotFoundError):
            if time.time() - folder.stat().st_mtime > KEPT:
                shutil.rmtree(folder, ignore_errors=True)


class _Fetching:
    """Fetches pictures into a folder, and the next ones while one is read."""

    def __init__(self, folder: Path, allowed: Sequence[Allowed]) -> None:
        self._folder, self._allowed = folder, allowed
        self._pool = ThreadPoolExecutor(AHEAD, thread_name_prefix="fetch")
        self._fetched: dict[str, Future[Path]] = {}

    def __enter__(self) -> "_Fetching":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def open(self, url: str, ahead: Sequence[str]) -> BinaryIO:
        """Return what is at an address, and begin with those after it. Raises `ImageRejected`."""
        for each in (url, *ahead):
            if each not in self._fetched:
                self._fetched[each] = self._pool.submit(self._fetch, each)
        try:
            return self._fetched.pop(url).result().open("rb")
        except FetchError as error:
            raise ImageRejected(f"cannot be fetched: {error}") from error

    def _fetch(self, url: str) -> Path:
        """Return the file of what is at an address; fetch what has not come yet."""
        path = self._folder / hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()
        if path.exists():
            return path
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = path.with_suffix(".part")
        limits = Limits(bytes=settings.IMAGE_MAX_BYTES)
        try:
            with part.open("wb") as file:
                file.writelines(outbound.fetch(url, allowed=self._allowed, limits=limits))
            return part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def _rows(path: Path, suffix: str) -> Iterator[Row | str]:
    """Yield the rows of a list, or why one cannot be read. Raises `UNREADABLE` and OSError."""
    if suffix == ".parquet":
        with parquet.ParquetFile(path) as table:
            for batch in table.iter_batches(ROWS):
                yield from batch.to_pylist()
        return
    if suffix in {".csv", ".tsv"}:
        yield from _of_table(path, suffix)
        return
    for line in lines.numbered(path.open("rb")):
        if row := line.problem or _of_line(line.text, suffix):
            yield row


def _of_table(path: Path, suffix: str) -> Iterator[Row | str]:
    """Yield the rows of a CSV or TSV by the names of its columns."""
    rows = (row for row in csv_rows.read(path.open("rb"), suffix) if row.problem or any(row.cells))
    header = next((row.cells for row in rows if not row.problem), [])
    for _, cells, problem in rows:
        yield problem or dict(zip(header, cells, strict=False))


def _of_line(line: str, suffix: str) -> Row | str | None:
    """Return the row of a line, or why it is none; None for an empty line or a comment."""
    text = line.strip()
    if not text or (suffix == ".txt" and text.startswith("#")):
        return None
    if suffix == ".txt":
        return {"url": text}
    try:
        row = texts.parsed(text)
    except ImageRejected as error:
        return str(error)
    return row if isinstance(row, dict) else "no object of JSON"


def _url(row: Row | str, column: str) -> str | None:
    """Return the address in a row; None where there is none."""
    if isinstance(row, str):
        return None
    value = next((row[name] for name in ((column,) if column else COLUMNS) if row.get(name)), None)
    return value.strip() if isinstance(value, str) and URL.fullmatch(value) else None


def _is_binary(value: object) -> bool:
    """Whether a cell holds a picture itself, so that the table is no list of addresses."""
    return isinstance(value, bytes) or (isinstance(value, dict) and "bytes" in value)


def _name(url: str) -> str:
    """Return the name of the picture at an address."""
    suffix = Path(urlsplit(url).path).suffix.lower()
    return f"{_key(url)}{suffix if suffix in PICTURES else ''}"


def _key(url: str) -> str:
    """Return a name that is the same each time, and no other address has."""
    digest = hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    stem = Path(unquote(urlsplit(url).path)).stem
    plain = re.sub(r"[^\w-]+", "_", stem)[:NAME].strip("_")
    return f"{plain}-{digest}" if plain else digest


def _with_following(
    rows: Iterator[tuple[int, Row | str]],
) -> Iterator[tuple[tuple[int, Row | str], list[tuple[int, Row | str]]]]:
    """Yield each row with those that follow it, of which some are fetched ahead."""
    window = deque(islice(rows, AHEAD))
    while window:
        first = window.popleft()
        window.extend(islice(rows, 1))
        yield first, list(window)
