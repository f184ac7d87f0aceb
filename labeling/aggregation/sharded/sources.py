"""Read answers from a folder of Parquet files, with errors that name file and column."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
from pyarrow import compute, parquet

from labeling.aggregation import dialects
from labeling.aggregation.tables import TableError, is_text, shown

NAMES = "task", "worker", "label"
BATCH = 2**20  # rows read together
CHUNK = 2**20  # bytes hashed together

Say = Callable[[str], None]


@dataclass(frozen=True)
class Source:
    """One Parquet file of answers."""

    path: Path
    columns: tuple[str, ...]  # what it calls task, worker and label
    rows: int
    task_type: str  # "text" or "whole numbers"
    stamp: tuple[int, int]  # its bytes, and when it was written (ns)


def find(
    folder: Path, columns: Mapping[str, str] | None = None, say: Say = lambda text: None
) -> list[Source]:
    """Return the Parquet files of a folder and of folders in it, by path, or a single one.

    columns: what the files call task, worker and label, where they call them otherwise.

    Files and folders whose names begin with a dot or an underscore are left out, as writers of
    Parquet mean them to be. Whatever else is left out is said. Raises TableError.
    """
    if not folder.exists():
        raise TableError(f"{folder} cannot be read: No such file or directory.")
    paths, others = _paths(folder) if folder.is_dir() else ([folder], [])
    if not paths:
        raise TableError(f"{folder} holds no Parquet files: name them *.parquet.")
    if others:
        names = shown(", ".join(str(path.relative_to(folder)) for path in others[:5]), 200)
        more = f" and {len(others) - 5:,} more" if len(others) > 5 else ""
        say(f"Left out, as it is no file named *.parquet: {names}{more}.")
    sources = [_source(path, columns or {}) for path in paths]
    first = sources[0]
    for source in sources:
        if source.task_type != first.task_type:
            raise TableError(
                f"{source.path}, column {source.columns[0]}: it holds {source.task_type}, where "
                f"{first.path} holds {first.task_type}."
            )
    sources = [source for source in sources if source.rows]
    if not sources:
        raise TableError(f"{folder} holds Parquet files, but no rows.")
    return sources


def _paths(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return what is named as Parquet files are, sorted, and what else there is."""
    paths: list[Path] = []
    others: list[Path] = []
    for place, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = filter(_is_shown, folders)
        others += [path for path in map(Path(place).joinpath, folders) if path.is_symlink()]
        for path in map(Path(place).joinpath, filter(_is_shown, files)):
            (paths if path.suffix.lower() == ".parquet" else others).append(path)
    return sorted(paths), sorted(others)


def _is_shown(name: str) -> bool:
    return not name.startswith((".", "_"))


def _raise(error: OSError) -> NoReturn:
    raise TableError(f"{error.filename} cannot be read: {error.strerror}.") from None


def repeated(sources: list[Source]) -> dict[Path, Path]:
    """Return the files that are copies of earlier ones, byte by byte, and of which."""
    alike: dict[tuple[int, int], list[Path]] = defaultdict(list)
    for source in sources:
        alike[source.rows, source.stamp[0]].append(source.path)
    copies = {}
    for paths in alike.values():
        first: dict[str, Path] = {}
        for path in paths if len(paths) > 1 else ():
            original = first.setdefault(_digest(path), path)
            if original != path:
                copies[path] = original
    return copies


def read(source: Source) -> Any:
    """Return a file's answers (pa.Table): task, worker and label. Raises TableError.

    Tasks are whole numbers (int64) or texts, workers and labels texts; texts are dictionaries.
    """
    try:
        table = parquet.read_table(source.path, columns=list(source.columns), partitioning=None)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(source.path, error) from None
    return _checked(source, table, 0)


def batches(source: Source) -> Iterator[Any]:
    """Yield the same, some rows at a time."""
    row = 0
    try:
        with parquet.ParquetFile(source.path) as file:
            for batch in file.iter_batches(BATCH, columns=list(source.columns)):
                table = pa.Table.from_batches([batch]).select(list(source.columns))
                yield _checked(source, table, row)
                row += len(batch)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(source.path, error) from None


def _source(path: Path, called: Mapping[str, str]) -> Source:
    if path.exists() and not path.is_file():
        raise TableError(f"{path} cannot be read as Parquet: it is not a file.")
    try:
        with parquet.ParquetFile(path) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from None
    columns = []
    for role in NAMES:
        name = called.get(role, role)
        place = dialects.place(schema.names, name)
        if place is None:
            twice = dialects.key(name) in map(dialects.key, schema.names)
            found = shown(", ".join(schema.names), 200)
            raise TableError(
                f"{path}: column {name} {'appears twice' if twice else 'is missing'} "
                f"(found: {found})."
            )
        column = schema.field(place)
        if not (_is_text(column.type) or _is_whole(column.type)):
            raise TableError(
                f"{path}, column {column.name}: {role}s are text or whole numbers, not "
                f"{column.type}."
            )
        columns.append(column.name)
    kind = "text" if _is_text(schema.field(columns[0]).type) else "whole numbers"
    stat = path.stat()
    return Source(path, tuple(columns), rows, kind, (stat.st_size, stat.st_mtime_ns))


def _is_text(kind: Any) -> bool:
    return is_text(kind.value_type if pa.types.is_dictionary(kind) else kind)


def _is_whole(kind: Any) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_boolean(kind))


def _checked(source: Source, table: Any, row: int) -> Any:
    """Return a table of ids, of which none is empty. row: the number of rows before it."""
    columns: list[Any] = []
    for name, column in zip(
        source.columns, table.select(list(source.columns)).columns, strict=True
    ):
        if column.null_count:
            first = row + compute.index(column.is_null(), True).as_py() + 1
            raise TableError(f"{source.path}, row {first:,}, column {name}: the cell is empty.")
        whole = _is_whole(column.type)
        try:
            if whole and not columns:
                columns.append(column.cast(pa.int64()))
                continue
            text = _texts(column)
        except pa.ArrowInvalid:
            fault = "number is too large: write such as text" if whole else "text is not UTF-8"
            raise TableError(f"{source.path}, column {name}: a {fault}.") from None
        if compute.any(compute.equal(text.dictionary, "")).as_py():
            empty = compute.index(text.dictionary, "").as_py()
            first = row + compute.index(text.indices, empty).as_py() + 1
            raise TableError(f"{source.path}, row {first:,}, column {name}: the cell is empty.")
        columns.append(text)
    return pa.table(columns, list(NAMES))


def _texts(column: Any) -> Any:
    """Return texts as a dictionary of different ones, trimmed and in Unicode's NFC."""
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    else:
        column = column.dictionary_encode()
    column = column.combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0)
    names = compute.utf8_trim_whitespace(column.dictionary.cast(pa.string()))
    names = compute.utf8_normalize(names, form="NFC")
    different = names.unique()
    places = compute.index_in(names, value_set=different)
    return pa.DictionaryArray.from_arrays(places.take(column.indices), different)


def _unreadable(path: Path, error: Exception) -> TableError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return TableError(f"{path} cannot be read as Parquet: {shown(reason, 120).rstrip('.')}.")


def _digest(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
