"""Rows as tables: columns and types are the same whatever a project asks, so that two concatenate.

A table's schema also tells `datasets` its features.
"""

import json
from collections.abc import Mapping, Sequence
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from labeling import provenance
from labeling.exports.rows import Box, ExportRow

GROUP_ROWS, GROUP_BYTES = 1_000, 32 << 20  # of a row group: what is held at a time

_CONCEPT = {"name": "string", "probability": "float64", "entropy": "float64", "answers": "int64"}
_CAPTION = {
    "text": "string",
    "confidence": "float64",
    "source": "string",
    "provenance": "int64",
}
PROVENANCE = {
    name: "int64" if name == "import_id" else "string" for name in provenance.NOWHERE.as_row()
}
_OBJECTS = {  # of one picture: lists side by side, as object detection's readers want them
    "bbox": [["float64"]],  # left, top, width, height, in pixels
    "category": ["string"],
    "area": ["float64"],
    "probability": ["float64"],
    "answers": ["int64"],
    "provenance": ["int64"],
}
Types = Mapping[str, Any]  # a type's name, or [type] for a list, or a mapping for a struct
COLUMNS: Types = {
    "split": "string",
    "text": "string",
    "confidence": "float64",
    "tags": ["string"],
    "concepts": [_CONCEPT],
    "in_part": ["string"],
    "captions": [_CAPTION],
    "objects": _OBJECTS,
    "n_answers": "int64",
    "license": "string",
    "source": "string",
    "provenance": [PROVENANCE],
    "generated": "bool",
    "prompt": "string",
    "pair": "float64",
    "width": "int64",
    "height": "int64",
    "snapshot": "string",
}


def record(row: ExportRow, snapshot: str) -> dict[str, Any]:
    """Return a row as the columns of `COLUMNS`."""
    return {
        "split": row.split,
        "text": row.text,
        "confidence": row.confidence,
        "tags": list(row.tags),
        "concepts": [
            {
                "name": each.name,
                "probability": each.probability,
                "entropy": each.entropy,
                "answers": each.answers,
            }
            for each in row.concepts
        ],
        "in_part": list(row.in_part),
        "captions": [
            {
                "text": each.text,
                "confidence": each.confidence,
                "source": each.source,
                "provenance": each.provenance,
            }
            for each in row.captions
        ],
        "objects": _objects(row.boxes) if row.boxes else _NO_OBJECTS,
        "n_answers": row.answers,
        "license": row.license,
        "source": row.source,
        "provenance": list(row.provenance),
        "generated": row.generated,
        "prompt": row.prompt,
        "pair": row.pair,
        "width": row.width,
        "height": row.height,
        "snapshot": snapshot,
    }


def _objects(boxes: Sequence[Box]) -> dict[str, list[Any]]:
    return {
        "bbox": [each.bbox for each in boxes],
        "category": [each.label for each in boxes],
        "area": [each.area for each in boxes],
        "probability": [each.probability for each in boxes],
        "answers": [each.answers for each in boxes],
        "provenance": [each.provenance for each in boxes],
    }


_NO_OBJECTS = _objects(())  # of most pictures


class Table:
    """A Parquet file that is written row by row; a group of rows is held at a time.

    Close it at the end.
    """

    def __init__(self, file: IO[bytes] | Any, columns: Types) -> None:
        self._writer = pq.ParquetWriter(file, schema(columns), compression="zstd")
        self._schema = schema(columns)
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0

    def add(self, row: dict[str, Any], size: int = 0) -> None:
        """Add a row; size: bytes that it holds beside words and numbers."""
        self._rows.append(row)
        self._bytes += size
        if len(self._rows) >= GROUP_ROWS or self._bytes >= GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows, self._bytes = [], 0


def schema(columns: Types) -> pa.Schema:
    """Return the columns as Arrow's types; "image" is a picture's bytes and path."""
    fields = [pa.field(name, _arrow(kind)) for name, kind in columns.items()]
    features = {name: _feature(kind) for name, kind in columns.items()}
    described = json.dumps({"info": {"features": features}})
    return pa.schema(fields, metadata={"huggingface": described})


def _arrow(kind: Any) -> pa.DataType:
    if kind == "image":
        return pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    if isinstance(kind, list):
        return pa.list_(_arrow(kind[0]))
    if isinstance(kind, Mapping):
        return pa.struct([(name, _arrow(each)) for name, each in kind.items()])
    return {
        "string": pa.string(),
        "float64": pa.float64(),
        "int64": pa.int64(),
        "bool": pa.bool_(),
    }[kind]


def _feature(kind: Any) -> Any:
    """Return a type as `datasets` writes its features."""
    if kind == "image":
        return {"_type": "Image"}
    if isinstance(kind, list):
        return {"feature": _feature(kind[0]), "_type": "List"}
    if isinstance(kind, Mapping):
        return {name: _feature(each) for name, each in kind.items()}
    return {"dtype": kind, "_type": "Value"}
