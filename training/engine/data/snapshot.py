"""Read a snapshot folder, or a plain folder of pictures, and trust nothing in it."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.engine.data import folders, pair_folders
from training.engine.data.drawings import with_drawings
from training.engine.data.json_lines import numbered_lines
from training.engine.data.rows import Row, Snapshot
from training.engine.files import TrainingError, read_json

COLUMNS = ("file_name", "captions", "tags", "concepts")  # that each row must have
FORMAT = 3
SHA256 = re.compile("[0-9a-f]{64}")


class RowError(ValueError):
    """A line of metadata that is not a row; the message says what is wrong with it."""


def read_snapshot(folder: Path) -> Snapshot:
    """Read a snapshot, a flat folder of pictures and ``.txt`` files of the same names, or pairs.

    Raise ``TrainingError`` where it is neither, or holds no training pictures, or a row is broken.
    """
    if not (folder / "manifest.json").exists():
        if pair_folders.holds_pairs(folder):
            return pair_folders.read_pairs(folder)
        if folders.holds_pictures(folder):
            return folders.read_folder(folder)
        if folder.is_dir():
            raise TrainingError(
                f"{folder / 'manifest.json'} is missing, and no pictures lie beside it: name the "
                "folder of a snapshot, or one with pictures and their .txt files directly in it, "
                "not in folders of their own; or one of pairs, with two folders of equally named "
                "pictures or a pairs.csv."
            )
    manifest = read_json(folder / "manifest.json")
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise TrainingError(
            f"{folder} is not a snapshot of format {FORMAT}: make the snapshot again."
        )
    concepts = manifest.get("concepts", [])
    if not isinstance(concepts, list):
        raise TrainingError(f"{folder / 'manifest.json'}: concepts must be a list of names.")
    splits = {split: _read_split(folder / split) for split in ("train", "test")}
    train, test = ([row for row in rows if not row.generated] for rows in splits.values())
    if not train:
        raise TrainingError(f"The snapshot {folder} has no training pictures: import some first.")
    metadata = b"".join(
        path.read_bytes() for path in sorted(folder.glob("*/metadata.jsonl")) if path.is_file()
    )
    real = Snapshot(
        folder=folder,
        concepts=tuple(str(name) for name in concepts),
        train=tuple(train),
        test=tuple(test),
        digest=hashlib.sha256(metadata).hexdigest(),
        sha256=_sha256(manifest),
    )
    drawn = ([row for row in rows if row.generated] for rows in splits.values())
    return with_drawings(real, *drawn)


def _sha256(manifest: Mapping[str, Any]) -> str:
    """Return the manifest's own hash of the snapshot; empty where it has none."""
    value = manifest.get("sha256")
    return value if isinstance(value, str) and SHA256.fullmatch(value) else ""


def _read_split(folder: Path) -> tuple[Row, ...]:
    path = folder / "metadata.jsonl"
    if not path.is_file():
        return ()
    rows = []
    for number, line in numbered_lines(path):
        try:
            rows.append(_row(folder, _object(line)))
        except RowError as error:
            raise TrainingError(
                f"Line {number} of {path} is not a row of a snapshot, since {error}: "
                "make the snapshot again."
            ) from None
    return tuple(rows)


def _object(line: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise RowError("it is not JSON") from None
    if not isinstance(value, dict):
        raise RowError("it is no object")
    for column in COLUMNS:
        if column not in value:
            raise RowError(f"it has no {column}")
    return value


def _row(folder: Path, value: Mapping[str, Any]) -> Row:
    name = value["file_name"]
    if not isinstance(name, str) or not name or Path(name).name != name:
        raise RowError("file_name is not the name of a file")
    captions, concepts = _captions(value["captions"]), _concepts(value["concepts"])
    tags, in_part = _texts(value["tags"], "tags"), _texts(value.get("in_part", []), "in_part")
    generated = value.get("generated") is True
    prompt = str(value.get("prompt", "")).strip() if generated else ""
    shown, fitting = (
        _probability(value.get(name, 0.0)) if prompt else 0.0
        for name in ("shows_prompt", "fits_prompt")
    )
    return Row(
        path=folder / name,
        captions=captions,
        tags=tags,
        concepts={name: p for name, p in concepts.items() if name not in in_part},
        generated=generated,
        prompt=prompt,
        shows_prompt=shown or None,  # 0: nobody judged it
        fits_prompt=fitting or None,
        pair=_probability(value.get("pair", 0.0)),
        source=str(value.get("source", "")),
    )


def _captions(value: Any) -> tuple[tuple[str, float], ...]:
    try:
        pairs = [(caption["text"], _probability(caption["confidence"])) for caption in value]
    except (TypeError, KeyError):
        raise RowError("captions is not a list of objects with text and confidence") from None
    texts = _texts([text for text, _ in pairs], "the text of captions", empty=True)
    return tuple((text, p) for text, (_, p) in zip(texts, pairs, strict=True) if text.strip())


def _concepts(value: Any) -> dict[str, float]:
    try:
        pairs = [(concept["name"], _probability(concept["probability"])) for concept in value]
    except (TypeError, KeyError):
        raise RowError("concepts is not a list of objects with name and probability") from None
    names = _texts([name for name, _ in pairs], "the name of concepts", empty=True)
    if len(set(names)) < len(names):
        raise RowError("concepts names one of them twice")
    return {name: p for name, p in pairs if name.strip()}


def _texts(value: Any, column: str, *, empty: bool = False) -> tuple[str, ...]:
    """Return a list of texts; leave out the empty ones, unless ``empty``."""
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise RowError(f"{column} is not a list of texts")
    return tuple(text for text in value if empty or text.strip())


def _probability(value: Any) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0.0 <= value <= 1.0:
        raise RowError(f"{value!r} is not a probability")
    return float(value)
