"""Rows of a snapshot → typed rows of an export, after its options; what is left out is counted."""

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labeling import snapshot_folder
from labeling.exports import origins
from labeling.exports.options import Options
from labeling.models.projects import name_key
from labeling.snapshot_folder import SPLITS, Row

DIGITS = 4  # of an entropy, and of what is measured in pixels


@dataclass(frozen=True)
class Caption:
    text: str
    confidence: float  # the probability that it is well described so
    source: str  # "import", "annotator" or "model"
    provenance: int = -1  # its place in the row's `provenance`; -1: it was written here


@dataclass(frozen=True)
class ConceptLabel:
    """What is believed of one concept in one picture."""

    name: str
    probability: float
    answers: int

    @property
    def entropy(self) -> float:
        """How uncertain it is, in bits: 0 to 1."""
        p = min(max(self.probability, 0.0), 1.0)
        if p in (0.0, 1.0):
            return 0.0
        return round(-p * math.log2(p) - (1 - p) * math.log2(1 - p), DIGITS)


@dataclass(frozen=True)
class Box:
    """A rectangle of the exported picture, in its pixels, and what it shows."""

    left: float
    top: float
    width: float
    height: float
    label: str
    probability: float
    answers: int
    provenance: int = -1  # its place in the row's `provenance`; -1: only people here speak of it

    @property
    def bbox(self) -> list[float]:
        """Its left and top sides, width and height, as COCO orders them."""
        return [self.left, self.top, self.width, self.height]

    @property
    def area(self) -> float:
        """In square pixels."""
        return round(self.width * self.height, DIGITS)


@dataclass(frozen=True)
class ExportRow:
    """What an export says of one picture."""

    split: str
    file_name: str  # in the snapshot
    captions: tuple[Caption, ...]  # the best first
    tags: tuple[str, ...]
    concepts: tuple[ConceptLabel, ...]
    in_part: tuple[str, ...]
    boxes: tuple[Box, ...]
    answers: int
    license: str
    source: str  # the path that it was imported from
    provenance: tuple[Mapping[str, Any], ...]  # where it and its texts come from, the picture first
    generated: bool
    prompt: str
    pair: float  # the probability that its two halves belong together; 0: it shows no halves
    width: int  # of the exported picture, in pixels
    height: int
    stored_size: tuple[int, int]  # of the snapshot's picture

    @property
    def stem(self) -> str:
        """The name of its file without a suffix: no two pictures share one."""
        return Path(self.file_name).stem

    @property
    def text(self) -> str:
        """The best caption; empty without one."""
        return self.captions[0].text if self.captions else ""

    @property
    def confidence(self) -> float:
        """The probability of the best caption; 0 without one."""
        return self.captions[0].confidence if self.captions else 0.0


def read(
    folder: Path, options: Options, left_out: Counter[str], removed: Collection[str] = ()
) -> Iterator[ExportRow]:
    """Yield the rows of a snapshot that the options choose, in the order of its file names.

    What they leave out is added to `left_out`, by the reason, as are pictures that were removed
    since: `removed` are the names of their files.
    """
    for split in SPLITS:
        for row in snapshot_folder.read_rows(folder, split):
            if reason := _unwanted(row, split, options, removed):
                left_out[f"pictures: {reason}"] += 1
                left_out["captions: of pictures left out"] += len(row["captions"])
                left_out["tags: of pictures left out"] += len(row["tags"])
                left_out["boxes: of pictures left out"] += len(row["boxes"])
            else:
                yield _row(row, split, options, left_out)


def _unwanted(row: Row, split: str, options: Options, removed: Collection[str]) -> str:
    """Return why a whole picture is left out; empty: it is not."""
    if row["file_name"] in removed:
        return "removed from the project since"
    if options.split not in ("all", split):
        return f"of {split}"
    if options.pictures == "real" and row["generated"]:
        return "generated"
    if options.pictures == "generated" and not row["generated"]:
        return "not generated"
    return "" if origins.chooses_picture(row, options) else "from elsewhere, or of another licence"


def _row(row: Row, split: str, options: Options, left_out: Counter[str]) -> ExportRow:
    width, height = scaled(row["width"], row["height"], options.size)
    concepts = _concepts(row["concepts"], options, left_out)
    return ExportRow(
        split=split,
        file_name=row["file_name"],
        captions=_captions(row, options, left_out),
        tags=_tags(row, options, left_out),
        concepts=concepts,
        in_part=tuple(name for name in row["in_part"] if chosen(name, options)),
        boxes=_boxes(row, (width, height), options, left_out),
        answers=row["n_answers"],
        license=row["license"],
        source=row["source"],
        provenance=tuple(row["provenance"]),
        generated=row["generated"],
        prompt=row["prompt"],
        pair=row.get("pair", 0.0),
        width=width,
        height=height,
        stored_size=(row["width"], row["height"]),
    )


def scaled(width: int, height: int, size: int) -> tuple[int, int]:
    """Return the sides of a picture whose longer side is at most `size`; 0: as they are."""
    longer = max(width, height)
    if not size or longer <= size:
        return width, height
    return max(1, round(width * size / longer)), max(1, round(height * size / longer))


def _captions(row: Row, options: Options, left_out: Counter[str]) -> tuple[Caption, ...]:
    kept: list[Caption] = []
    for each in row["captions"]:
        place = each["provenance"]
        caption = Caption(each["text"], each["confidence"], each["source"], place)
        if not origins.chooses(row, place, options):
            left_out["captions: from elsewhere, or of another licence"] += 1
        elif options.captions == "none":
            left_out["captions: none chosen"] += 1
        elif options.caption_source not in ("any", caption.source):
            left_out["captions: of another source"] += 1
        elif caption.confidence < options.confidence:
            left_out["captions: below the least confidence"] += 1
        elif options.captions == "best" and kept:
            left_out["captions: not the best"] += 1
        else:
            kept.append(caption)
    return tuple(kept)


def _tags(row: Row, options: Options, left_out: Counter[str]) -> tuple[str, ...]:
    """Return the tags whose concept is chosen and probable enough; a mere keyword is none."""
    probability = {name_key(each["name"]): each["probability"] for each in row["concepts"]}
    kept = []
    for tag in row["tags"]:
        key = name_key(tag)
        if key in probability and not chosen(tag, options):
            left_out["tags: concepts that are not chosen"] += 1
        elif probability.get(key, 1.0) < options.confidence:
            left_out["tags: below the least confidence"] += 1
        else:
            kept.append(tag)
    return tuple(kept)


def _concepts(
    concepts: Sequence[dict[str, Any]], options: Options, left_out: Counter[str]
) -> tuple[ConceptLabel, ...]:
    kept = []
    for each in concepts:
        if not chosen(each["name"], options):
            left_out["labels: concepts that are not chosen"] += 1
            continue
        probability = each["probability"]
        if options.labels == "hard":
            if 1 - options.confidence < probability < options.confidence:
                left_out["labels: too uncertain to be hard"] += 1
                continue
            probability = float(probability >= options.confidence)
        kept.append(ConceptLabel(each["name"], probability, each["answers"]))
    return tuple(kept)


def _boxes(
    row: Row, size: tuple[int, int], options: Options, left_out: Counter[str]
) -> tuple[Box, ...]:
    """Return the boxes whose label is chosen and probable enough, on a picture of that size."""
    across, down = size[0] / row["width"], size[1] / row["height"]
    kept = []
    for each in row["boxes"]:
        if not chosen(each["label"], options):
            left_out["boxes: concepts that are not chosen"] += 1
        elif not origins.chooses(row, each["provenance"], options):
            left_out["boxes: from elsewhere, or of another licence"] += 1
        elif each["probability"] < options.confidence:
            left_out["boxes: below the least confidence"] += 1
        else:
            kept.append(
                Box(
                    left=round(each["left"] * across, DIGITS),
                    top=round(each["top"] * down, DIGITS),
                    width=round(each["width"] * across, DIGITS),
                    height=round(each["height"] * down, DIGITS),
                    label=each["label"],
                    probability=1.0 if options.labels == "hard" else each["probability"],
                    answers=each["answers"],
                    provenance=each["provenance"],
                )
            )
    return tuple(kept)


def chosen(name: str, options: Options) -> bool:
    """Whether the options choose a concept of that name."""
    return not options.concepts or name_key(name) in map(name_key, options.concepts)
