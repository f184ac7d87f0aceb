"""Labels as CSV: a row for each picture and concept, and for each caption, tag and box."""

from contextlib import ExitStack
from typing import Any

from labeling.exports import accuracy, csv_files
from labeling.exports.csv_files import Csv
from labeling.exports.options import GENERAL
from labeling.exports.pictures import Picture
from labeling.exports.rows import ExportRow
from labeling.exports.sinks import Sink
from labeling.exports.stored import Stored
from labeling.exports.writer import About, Counts, Format

_PICTURE = "file_name", "source", "split"
_ORIGIN = "import", "vendor", "batch", "license", "url", "date"
_PLACE = "left", "top", "width", "height"  # of a box, in pixels of the picture as it is exported
FILES = {
    "pictures.csv": (
        *_PICTURE,
        "width",
        "height",
        "n_answers",
        "generated",
        "prompt",
        "pair",
        *_ORIGIN,
    ),
    "labels.csv": (*_PICTURE, "concept", "probability", "label", "entropy", "answers", "in_part"),
    "captions.csv": (*_PICTURE, "caption", "confidence", "written_by", *_ORIGIN),
    "tags.csv": (*_PICTURE, "tag"),
    "boxes.csv": (*_PICTURE, *_PLACE, "label", "probability", "answers", *_ORIGIN),
}
_KINDS = "pictures", "labels", "captions", "tags", "boxes"
_NO_PICTURES = tuple(each for each in GENERAL if each not in ("size", "image_format"))


class Labels:
    def __init__(self, sink: Sink, about: About) -> None:
        self._least, self._sink = about.options.confidence, sink
        self._manifest = about.manifest
        self._open = about.files.enter_context(ExitStack())
        self._tables = {
            name: Csv(self._open.enter_context(sink.file(name)), columns)
            for name, columns in FILES.items()
        }
        self._counts = dict.fromkeys(_KINDS, 0)

    def write(self, row: ExportRow, picture: Picture) -> None:
        shared = {"file_name": picture.name, "source": row.source, "split": row.split}
        figures = {
            "width": row.width,
            "height": row.height,
            "n_answers": row.answers,
            "generated": "yes" if row.generated else "no",
            "prompt": row.prompt,
            "pair": row.pair,
            **_origin(row, 0),
            "license": row.license,
        }
        self._add("pictures", shared | figures)
        for concept in row.concepts:
            self._add("labels", shared | _label(row, concept.name, self._least))
        for each in row.captions:
            caption = {
                "caption": each.text,
                "confidence": each.confidence,
                "written_by": each.source,
            }
            self._add("captions", shared | caption | _origin(row, each.provenance))
        for tag in row.tags:
            self._add("tags", shared | {"tag": tag})
        for box in row.boxes:
            self._add("boxes", shared | vars(box) | _origin(row, box.provenance))

    def close(self) -> Counts:
        self._open.close()
        accuracy.write(self._sink, self._manifest)
        return self._counts

    def _add(self, kind: str, cells: dict[str, Any]) -> None:
        self._tables[f"{kind}.csv"].add(cells)
        self._counts[kind] += 1


def _origin(row: ExportRow, place: int) -> dict[str, Any]:
    """Return where a text of that place comes from; of one that was written here, nothing."""
    origin = row.provenance[place] if 0 <= place < len(row.provenance) else {}
    return {name: origin.get(name, "") for name in _ORIGIN}


def _label(row: ExportRow, name: str, least: float) -> dict[str, Any]:
    concept = next(each for each in row.concepts if each.name == name)
    probability, word = concept.probability, "uncertain"
    if probability >= least:
        word = "yes"
    elif probability <= 1 - least:
        word = "no"
    return {
        "concept": name,
        "probability": probability,
        "label": word,
        "entropy": concept.entropy,
        "answers": concept.answers,
        "in_part": "yes" if name in row.in_part else "no",
    }


def count(stored: Stored) -> Counts:
    """Count the rows of each table."""
    counts = {}
    for name in FILES:
        with stored.open(name) as file:
            counts[name.removesuffix(".csv")] = sum(1 for _ in csv_files.read(file))
    return {kind: counts[kind] for kind in _KINDS}


FORMAT = Format(
    name="labels",
    title="Labels as CSV",
    read_by="spreadsheets, pandas, R",
    holds="every label, caption, tag and box with its probability; no pictures",
    options=_NO_PICTURES,
    writer=Labels,
    count=count,
)
