"""Back into the folder that the pictures came from: `IMG_0003.txt` beside `IMG_0003.jpg`.

Files have the names and folders that the pictures were imported from. The pictures themselves are
not written unless that is chosen.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

from labeling.captions import has_controls
from labeling.exports import accuracy
from labeling.exports.options import GENERAL
from labeling.exports.pictures import Picture
from labeling.exports.rows import ExportRow
from labeling.exports.sinks import MANIFEST, Sink
from labeling.exports.stored import Stored
from labeling.exports.tables import record
from labeling.exports.writer import About, Counts, Format
from labeling.images import SOURCE_LENGTH

NAME_MAX = 240  # bytes of a name, which gets a suffix; file systems have 255
Keys = set[bytes]  # the beginnings of paths' hashes: a million take 60 MB


class Folder:
    def __init__(self, sink: Sink, about: About) -> None:
        self._sink, self._about = sink, about
        self._several, named, self._twice, self._folders = _shared(about.rows())
        self._whole = self._several | named
        self._counts = Counter[str](pictures=0, texts=0)

    def write(self, row: ExportRow, picture: Picture) -> None:
        if reason := self._homeless(row):
            self._about.left_out[f"pictures: {reason}"] += 1
            return
        text, suffix = self._text(row)
        # Two pictures of one stem: each text has the whole name of its own before its suffix. So
        # has that of "x.jpg.png", or it would lie where that of "x.jpg" may.
        whole = _stem_key(row.source) in self._whole
        place = (row.source if whole else _stem(row.source)) + suffix
        if text and _key(place) in self._folders:
            self._about.left_out["pictures: a folder is called as their text would be"] += 1
            return
        if self._about.options.copy_pictures:
            own = f"{_stem(row.source)}{picture.suffix}"
            if _key(own) in self._folders:
                self._about.left_out["pictures: a folder is called as they would be"] += 1
                return
            self._sink.put(own, picture.data)
            self._counts["pictures"] += 1
        if text:
            self._sink.put(place, text.encode)
            self._counts["texts"] += 1

    def close(self) -> Counts:
        name = f"{accuracy.BESIDE}{self._about.snapshot[:8]}.csv"
        accuracy.write(self._sink, self._about.manifest, name)
        return dict(self._counts)

    def _homeless(self, row: ExportRow) -> str:
        """Return why a picture has no place to go back to; empty: it has one."""
        path = PurePosixPath(row.source)
        if row.generated:
            return "a model drew them: they came from no folder"
        if path.is_absolute() or ".." in path.parts or not path.suffix:
            return "they came from no path within a folder"
        if len(row.source) >= SOURCE_LENGTH or has_controls(row.source):
            return "their path is too long, or of letters that no file should be called by"
        if any(len(part.encode()) > NAME_MAX for part in path.parts):
            return "their path is too long, or of letters that no file should be called by"
        if _key(row.source) in self._twice:
            return "several came from one path"
        if self._about.options.copy_pictures and _stem_key(row.source) in self._several:
            return "several would have one name"
        return ""

    def _text(self, row: ExportRow) -> tuple[str, str]:
        """Return what lies beside a picture, and its suffix; what has no place is counted."""
        sidecar = self._about.options.sidecar
        if sidecar == "json":
            columns = record(row, self._about.snapshot)
            metadata = {"file_name": PurePosixPath(row.source).name, **columns}
            return json.dumps(metadata, ensure_ascii=False, indent=1) + "\n", ".json"
        if sidecar == "tags":
            self._about.left_out["captions: only tags were chosen"] += len(row.captions)
            self._about.left_out["boxes: only tags were chosen"] += len(row.boxes)
            tags = ", ".join(tag.replace(",", " ") for tag in row.tags)
            return tags + "\n" if tags else "", ".txt"
        self._about.left_out["tags: only captions were chosen"] += len(row.tags)
        self._about.left_out["boxes: only captions were chosen"] += len(row.boxes)
        return "".join(f"{each.text}\n" for each in row.captions), ".txt"


def _shared(rows: Iterable[ExportRow]) -> tuple[Keys, Keys, Keys, Keys]:
    """Return shared stems, stems that are paths themselves, shared paths, and folders.

    All are of pictures that have a place to go back to.
    """
    stems: Keys = set()
    whole: Keys = set()
    paths: Keys = set()
    several: Keys = set()
    twice: Keys = set()
    folders: Keys = set()
    for row in rows:
        if row.generated:
            continue
        whole.add(_key(row.source.casefold()))
        folders.update(_key(str(folder)) for folder in PurePosixPath(row.source).parents)
        for key, seen, more in (
            (_stem_key(row.source), stems, several),
            (_key(row.source), paths, twice),
        ):
            (more if key in seen else seen).add(key)
    return several, stems & whole, twice, folders


def _stem(path: str) -> str:
    return PurePosixPath(path).with_suffix("").as_posix()


def _key(path: str) -> bytes:
    """Return what stands for a path."""
    return hashlib.blake2b(path.encode(), digest_size=8).digest()


def _stem_key(path: str) -> bytes:
    """Return what paths share whose stems are one on a disk that takes no notice of case."""
    return _key(_stem(path).casefold())


def count(stored: Stored) -> Counts:
    """Count the texts and pictures."""
    counts = Counter[str](pictures=0, texts=0)
    for name in stored.names():
        if name != MANIFEST and not name.startswith(accuracy.BESIDE):
            counts["texts" if name.endswith((".txt", ".json")) else "pictures"] += 1
    return dict(counts)


FORMAT = Format(
    name="folder",
    title="Back into its folder",
    read_by="whatever read the folder before: most trainers and tools read a text beside a picture",
    holds="captions or tags as .txt, or everything as .json, under the pictures' own names",
    options=(*GENERAL, "sidecar", "copy_pictures", "overwrite"),
    writer=Folder,
    count=count,
    into_folder=True,
)
