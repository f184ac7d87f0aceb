"""Tables in Parquet, and those that `datasets` saved: with their pictures, or naming them.

Texts are in columns, as in other tables; the names of numbered classes in the schema, as
`datasets` writes it.
"""

from collections.abc import Iterator
from typing import Any

from labeling.decoding import ImageRejected
from labeling.imports import columnar, embedded
from labeling.imports.columnar import Columnar
from labeling.imports.embedded import Pictures
from labeling.imports.entries import Columns, Layout, Readings, Reference, Remark
from labeling.imports.layouts import columns, objects, rows, tables
from labeling.imports.members import Member
from labeling.imports.metadata import GOLD_COLUMN
from labeling.imports.options import Options
from labeling.imports.provenance import LIMITS

Row = dict[str, Any]
OF_OUR_SHARDS = {tables.KEY, "captions", "concepts", "provenance", "snapshot"}
OF_IMG2DATASET = ("key", "status", "url", "error_message")


def _read(member: Member, options: Options) -> Readings:
    if not columnar.is_columnar(member.path):
        yield Remark(member.path, "passed over: a cache of a data set")
        return
    with columnar.opened(member) as table:
        yield Columns(tuple(table.schema.names))
        pictures, _ = embedded.find(table, options)
        if pictures is not None and pictures.external:
            yield from _read_external(table, pictures, member, options)
        elif pictures is not None:
            yield from _read_embedded(table, pictures, member, options)
        else:
            yield from _read_named(table, member, options)


def _read_embedded(
    table: Columnar, pictures: Pictures, member: Member, options: Options
) -> Readings:
    """Read what the rows say of the pictures that they hold."""
    wanted = _texts(table, options, but=pictures.column)
    if not wanted:
        found = ", ".join(table.schema.names)
        yield Remark(member.path, f"pictures without texts: found {found}; {columns.ADVICE}")
        return
    names = [pictures.path] if pictures.path else []
    read, again = table.rows([*wanted, *names]), embedded.names(table, pictures)
    class_names = table.class_names()
    for number, (row, path) in enumerate(
        _together(read, embedded.paths(member.path, again)), start=1
    ):
        where = f"{member.path}, row {number}"
        texts = {name: row[name] for name in wanted}
        yield from rows.read(texts, Reference(path), where, options, names=class_names)


def _together(read: Iterator[Row], paths: Iterator[str]) -> Iterator[tuple[Row, str]]:
    """Yield each row with its picture's path. Raises `ImageRejected` where one is missing."""
    try:
        yield from zip(read, paths, strict=True)
    except ValueError as error:
        if isinstance(error, ImageRejected):
            raise
        raise ImageRejected("damaged: its columns are not of as many rows") from error


def _read_external(
    table: Columnar, pictures: Pictures, member: Member, options: Options
) -> Readings:
    """Read what the rows say of pictures that lie elsewhere in the source."""
    wanted, class_names = _texts(table, options, but=pictures.column), table.class_names()
    for number, row in enumerate(table.rows([*wanted, pictures.path]), start=1):
        where = f"{member.path}, row {number}"
        name = embedded.path_of(row, pictures)
        texts = {"file_name": name, **{each: row[each] for each in wanted}}
        yield from tables.read_row(
            texts, member.path, where, options, strict=False, names=class_names
        )


def _read_named(table: Columnar, member: Member, options: Options) -> Readings:
    """Read the rows of a table that names its pictures."""
    names = table.schema.names
    if set(names) >= OF_OUR_SHARDS:
        yield Remark(member.path, "passed over, as its shard says the same")
        return
    strict = tables.is_metadata(member.path) and any(map(columns.is_file_name, names))
    picture = columns.picture(names, options.columns)
    of_downloads = set(OF_IMG2DATASET) - {"error_message"} <= set(names)
    wanted = _texts(table, options, but=picture or "")
    is_named = picture is not None or of_downloads or tables.KEY in names
    if not wanted or not is_named:
        found = ", ".join(names) or "nothing"
        raise ImageRejected(f"found {found}; {tables.NO_PICTURE}; {columns.ADVICE}")
    others = [name for name in OF_IMG2DATASET if of_downloads and name in names]
    others += [tables.KEY] if picture is None and tables.KEY in names else []
    chosen = list(dict.fromkeys([*([picture] if picture else []), *wanted, *others]))
    class_names = table.class_names()
    for number, row in enumerate(table.rows(chosen), start=1):
        where = f"{member.path}, row {number}"
        yield from tables.read_row(
            row, member.path, where, options, strict=strict, names=class_names
        )


def _texts(table: Columnar, options: Options, *, but: str) -> list[str]:
    """Return the columns of which something is read; none where none of them holds texts."""
    names = [name for name in table.schema.names if name != but]
    roles = {name: columns.role(name, options.columns) for name in names}
    others = {GOLD_COLUMN, *objects.columns_of(names)}
    if not any(roles[name] in rows.OF_TEXTS or name in others for name in names):
        return []
    of_snapshots = rows.OF_SNAPSHOTS if set(names) >= rows.OF_SNAPSHOTS else set()
    others |= {*of_snapshots, *LIMITS}
    return [name for name in names if roles[name] or name in others]


PARQUET = Layout("Parquet", _read, suffixes=columnar.PARQUET)
ARROW = Layout("saved data set", _read, suffixes=columnar.ARROW)
