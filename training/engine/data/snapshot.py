"""A snapshot folder, or a plain folder of pictures, read with suspicion."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from training.engine.data import folders
from training.engine.data.json_lines import numbered_lines
from training.engine.data.rows import Row, Snapshot
from training.engine.files import TrainingError, read_json

DOUBTED = 0.25  # belief in a caption that a snapshot left out, since it is below a half


def read_snapshot(folder: Path) -> Snapshot:
    """Read a snapshot, or a plain folder of pictures and ``.txt`` files of the same names.

    Raises ``TrainingError`` where it is neither, or holds nothing.
    """
    if not (folder / "manifest.json").exists() and folders.holds_pictures(folder):
        return folders.read_folder(folder)
    manifest = read_json(folder / "manifest.json")
    if not isinstance(manifest, dict) or manifest.get("format") != 1:
        raise TrainingError(f"{folder} is not a snapshot of format 1: make the snapshot again.")
    concepts = manifest.get("concepts", [])
    if not isinstance(concepts, list):
        raise TrainingError(f"{folder / 'manifest.json'}: concepts must be a list of names.")
    splits = {split: _read_split(folder / split) for split in ("train", "test")}
    if not splits["train"]:
        raise TrainingError(f"The snapshot {folder} has no training pictures: import some first.")
    lines = b"".join(
        path.read_bytes() for path in sorted(folder.glob("*/metadata.jsonl")) if path.is_file()
    )
    return Snapshot(
        folder=folder,
        concepts=tuple(str(name) for name in concepts),
        train=splits["train"],
        test=splits["test"],
        digest=hashlib.sha256(lines).hexdigest(),
    )


def _read_split(folder: Path) -> tuple[Row, ...]:
    path = folder / "metadata.jsonl"
    if not path.is_file():
        return ()
    rows = []
    for number, line in numbered_lines(path):
        try:
            rows.append(_row(folder, json.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise TrainingError(
                f"Line {number} of {path} is not a row of a snapshot: make the snapshot again."
            ) from None
    return tuple(rows)


def _row(folder: Path, value: dict[str, Any]) -> Row:
    name = value["file_name"]
    if not isinstance(name, str) or Path(name).name != name:
        raise ValueError(name)
    in_part = set(value.get("in_part", []))
    prompt = str(value.get("source", "")).partition(": ")[2] if value.get("generated") else ""
    return Row(
        path=folder / name,
        captions=tuple(
            (str(caption["text"]), _probability(caption["confidence"]))
            for caption in value.get("captions", [])
            if caption["text"].strip()
        ),
        tags=tuple(str(tag) for tag in value.get("tags", []) if str(tag).strip()),
        concepts={
            str(name): _probability(p)
            for name, p in dict(value.get("concepts", {})).items()
            if name not in in_part
        },
        prompt=prompt,
        right=_right(value, prompt),
    )


def _right(value: dict[str, Any], prompt: str) -> float | None:
    """None where no model drew the picture, or nobody said anything of it."""
    if not prompt or not value.get("n_answers"):
        return None
    for caption in value.get("captions", []):
        if caption["text"].startswith(prompt):  # which a snapshot may have cut short
            return _probability(caption["confidence"])
    thing = re.sub(r"^(an?|the) ", "", prompt.lower())
    concepts = dict(value.get("concepts", {})).items()
    return next((_probability(p) for name, p in concepts if name.lower() == thing), DOUBTED)


def _probability(value: float) -> float:
    if not 0.0 <= float(value) <= 1.0:
        raise ValueError(value)
    return float(value)
