"""Hugging Face imagefolder: `load_dataset("imagefolder", data_dir=OUT)`.

The rows of a split are a `metadata.parquet`, which has its types with it: an empty list is a list
of something, and two exports concatenate whatever their projects ask.
"""

import sys
from collections.abc import Mapping
from contextlib import ExitStack

import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from labeling import dataset_card
from labeling.exports.options import GENERAL
from labeling.exports.pictures import Picture
from labeling.exports.rows import ExportRow
from labeling.exports.sinks import Sink
from labeling.exports.stored import Stored
from labeling.exports.tables import COLUMNS, GROUP_ROWS, Table, record
from labeling.exports.writer import About, Counts, Format

METADATA = "metadata.parquet"
CARD = """\
---
{pretty_name}
configs:
- config_name: default
  data_files:
{splits}
---

# {project}

{pictures} pictures with {captions} captions, of the Tessera snapshot `{snapshot}`.

| column | what it holds |
|---|---|
| `text`, `confidence` | the most probable caption and its probability |
| `tags` | keywords, and concepts that the whole picture shows |
| `concepts` | of each concept: probability, entropy in bits, number of answers |
| `in_part` | concepts that people saw in parts of the picture alone |
| `captions` | each with its confidence, whether an import, an annotator or a model wrote it, \
and the place in `provenance` of where it comes from; -1: it was written here |
| `provenance` | where the picture, first, and its texts come from: import, layout, file, \
vendor, batch, license, url, date, importer, and the price of one text |
| `n_answers` | answers about the picture in all |
| `license`, `source` | as the import said; `source` is the path that it came from |
| `generated`, `prompt` | whether a model drew the picture, and from what |
| `width`, `height`, `split`, `snapshot` | in pixels; the snapshot's SHA-256 |
"""


class Imagefolder:
    def __init__(self, sink: Sink, about: About) -> None:
        self._sink, self._about = sink, about
        self._open = about.files.enter_context(ExitStack())
        self._tables: dict[str, Table] = {}
        self._counts = {"pictures": 0, "captions": 0, "tags": 0, "labels": 0}

    def write(self, row: ExportRow, picture: Picture) -> None:
        if row.split not in self._tables:
            file = self._open.enter_context(self._sink.file(f"{row.split}/{METADATA}"))
            table = Table(file, {"file_name": "string", **COLUMNS})
            self._tables[row.split] = self._open.enter_context(table)
        self._sink.put(f"{row.split}/{picture.name}", picture.data)
        columns = record(row, self._about.snapshot)
        self._tables[row.split].add({"file_name": picture.name, **columns})
        add(self._counts, row)

    def close(self) -> Counts:
        self._open.close()
        put_card(self._sink, self._about, self._counts, {s: f"{s}/**" for s in self._tables})
        return self._counts


def put_card(sink: Sink, about: About, counts: Counts, files: Mapping[str, str]) -> None:
    """Write the README.md by which `load_dataset(OUT)` finds what to read; files: by split."""
    card = CARD.format(
        pretty_name=_in_yaml("pretty_name", about.project),
        project=dataset_card.plain(about.project),
        splits="\n".join(f"  - split: {name}\n    path: {path}" for name, path in files.items()),
        snapshot=about.snapshot,
        pictures=f"{counts['pictures']:,}",
        captions=f"{counts['captions']:,}",
    )
    sink.put("README.md", card.encode)


def _in_yaml(name: str, value: str) -> str:
    """Return a field of the front matter, whatever its text is."""
    return yaml.safe_dump({name: value}, allow_unicode=True, width=sys.maxsize).strip()


def add(counts: Counts, row: ExportRow) -> None:
    """Count a row that is written whole."""
    counts["pictures"] += 1
    counts["captions"] += len(row.captions)
    counts["tags"] += len(row.tags)
    counts["labels"] += len(row.concepts)


def count(stored: Stored) -> Counts:
    """Count the rows whose file is there: a file without a row is dropped by its reader."""
    names = set(stored.names())
    tables = sorted(name for name in names if name.endswith(METADATA))
    counts = {"pictures": 0, "captions": 0, "tags": 0, "labels": 0}
    for name in tables:
        with stored.open(name) as file:
            count_table(file, counts, files=names, folder=name.rpartition("/")[0])
    return counts


def count_table(
    file: object, counts: Counts, *, files: set[str] | None = None, folder: str = ""
) -> None:
    """Add what a table of rows holds; files: count rows alone whose file is among them."""
    lists = {"captions": "captions", "tags": "tags", "labels": "concepts"}
    columns = [*lists.values(), *(["file_name"] if files is not None else [])]
    for batch in pq.ParquetFile(file).iter_batches(batch_size=GROUP_ROWS, columns=columns):
        if files is None:
            counts["pictures"] += batch.num_rows
        else:
            names = batch.column("file_name").to_pylist()
            counts["pictures"] += sum(f"{folder}/{name}" in files for name in names)
        for kind, column in lists.items():
            lengths = pc.list_value_length(batch.column(column))
            counts[kind] += pc.sum(lengths).as_py() or 0


FORMAT = Format(
    name="imagefolder",
    title="Hugging Face imagefolder",
    read_by="datasets, diffusers' training scripts",
    holds="everything, in a metadata.parquet a split, with a card",
    options=GENERAL,
    writer=Imagefolder,
    count=count,
)
