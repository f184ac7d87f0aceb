"""COCO captions: `annotations/captions_train.json` beside the pictures, for `pycocotools`."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO, Any

from labeling.exports.options import GENERAL
from labeling.exports.pictures import Picture
from labeling.exports.rows import ExportRow
from labeling.exports.sinks import CHUNK, HashedFile, Sink
from labeling.exports.stored import Stored
from labeling.exports.writer import About, Counts, Format

IN_MEMORY = 8 << 20  # bytes


class Split:
    """The JSON of one split: images as they come, annotations after them."""

    def __init__(self, file: HashedFile, notes: IO[bytes], about: About) -> None:
        self._file, self._notes = file, notes
        self._licenses: dict[str, int] = {}
        self.images = self.captions = 0
        info = {"description": about.project, "version": about.snapshot}
        self._file.write(b'{"info": ' + _json(info) + b', "images": [')

    def write(self, row: ExportRow, name: str) -> None:
        self.images += 1
        image = {
            "id": self.images,
            "file_name": name,
            "width": row.width,
            "height": row.height,
            "source": row.source,
        }
        if row.license:
            image["license"] = self._licenses.setdefault(row.license, len(self._licenses) + 1)
        self._file.write(_listed(self.images, image))
        for caption in row.captions:
            self.captions += 1
            annotation = {
                "id": self.captions,
                "image_id": self.images,
                "caption": caption.text,
                "confidence": caption.confidence,
                "source": caption.source,
            }
            self._notes.write(_listed(self.captions, annotation))

    def close(self) -> None:
        licenses = [{"id": pk, "name": name} for name, pk in self._licenses.items()]
        self._file.write(b'],\n"licenses": ' + _json(licenses) + b',\n"annotations": [')
        self._notes.seek(0)
        shutil.copyfileobj(self._notes, self._file, CHUNK)
        self._file.write(b"]}\n")


class Coco:
    def __init__(self, sink: Sink, about: About) -> None:
        self._sink, self._about = sink, about
        self._open = about.files.enter_context(ExitStack())
        self._splits: dict[str, Split] = {}

    def write(self, row: ExportRow, picture: Picture) -> None:
        if row.split not in self._splits:
            name = f"annotations/captions_{row.split}.json"
            file = self._open.enter_context(self._sink.file(name))
            notes = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  (closed by `close`)
            self._open.enter_context(notes)
            self._splits[row.split] = Split(file, notes, self._about)
        self._sink.put(f"{row.split}/{picture.name}", picture.data)
        self._splits[row.split].write(row, picture.name)
        if row.tags:
            self._about.left_out["tags: COCO's captions have no place for them"] += len(row.tags)

    def close(self) -> Counts:
        for split in self._splits.values():
            split.close()
        self._open.close()
        return {
            "pictures": sum(each.images for each in self._splits.values()),
            "captions": sum(each.captions for each in self._splits.values()),
        }


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _listed(number: int, value: Any) -> bytes:
    """Return the entry of a list with that number, from 1."""
    return (b",\n" if number > 1 else b"\n") + _json(value)


def count(stored: Stored) -> Counts:
    """Count the images whose file is there, and the captions."""
    names = list(stored.names())
    files, pictures, captions = set(names), 0, 0
    for name in names:
        if name.startswith("annotations/"):
            split = name.removeprefix("annotations/captions_").removesuffix(".json")
            with stored.open(name) as file:
                for entry in _entries(file):
                    pictures += f"{split}/{entry.get('file_name')}" in files
                    captions += "caption" in entry
    return {"pictures": pictures, "captions": captions}


def _entries(file: IO[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the images and annotations, which have a line each: none of them is held."""
    decoder = json.JSONDecoder()
    for line in file:
        if line.startswith(b'{"id": '):
            yield decoder.raw_decode(line.decode())[0]


FORMAT = Format(
    name="coco",
    title="COCO captions",
    read_by="pycocotools, FiftyOne, Detectron2",
    holds="captions with their confidence, licences; no tags and no concepts",
    options=GENERAL,
    writer=Coco,
    count=count,
)
