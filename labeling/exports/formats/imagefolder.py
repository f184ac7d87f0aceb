"""Hugging Face imagefolder: `load_dataset("imagefolder", data_dir=OUT)`.

The rows of a split are a `metadata.parquet`, which has its types with it: an empty list is a list
of something, and two exports concatenate whatever their projects ask.
"""

from contextlib import ExitStack, closing

import pyarrow.compute as pc
import pyarrow.parquet as pq

from labeling.exports import card
from labeling.exports.card import Card
from labeling.exports.options import GENERAL
from labeling.exports.pictures import Picture
from labeling.exports.rows import ExportRow
from labeling.exports.sinks import Sink
from labeling.exports.stored import Stored
from labeling.exports.tables import COLUMNS, GROUP_ROWS, Table, record
from labeling.exports.writer import About, Counts, Format

METADATA = "metadata.parquet"
PATHS = "{split}/**"  # of a split, for the card
BOXES = "objects.category"  # the column that is counted
NOTHING = {"pictures": 0, "captions": 0, "tags": 0, "labels": 0, "boxes": 0}


class Imagefolder:
    def __init__(self, sink: Sink, about: About) -> None:
        self._sink, self._about = sink, about
        self._open = about.files.enter_context(ExitStack())
        self._tables: dict[str, Table] = {}
        self._card = Card(about, paths=PATHS)
        self._counts = dict(NOTHING)

    def write(self, row: ExportRow, picture: Picture) -> None:
        if row.split not in self._tables:
            file = self._open.enter_context(self._sink.file(f"{row.split}/{METADATA}"))
            table = Table(file, {"file_name": "string", **COLUMNS})
            self._tables[row.split] = self._open.enter_context(closing(table))
        self._sink.put(f"{row.split}/{picture.name}", picture.data)
        columns = record(row, self._about.snapshot)
        self._tables[row.split].add({"file_name": picture.name, **columns})
        self._card.add(row)
        add(self._counts, row)

    def close(self) -> Counts:
        self._open.close()
        self._sink.put(card.NAME, self._card.text().encode)
        return self._counts


def add(counts: Counts, row: ExportRow) -> None:
    """Count a row that is written whole."""
    counts["pictures"] += 1
    counts["captions"] += len(row.captions)
    counts["tags"] += len(row.tags)
    counts["labels"] += len(row.concepts)
    counts["boxes"] += len(row.boxes)


def count(stored: Stored) -> Counts:
    """Count the rows whose file is there: a file without a row is dropped by its reader."""
    names = set(stored.names())
    tables = sorted(name for name in names if name.endswith(METADATA))
    counts = dict(NOTHING)
    for name in tables:
        with stored.open(name) as file:
            count_table(file, counts, files=names, folder=name.rpartition("/")[0])
    return counts


def count_table(
    file: object, counts: Counts, *, files: set[str] | None = None, folder: str = ""
) -> None:
    """Add what a table of rows holds; files: count rows alone whose file is among them."""
    lists = {"captions": "captions", "tags": "tags", "labels": "concepts"}
    columns = [*lists.values(), BOXES, *(["file_name"] if files is not None else [])]
    for batch in pq.ParquetFile(file).iter_batches(batch_size=GROUP_ROWS, columns=columns):
        if files is None:
            counts["pictures"] += batch.num_rows
        else:
            names = batch.column("file_name").to_pylist()
            counts["pictures"] += sum(f"{folder}/{name}" in files for name in names)
        for kind, column in lists.items():
            lengths = pc.list_value_length(batch.column(column))
            counts[kind] += pc.sum(lengths).as_py() or 0
        boxes = batch.column("objects").field("category")
        counts["boxes"] += pc.sum(pc.list_value_length(boxes)).as_py() or 0


FORMAT = Format(
    name="imagefolder",
    title="Hugging Face imagefolder",
    read_by="datasets, diffusers' training scripts",
    holds="everything, in a metadata.parquet a split, with a card",
    options=GENERAL,
    writer=Imagefolder,
    count=count,
)
