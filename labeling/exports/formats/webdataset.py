"""WebDataset: tars of `KEY.webp`, `KEY.txt` and `KEY.json`, each with a table and its figures.

The tables and figures lie beside the tars, named as img2dataset names them. Its card leads
`load_dataset(OUT)` to the tars, and not to the tables, which hold no pictures.
"""

import io
import json
from collections import Counter
from contextlib import ExitStack, closing
from typing import Any

from labeling.exports import card, tar_members
from labeling.exports.card import Card
from labeling.exports.formats.imagefolder import NOTHING, add, count_table
from labeling.exports.options import GENERAL
from labeling.exports.pictures import Picture
from labeling.exports.rows import ExportRow
from labeling.exports.sinks import HashedFile, Sink
from labeling.exports.stored import Stored
from labeling.exports.tables import COLUMNS, Table, Types, record
from labeling.exports.tar_members import END, member
from labeling.exports.writer import About, Counts, Format

SHARD = 10_000  # pictures
PATHS = "{split}/*.tar"  # of a split, for the card
_json = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode


class Shard:
    """A tar that is written, or that is whole already, and its table; its figures come at its end.

    Both are written at once, so that no row is held until the tar is whole.
    """

    def __init__(self, sink: Sink, name: str, files: ExitStack) -> None:
        self.name, self._sink = name, sink
        self._file: HashedFile | None = None
        self._of_tar = files.enter_context(ExitStack())
        self._of_table = files.enter_context(ExitStack())
        if not sink.has(f"{name}.tar"):
            self._file = self._of_tar.enter_context(sink.file(f"{name}.tar"))
        file = self._of_table.enter_context(sink.file(f"{name}.parquet"))
        table = Table(file, {"key": "string", **COLUMNS})
        self._table = self._of_table.enter_context(closing(table))
        self._count = self._captions = 0
        self._first_key = self._last_key = ""

    def write(self, row: ExportRow, picture: Picture, columns: dict[str, Any]) -> None:
        key = picture.stem
        described = {"key": key, **columns}
        if self._file is not None:
            metadata = _json(described).encode()
            self._file.write(
                member(picture.name, picture.data())
                + member(f"{key}.txt", row.text.encode())
                + member(f"{key}.json", metadata)
            )
        self._table.add(described)
        self._first_key, self._last_key = self._first_key or key, key
        self._count += 1
        self._captions += len(row.captions)

    def close(self) -> None:
        if self._file is not None:
            self._file.write(END)
        self._of_tar.close()
        self._of_table.close()
        figures = {
            "count": self._count,
            "captions": self._captions,
            "first_key": self._first_key,
            "last_key": self._last_key,
        }
        self._sink.put(f"{self.name}_stats.json", lambda: json.dumps(figures, indent=1).encode())


class WebDataset:
    def __init__(self, sink: Sink, about: About) -> None:
        self._sink, self._about = sink, about
        self._files = about.files.enter_context(ExitStack())
        self._size = about.options.shard or SHARD
        self._written: Counter[str] = Counter()
        self._shard: Shard | None = None
        self._card = Card(about, paths=PATHS)
        self._suffixes: set[str] = set()
        self._counts = {**NOTHING, "texts": 0}

    def write(self, row: ExportRow, picture: Picture) -> None:
        if self._written[row.split] % self._size == 0:
            self._finish()
            number = self._written[row.split] // self._size
            self._shard = Shard(self._sink, f"{row.split}/{number:05}", self._files)
        self._written[row.split] += 1
        assert self._shard is not None
        self._shard.write(row, picture, record(row, self._about.snapshot))
        self._card.add(row)
        self._suffixes.add(picture.suffix.removeprefix("."))
        add(self._counts, row)
        self._counts["texts"] += bool(row.text)

    def close(self) -> Counts:
        self._finish()
        text = self._card.text(_features(self._suffixes))
        self._sink.put(card.NAME, text.encode)
        return self._counts

    def _finish(self) -> None:
        if self._shard is not None:
            self._shard.close()


def _features(suffixes: set[str]) -> Types:
    """Return what `datasets` finds in tars: it would guess wrong where first lists are empty."""
    return {
        **dict.fromkeys(sorted(suffixes), "image"),
        "txt": "string",
        "json": {"key": "string", **COLUMNS},
        "__key__": "string",
        "__url__": "string",
    }


def count(stored: Stored) -> Counts:
    """Count the members of all tars, and the rows of their tables."""
    counts = {**NOTHING, "texts": 0}
    pictures = 0
    for name in stored.names():
        with stored.open(name) as file:
            if name.endswith(".tar"):
                for member_name, size in tar_members.read(file):
                    is_text = member_name.endswith(".txt")
                    counts["texts"] += is_text and size > 0
                    pictures += not is_text and not member_name.endswith(".json")
            elif name.endswith(".parquet"):
                count_table(io.BytesIO(file.read()), counts)
    return {**counts, "pictures": min(pictures, counts["pictures"])}


FORMAT = Format(
    name="webdataset",
    title="WebDataset",
    read_by="webdataset, datasets, img2dataset's readers, open_clip",
    holds="everything, in tars to be streamed, each with a table and figures",
    options=(*GENERAL, "shard"),
    writer=WebDataset,
    count=count,
)
