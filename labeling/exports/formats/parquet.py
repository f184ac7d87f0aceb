"""Parquet with embedded images: `load_dataset(OUT)`, or any reader of Parquet."""

from collections import Counter
from contextlib import ExitStack, closing

from labeling.exports import card
from labeling.exports.card import Card
from labeling.exports.formats.imagefolder import NOTHING, add, count_table
from labeling.exports.options import GENERAL
from labeling.exports.pictures import Picture
from labeling.exports.rows import ExportRow
from labeling.exports.sinks import Sink
from labeling.exports.stored import Stored
from labeling.exports.tables import COLUMNS, Table, record
from labeling.exports.writer import About, Counts, Format

SHARD = 2_000  # pictures
PATHS = "data/{split}-*.parquet"  # of a split, for the card


class Parquet:
    def __init__(self, sink: Sink, about: About) -> None:
        self._sink, self._about = sink, about
        self._rows = Counter(row.split for row in about.rows())
        self._written: Counter[str] = Counter()
        self._open = about.files.enter_context(ExitStack())
        self._table: Table | None = None
        self._shard = about.options.shard or SHARD
        self._card = Card(about, paths=PATHS)
        self._counts = dict(NOTHING)

    def write(self, row: ExportRow, picture: Picture) -> None:
        if self._written[row.split] % self._shard == 0:
            self._begin(row.split)
        self._written[row.split] += 1
        add(self._counts, row)
        self._card.add(row)
        if self._table is not None:
            data = picture.data()
            image = {"image": {"bytes": data, "path": picture.name}}
            self._table.add({**image, **record(row, self._about.snapshot)}, len(data))

    def close(self) -> Counts:
        self._open.close()
        self._sink.put(card.NAME, self._card.text().encode)
        return self._counts

    def _begin(self, split: str) -> None:
        """Begin the next shard, or pass over one that is whole already."""
        self._open.close()
        shards = -(-self._rows[split] // self._shard)
        number = self._written[split] // self._shard
        name = f"data/{split}-{number:05}-of-{shards:05}.parquet"
        self._table = None
        if not self._sink.has(name):
            file = self._open.enter_context(self._sink.file(name))
            self._table = self._open.enter_context(
                closing(Table(file, {"image": "image", **COLUMNS}))
            )


def count(stored: Stored) -> Counts:
    """Count the rows of all shards."""
    counts = dict(NOTHING)
    for name in stored.names():
        if name.endswith(".parquet"):
            with stored.open(name) as file:
                count_table(file, counts)
    return counts


FORMAT = Format(
    name="parquet",
    title="Parquet with pictures",
    read_by="datasets, pyarrow, pandas, polars, DuckDB",
    holds="everything, the pictures among it",
    options=(*GENERAL, "shard"),
    writer=Parquet,
    count=count,
)
