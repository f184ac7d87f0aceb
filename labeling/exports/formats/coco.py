"""COCO: `annotations/captions_train.json`, and `instances_train.json` of boxes, for `pycocotools`.

Both list the same pictures under the same ids, as the files of COCO itself do. Categories have the
same ids in all splits; those of concepts do not change with what is in the rows.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO, Any

from labeling.exports.options import GENERAL
from labeling.exports.pictures import Picture
from labeling.exports.rows import Box, Caption, ExportRow, chosen
from labeling.exports.sinks import CHUNK, HashedFile, Sink
from labeling.exports.stored import Stored
from labeling.exports.writer import About, Counts, Format

FOLDER, CAPTIONS, INSTANCES = "annotations", "captions", "instances"
IN_MEMORY = 8 << 20  # bytes


class Document:
    """A JSON document of one split: images as they come, annotations after them."""

    def __init__(self, file: HashedFile, notes: IO[bytes], about: About) -> None:
        self._file, self._notes = file, notes
        self.images = self.annotations = 0
        info: dict[str, Any] = {"description": about.project, "version": about.snapshot}
        info["label_accuracy"] = " ".join(about.accuracy)
        self._file.write(b'{"info": ' + _json(info) + b', "images": [')

    def add_image(self, image: dict[str, Any]) -> None:
        """Add an image; its id is its number."""
        self.images += 1
        self._file.write(_listed(self.images, {"id": self.images, **image}))

    def annotate(self, annotation: dict[str, Any]) -> None:
        """Say something of the image that was added last."""
        self.annotations += 1
        row = {"id": self.annotations, "image_id": self.images, **annotation}
        self._notes.write(_listed(self.annotations, row))

    def close(self, **lists: list[dict[str, Any]]) -> None:
        """Write those lists, then the annotations."""
        self._file.write(b"]")
        for name, listed in lists.items():
            self._file.write(b',\n"' + name.encode() + b'": ' + _json(listed))
        self._file.write(b',\n"annotations": [')
        self._notes.seek(0)
        shutil.copyfileobj(self._notes, self._file, CHUNK)
        self._file.write(b"]}\n")


class Coco:
    """Writes `captions_SPLIT.json`; where the snapshot has boxes, `instances_SPLIT.json` too."""

    def __init__(self, sink: Sink, about: About) -> None:
        self._sink, self._about = sink, about
        self._open = about.files.enter_context(ExitStack())
        self._kinds = [CAPTIONS, *([INSTANCES] if about.manifest["counts"]["boxes"] else [])]
        self._documents: dict[tuple[str, str], Document] = {}  # by kind and split
        self._licenses: dict[str, int] = {}
        concepts = (name for name in about.manifest["concepts"] if chosen(name, about.options))
        self._categories = {name: pk for pk, name in enumerate(concepts, start=1)}

    def write(self, row: ExportRow, picture: Picture) -> None:
        if (CAPTIONS, row.split) not in self._documents:
            self._begin(row.split)
        self._sink.put(f"{row.split}/{picture.name}", picture.data)
        image = self._image(row, picture.name)
        for kind in self._kinds:
            self._documents[kind, row.split].add_image(image)
        for caption in row.captions:
            self._documents[CAPTIONS, row.split].annotate(_caption(caption))
        for box in row.boxes:
            pk = self._categories.setdefault(box.label, len(self._categories) + 1)
            self._documents[INSTANCES, row.split].annotate(_instance(box, pk))
        if row.tags:
            self._about.left_out["tags: COCO has no place for them"] += len(row.tags)

    def close(self) -> Counts:
        licenses = [{"id": pk, "name": name} for name, pk in self._licenses.items()]
        categories = [{"id": pk, "name": name} for name, pk in self._categories.items()]
        for (kind, _), document in self._documents.items():
            own = {"categories": categories} if kind == INSTANCES else {}
            document.close(licenses=licenses, **own)
        self._open.close()
        return {
            "pictures": sum(each.images for each in self._of(CAPTIONS)),
            "captions": sum(each.annotations for each in self._of(CAPTIONS)),
            "boxes": sum(each.annotations for each in self._of(INSTANCES)),
        }

    def _of(self, kind: str) -> list[Document]:
        return [each for (known, _), each in self._documents.items() if known == kind]

    def _begin(self, split: str) -> None:
        for kind in self._kinds:
            file = self._open.enter_context(self._sink.file(f"{FOLDER}/{kind}_{split}.json"))
            notes = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  (closed by `close`)
            self._open.enter_context(notes)
            self._documents[kind, split] = Document(file, notes, self._about)

    def _image(self, row: ExportRow, name: str) -> dict[str, Any]:
        image: dict[str, Any] = {
            "file_name": name,
            "width": row.width,
            "height": row.height,
            "source": row.source,
        }
        if row.license:
            image["license"] = self._licenses.setdefault(row.license, len(self._licenses) + 1)
        origins = [{k: value for k, value in each.items() if value} for each in row.provenance]
        return image | ({"provenance": origins} if any(origins) else {})


def _caption(caption: Caption) -> dict[str, Any]:
    return {
        "caption": caption.text,
        "confidence": caption.confidence,
        "source": caption.source,
        **_place(caption.provenance),
    }


def _instance(box: Box, category: int) -> dict[str, Any]:
    return {
        "category_id": category,
        "bbox": box.bbox,
        "area": box.area,
        "iscrowd": 0,
        "segmentation": [],  # which some readers expect
        "confidence": box.probability,
        "answers": box.answers,
        **_place(box.provenance),
    }


def _place(place: int) -> dict[str, int]:
    """Return the place of where it comes from in its image's `provenance`, where it has one."""
    return {"provenance": place} if place >= 0 else {}


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _listed(number: int, value: Any) -> bytes:
    """Return the entry of a list with that number, from 1."""
    return (b",\n" if number > 1 else b"\n") + _json(value)


def count(stored: Stored) -> Counts:
    """Count the images whose file is there, the captions and the boxes."""
    names = list(stored.names())
    files, counts = set(names), {"pictures": 0, "captions": 0, "boxes": 0}
    for name in names:
        folder, _, document = name.partition("/")
        if folder == FOLDER:
            kind, _, split = document.removesuffix(".json").partition("_")
            with stored.open(name) as file:
                for entry in _entries(file):
                    is_there = f"{split}/{entry.get('file_name')}" in files
                    counts["pictures"] += kind == CAPTIONS and is_there
                    counts["captions"] += "caption" in entry
                    counts["boxes"] += "bbox" in entry
    return counts


def _entries(file: IO[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the images and annotations, which have a line each: none of them is held."""
    decoder = json.JSONDecoder()
    for line in file:
        if line.startswith(b'{"id": '):
            yield decoder.raw_decode(line.decode())[0]


FORMAT = Format(
    name="coco",
    title="COCO",
    read_by="pycocotools, FiftyOne, Detectron2",
    holds="captions and boxes with their confidence, licences; no tags and no labels",
    options=GENERAL,
    writer=Coco,
    count=count,
)
