"""Croissant 1.1: a `croissant.json` that describes pictures and a table to any reader of it.

Its responsible-AI fields say how and by whom the labels were made. A list of structs is no field of
Croissant, so captions, concepts, boxes and where they come from are parallel lists. Its reader
decodes JPEG and PNG alone, so other pictures become PNG, which loses nothing.
"""

import json
from contextlib import ExitStack, closing
from typing import Any

import pyarrow.parquet as pq

from labeling.exports.formats.imagefolder import NOTHING, add
from labeling.exports.options import GENERAL
from labeling.exports.pictures import Picture
from labeling.exports.rows import ExportRow
from labeling.exports.sinks import Sink
from labeling.exports.stored import Stored
from labeling.exports.tables import PROVENANCE, Table
from labeling.exports.writer import About, Counts, Format

DOCUMENT, TABLE = "croissant.json", "metadata.parquet"
COLUMNS: dict[str, Any] = {
    "file_name": "string",
    "split": "string",
    "text": "string",
    "confidence": "float64",
    "tags": ["string"],
    "captions": ["string"],
    "caption_confidences": ["float64"],
    "caption_sources": ["string"],
    "concepts": ["string"],
    "probabilities": ["float64"],
    "answers": ["int64"],
    "in_part": ["string"],
    "caption_provenance": ["int64"],
    "boxes": ["string"],
    "box_left": ["float64"],
    "box_top": ["float64"],
    "box_width": ["float64"],
    "box_height": ["float64"],
    "box_probabilities": ["float64"],
    "box_answers": ["int64"],
    "box_provenance": ["int64"],
    **{f"provenance_{name}": [kind] for name, kind in PROVENANCE.items()},
    "n_answers": "int64",
    "license": "string",
    "source": "string",
    "generated": "bool",
    "prompt": "string",
    "pair": "float64",
    "width": "int64",
    "height": "int64",
}
_DATA_TYPES = {
    "string": "sc:Text",
    "float64": "sc:Float",
    "int64": "sc:Integer",
    "bool": "sc:Boolean",
}
_MEDIA_TYPES = {".jpg": "image/jpeg", ".png": "image/png"}  # that mlcroissant decodes
_OF_CROISSANT = (
    "citeAs",
    "column",
    "equivalentProperty",
    "examples",
    "extract",
    "field",
    "fileObject",
    "fileProperty",
    "fileSet",
    "format",
    "includes",
    "isLiveDataset",
    "jsonPath",
    "key",
    "md5",
    "parentField",
    "path",
    "recordSet",
    "references",
    "regex",
    "repeated",
    "replace",
    "samplingRate",
    "separator",
    "source",
    "subField",
    "transform",
)
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    **{name: f"cr:{name}" for name in _OF_CROISSANT},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
}
ANALYSIS = "rai:dataAnnotationAnalysis"
RESPONSIBLE_AI = {
    "rai:dataCollection": "Pictures were imported by the owners of the project; `source` is the "
    "path that each came from. `provenance_*` are lists side by side of where the picture, first, "
    "and its texts and boxes come from: import, vendor, address, licence and so on; "
    "`caption_provenance` and `box_provenance` are places in them, -1: made here. Where "
    "`generated` is true, a model drew it from its `prompt`. Where `pair` is above 0, it shows two "
    "halves side by side, and that is the probability that they belong together.",
    "rai:dataAnnotationProtocol": "People were shown a picture, or a part of it, and a text, and "
    "said whether the text is true of it. Answers of several people, each weighed by how reliable "
    "that person was on pictures whose truth is known, add up to a probability. Where nobody "
    "answered, it rests on what the import said, on a model and on how frequent the concept is; "
    "`answers` says how many there are.",
    "rai:dataAnnotationPlatform": "Tessera",
    ANALYSIS: "Every concept keeps its probability instead of a vote; near one "
    "half, people disagreed or nobody was asked.",
    "rai:annotatorDemographics": "Not recorded.",
    "rai:personalSensitiveInformation": "Nobody who answered is named. What the pictures show was "
    "not examined for it.",
    "rai:dataBiases": "Concepts are those that the owners chose to ask about.",
}


class Croissant:
    def __init__(self, sink: Sink, about: About) -> None:
        self._sink, self._about = sink, about
        self._open = about.files.enter_context(ExitStack())
        self._table = self._open.enter_context(
            closing(Table(self._open.enter_context(sink.file(TABLE)), COLUMNS))
        )
        self._counts = dict(NOTHING)
        self._answers = 0
        self._licenses: set[str] = set()
        self._places: set[tuple[str, str]] = set()  # split and suffix of pictures

    def write(self, row: ExportRow, picture: Picture) -> None:
        self._sink.put(f"{row.split}/{picture.name}", picture.data)
        self._table.add(_record(row, picture.name))
        add(self._counts, row)
        self._answers += row.answers
        self._licenses.add(row.license)
        self._places.add((row.split, picture.suffix))

    def close(self) -> Counts:
        self._open.close()
        text = json.dumps(self._document(), indent=1, ensure_ascii=False) + "\n"
        self._sink.put(DOCUMENT, text.encode)
        return self._counts

    def _document(self) -> dict[str, Any]:
        pictures, answers = self._counts["pictures"], self._answers
        licenses = sorted(self._licenses - {""})
        return {
            "@context": CONTEXT,
            "@type": "sc:Dataset",
            "conformsTo": "http://mlcommons.org/croissant/1.1",
            "name": self._about.manifest["project"],
            "description": f"{pictures:,} pictures of the project {self._about.project}, with "
            f"{self._counts['captions']:,} captions and {answers:,} answers of people.",
            "version": self._about.snapshot[:12],
            "sc:identifier": self._about.snapshot,
            **({"license": licenses} if licenses else {}),
            **RESPONSIBLE_AI,
            ANALYSIS: " ".join([RESPONSIBLE_AI[ANALYSIS], *self._about.accuracy]),
            "rai:annotationsPerItem": f"{answers / max(1, pictures):.2f} on average",
            "distribution": [self._table_file(), self._picture_files()],
            "recordSet": [_record_set()],
        }

    def _table_file(self) -> dict[str, Any]:
        return {
            "@type": "cr:FileObject",
            "@id": TABLE,
            "name": TABLE,
            "contentUrl": TABLE,
            "encodingFormat": "application/x-parquet",
            "sha256": self._sink.sha256(TABLE),
        }

    def _picture_files(self) -> dict[str, Any]:
        types = sorted({_MEDIA_TYPES[suffix] for _, suffix in self._places})
        return {
            "@type": "cr:FileSet",
            "@id": "pictures",
            "name": "pictures",
            "encodingFormat": types if len(types) > 1 else types[0],
            "includes": [f"{split}/*{suffix}" for split, suffix in sorted(self._places)],
        }


def _record(row: ExportRow, name: str) -> dict[str, Any]:
    return {
        "file_name": name,
        "split": row.split,
        "text": row.text,
        "confidence": row.confidence,
        "tags": list(row.tags),
        "captions": [each.text for each in row.captions],
        "caption_confidences": [each.confidence for each in row.captions],
        "caption_sources": [each.source for each in row.captions],
        "concepts": [each.name for each in row.concepts],
        "probabilities": [each.probability for each in row.concepts],
        "answers": [each.answers for each in row.concepts],
        "in_part": list(row.in_part),
        "caption_provenance": [each.provenance for each in row.captions],
        "boxes": [each.label for each in row.boxes],
        "box_left": [each.left for each in row.boxes],
        "box_top": [each.top for each in row.boxes],
        "box_width": [each.width for each in row.boxes],
        "box_height": [each.height for each in row.boxes],
        "box_probabilities": [each.probability for each in row.boxes],
        "box_answers": [each.answers for each in row.boxes],
        "box_provenance": [each.provenance for each in row.boxes],
        **{f"provenance_{name}": [each[name] for each in row.provenance] for name in PROVENANCE},
        "n_answers": row.answers,
        "license": row.license,
        "source": row.source,
        "generated": row.generated,
        "prompt": row.prompt,
        "pair": row.pair,
        "width": row.width,
        "height": row.height,
    }


def _record_set() -> dict[str, Any]:
    picture = {"fileSet": {"@id": "pictures"}, "extract": {"fileProperty": "content"}}
    by_name = {"fileSet": {"@id": "pictures"}, "extract": {"fileProperty": "filename"}}
    fields = [_field(name, kind) for name, kind in COLUMNS.items()]
    fields[0]["references"] = by_name
    image = {"@type": "cr:Field", "@id": "images/image", "name": "images/image"}
    return {
        "@type": "cr:RecordSet",
        "@id": "images",
        "name": "images",
        "key": {"@id": "images/file_name"},
        "field": [*fields, {**image, "dataType": "sc:ImageObject", "source": picture}],
    }


def _field(name: str, kind: Any) -> dict[str, Any]:
    repeated = isinstance(kind, list)
    return {
        "@type": "cr:Field",
        "@id": f"images/{name}",
        "name": f"images/{name}",
        "dataType": _DATA_TYPES[kind[0] if repeated else kind],
        "source": {"fileObject": {"@id": TABLE}, "extract": {"column": name}},
        **({"repeated": True} if repeated else {}),
    }


def count(stored: Stored) -> Counts:
    """Count the rows whose file is there."""
    files = set(stored.names())
    counts = dict(NOTHING)
    with stored.open(TABLE) as file:
        columns = ["file_name", "split", "captions", "tags", "concepts", "boxes"]
        for batch in pq.ParquetFile(file).iter_batches(columns=columns):
            held = batch.to_pydict()
            places = zip(held["split"], held["file_name"], strict=True)
            counts["pictures"] += sum(f"{split}/{name}" in files for split, name in places)
            for kind, column in (
                ("captions", "captions"),
                ("tags", "tags"),
                ("labels", "concepts"),
                ("boxes", "boxes"),
            ):
                counts[kind] += sum(map(len, held[column]))
    return counts


FORMAT = Format(
    name="croissant",
    title="Croissant 1.1",
    read_by="mlcroissant, TensorFlow Datasets, dataset search engines",
    holds="everything, with how and by whom it was labelled",
    options=GENERAL,
    writer=Croissant,
    count=count,
    suffixes=(".jpg", ".png"),
)
