"""The layout of kohya's sd-scripts, which most LoRA trainers read.

`NAME.webp` beside `NAME.txt`, a `dataset.toml` that names the training folders, and for fine-tuning
one JSON a folder with a `fine_tune.toml`. The text is the caption followed by the tags: the caption
stays in front as it is, the tags are shuffled by the trainer. An empty text would stop it, so a
picture of which nothing is known has none.

The rules are those of kohya-ss/sd-scripts: library/train_util.py at 6edbe00 and
library/config_util.py at 063ef10; the tests write them out.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from labeling.exports.errors import ExportError
from labeling.exports.options import GENERAL
from labeling.exports.pictures import Picture
from labeling.exports.rows import ExportRow
from labeling.exports.sinks import Sink
from labeling.exports.stored import Stored
from labeling.exports.writer import About, Counts, Format

RESOLUTION_MAX = 1024  # pixels
STEPS, FINE_STEPS = 64, 8  # of buckets; the finer one for pictures below 64 pixels
AFTER_CAPTION = ("|||", "@@@", "~~~", "%%%")  # the first that is in no text
WITHIN_TAG = (";;;", "<c>", "^^^", "```")  # stands for a comma within a tag

SETTINGS = """\
# Run the trainer from this folder, with --dataset_config={file}
{notes}[general]
enable_bucket = true
bucket_no_upscale = true
bucket_reso_steps = {steps}
min_bucket_reso = {least}
max_bucket_reso = {most}
{caption_settings}
[[datasets]]
resolution = {resolution}
batch_size = 1
"""
CAPTIONS = """\
caption_extension = ".txt"
shuffle_caption = true
keep_tokens_separator = "{after_caption}"
"""


@dataclass
class Folder:
    """A folder of pictures that are seen equally often."""

    repeats: int
    described: Any = None  # an open JSON file
    count: int = 0


@dataclass
class Texts:
    """How captions and tags become one text, by what all of them hold."""

    after_caption: str
    within_tag: str
    lines: bool  # a caption a line, one of which is drawn

    def of(self, row: ExportRow) -> str:
        """Return the text of a picture; empty where nothing is known of it."""
        tags = ", ".join(self.tag(each) for each in row.tags)
        captions = [_one_line(each.text) for each in row.captions] or [""]
        return "\n".join(filter(None, (self._line(caption, tags) for caption in captions)))

    def tag(self, tag: str) -> str:
        tag = _one_line(tag)
        return self._plain(self.within_tag.join(part.strip() for part in tag.split(",")))

    def _line(self, caption: str, tags: str) -> str:
        """Return a caption and the tags; the caption is marked off where it might be shuffled."""
        caption = self._plain(caption)
        if caption and (tags or "," in caption):
            return f"{caption} {self.after_caption} {tags}".rstrip()
        return caption or tags

    def _plain(self, text: str) -> str:
        return text.replace("{", "{{").replace("}", "}}") if self.lines else text


@dataclass
class Survey:
    """What must be known of all rows before the first is written."""

    longest: int = 0  # pixels
    shortest: int = STEPS
    symbols: set[str] = field(default_factory=set)  # those that some text holds
    commas_in_tags: bool = False


class Kohya:
    def __init__(self, sink: Sink, about: About) -> None:
        self._sink, self._about = sink, about
        self._survey = _survey(about.rows())
        self._texts = Texts(
            after_caption=_free(AFTER_CAPTION, self._survey.symbols),
            within_tag=_free(WITHIN_TAG, self._survey.symbols),
            lines=about.options.captions == "all",
        )
        self._folders: dict[str, Folder] = {}
        self._open = about.files.enter_context(ExitStack())
        self._counts = Counter[str](pictures=0, texts=0)

    def write(self, row: ExportRow, picture: Picture) -> None:
        text = self._texts.of(row)
        self._about.left_out["boxes: kohya's layout has no place for them"] += len(row.boxes)
        if min(row.width, row.height) < FINE_STEPS:
            self._about.left_out[f"pictures: a side below {FINE_STEPS} pixels"] += 1
            return
        if not text and self._about.options.without_text == "leave_out":
            self._about.left_out["pictures: without a text"] += 1
            return
        repeats = _repeats(row, self._about.options.repeats)
        name = row.split
        if row.split == "train" and self._about.options.repeats > 1:
            name = f"{row.split}/{repeats}"
        self._sink.put(f"{name}/{picture.name}", picture.data)
        self._counts["pictures"] += 1
        if text:
            self._sink.put(f"{name}/{picture.stem}.txt", text.encode)
            self._counts["texts"] += 1
        if row.split == "train":
            self._describe(name, repeats, picture, row if text else None)

    def close(self) -> Counts:
        for folder in self._folders.values():
            folder.described.write(b"\n}\n")
        self._open.close()
        for file, subset in (("dataset.toml", _of_pictures), ("fine_tune.toml", _of_json)):
            subsets = "".join(subset(*each) for each in sorted(self._folders.items()))
            if subsets:  # without any, the trainer has nothing to learn from
                self._sink.put(file, (self._settings(file) + subsets).encode)
        return dict(self._counts)

    def _describe(self, name: str, repeats: int, picture: Picture, row: ExportRow | None) -> None:
        """Add a picture to its folder's JSON, which names those alone that have a text."""
        if name not in self._folders:
            file = self._open.enter_context(self._sink.file(_json_name(name)))
            file.write(b"{")
            self._folders[name] = Folder(repeats, file)
        folder = self._folders[name]
        if row is None:
            return
        caption = _one_line(row.text)
        texts = {"caption": caption} if caption else {}
        tags = {"tags": ", ".join(map(_one_line, row.tags))} if row.tags else {}
        described = json.dumps(texts | tags, ensure_ascii=False)
        entry = f"{json.dumps(f'{name}/{picture.name}')}: {described}"
        folder.described.write(f"{',' if folder.count else ''}\n{entry}".encode())
        folder.count += 1

    def _settings(self, file: str) -> str:
        steps = STEPS if self._survey.shortest >= STEPS else FINE_STEPS
        longest = max(self._survey.longest, steps)
        resolution = min(RESOLUTION_MAX, math.ceil(longest / steps) * steps)
        captions = CAPTIONS.format(after_caption=self._texts.after_caption)
        if self._survey.commas_in_tags:
            captions += f'secondary_separator = "{self._texts.within_tag}"\n'
        if self._texts.lines:
            captions += "enable_wildcard = true\n"
        return SETTINGS.format(
            file=file,
            notes="".join(f"# {each}\n" for each in self._about.accuracy),
            steps=steps,
            least=min(256, resolution),
            most=max(RESOLUTION_MAX, resolution),
            resolution=resolution,
            caption_settings=captions if file == "dataset.toml" else "",
        )


def _survey(rows: Iterable[ExportRow]) -> Survey:
    survey = Survey()
    for row in rows:
        if min(row.width, row.height) < FINE_STEPS:
            continue
        survey.longest = max(survey.longest, row.width, row.height)
        survey.shortest = min(survey.shortest, row.width, row.height)
        survey.commas_in_tags |= any("," in tag for tag in row.tags)
        text = "\n".join((*(each.text for each in row.captions), *row.tags))
        survey.symbols |= {each for each in (*AFTER_CAPTION, *WITHIN_TAG) if each in text}
    return survey


def _free(symbols: tuple[str, ...], used: set[str]) -> str:
    """Return the first symbol that no text holds. Raises ExportError where all are in use."""
    for symbol in symbols:
        if symbol not in used:
            return symbol
    raise ExportError(f"Texts hold all of {' '.join(symbols)}: none is left to mark captions off.")


def _repeats(row: ExportRow, most: int) -> int:
    """Return how often a picture is seen: as often as its caption is certain, at least once."""
    return max(1, math.ceil(most * row.confidence))


def _one_line(text: str) -> str:
    return " ".join(text.split("\n")).replace("\r", " ").strip()


def _json_name(folder: str) -> str:
    return folder.replace("/", "-") + ".json"


def _of_pictures(name: str, folder: Folder) -> str:
    return f'\n  [[datasets.subsets]]\n  image_dir = "{name}"\n  num_repeats = {folder.repeats}\n'


def _of_json(name: str, folder: Folder) -> str:
    if not folder.count:
        return ""
    return (
        f'\n  [[datasets.subsets]]\n  image_dir = "{name}"\n  metadata_file = "{_json_name(name)}"'
        f"\n  num_repeats = {folder.repeats}\n"
    )


def count(stored: Stored) -> Counts:
    """Count the pictures, and the texts that lie beside one."""
    pictures = texts = 0
    for name in stored.names():
        if "/" in name:
            is_text = name.endswith(".txt")
            pictures += not is_text
            texts += is_text
    return {"pictures": pictures, "texts": texts}


FORMAT = Format(
    name="kohya",
    title="kohya (sd-scripts)",
    read_by="kohya's sd-scripts, OneTrainer, ai-toolkit, SimpleTuner",
    holds="a caption and tags beside each picture, dataset.toml, JSON for fine-tuning",
    options=(*GENERAL, "repeats", "without_text"),
    writer=Kohya,
    count=count,
)
