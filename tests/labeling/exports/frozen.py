"""A snapshot folder made by hand, with texts that formats find hard to hold."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

from PIL import Image

from labeling import marks, snapshot_folder
from labeling.marks import SYSTEM, Mark, hash_of_prompt

TEXTS = [
    ("a sign that says “Stop, thief”, at night", ["sign", "night"]),
    ("", []),
    ("犬が、芝生の上にいる", ["犬"]),
    ("", ["a tag, with a comma", "plain"]),
    ("سيارة حمراء\u200f على الطريق", []),
    ("a long\u2028line, {with} |pipes|", ["x"]),
]
MARK = Mark(  # of what a model drew
    system=SYSTEM,
    model_sha256="1" * 64,
    snapshot_sha256="2" * 64,
    prompt_sha256=hash_of_prompt("a sign"),
)
ABOUT = {
    "name": "Signs",
    "description": "",
    "attribution": "",
    "language": "en",
    "agreement": dict.fromkeys(("compared", "percent", "alpha", "low", "high")),
}
MADE_FROM = {
    "answers": {"count": 0, "newest_id": 0, "until": ""},
    "captions": {"count": 0, "newest_id": 0, "until": ""},
    "settings": {
        "settle_at": 0.95,
        "answers_min": 2,
        "answers_cap": 9,
        "import_confidence": 0.9,
    },
    "aggregation": {"version": 1, "features": ""},
}
_ROW = {"name": "", "labels": 24, "covered": 24, "judged": 40, "by": "gold"}
ACCURACY = {
    "whole": _ROW | {"accuracy": 0.9, "low": 0.769, "high": 0.96},
    "concepts": [
        _ROW | {"name": "night", "judged": 3, "accuracy": None, "low": None, "high": None}
    ],
    "unanswered": _ROW
    | {"labels": 0, "by": "answers", "accuracy": None, "low": None, "high": None},
}
NOWHERE = {
    "import_id": 0,
    **dict.fromkeys(("import", "layout", "file", "vendor", "batch", "license", "url"), ""),
    **dict.fromkeys(("date", "importer", "price"), ""),
}


def row(number: int, split: str, size: tuple[int, int]) -> tuple[dict[str, Any], bytes]:
    """Return a row and its picture's bytes; every sixth is without a word."""
    text, tags = TEXTS[number % len(TEXTS)]
    picture = Image.new("RGB", size, (number * 37 % 256, number * 91 % 256, number % 256))
    picture.putpixel((0, 0), (255, number // 256, number % 256))
    file = io.BytesIO()
    mark = MARK if number % 7 == 6 else None
    picture.save(file, "WEBP", lossless=True, **marks.saving("WEBP", mark))
    data = file.getvalue()
    confidence = round(0.5 + number % 5 / 10, 2)
    first = {"text": text, "confidence": confidence, "source": "import", "provenance": 0}
    captions = [first] if text else []
    if number % 6 == 2:
        more = {"text": f"a second caption, no. {number}", "confidence": 0.5}
        captions.append({**more, "source": "annotator", "provenance": -1})
    return {
        "file_name": f"{hashlib.sha256(data).hexdigest()[:16]}.webp",
        "text": text,
        "tags": tags,
        "concepts": [
            {"name": "sign", "probability": 0.9 if "sign" in tags else 0.1, "answers": number % 4},
            {"name": "night", "probability": 0.55, "answers": 0},
        ],
        "in_part": ["night"] if number % 3 == 0 else [],
        "captions": captions,
        "n_answers": number % 4,
        "boxes": boxes(number, size),
        "license": "CC0-1.0" if number % 2 else "",
        "source": f"holiday, 2024/IMG_{number:04}.jpg",
        "provenance": [{**NOWHERE, "import": "holiday", "url": f"https://a.example/{number}"}],
        "generated": number % 7 == 6,
        "prompt": f"prompt {number}" if number % 7 == 6 else "",
        "pair": 0.9 if number % 9 == 4 else 0.0,
        "width": size[0],
        "height": size[1],
    }, data


def boxes(number: int, size: tuple[int, int]) -> list[dict[str, Any]]:
    """Return no, one or two boxes, one of which is of little confidence."""
    certain = {"left": 1, "top": 2, "width": 5, "height": number % 7 + 1, "label": "sign"}
    doubtful = {"left": 0, "top": 0, "width": size[0], "height": size[1], "label": "a wall, red"}
    return [
        {**certain, "probability": 0.9, "answers": number % 3, "provenance": 0},
        {**doubtful, "probability": 0.4, "answers": 1, "provenance": -1},
    ][: number % 3]


def write(folder: Path, count: int = 12, size: tuple[int, int] = (72, 64)) -> Path:
    """Write a snapshot of that many pictures, every fifth of which is to test."""
    rows: dict[str, list[tuple[dict[str, Any], bytes]]] = {"train": [], "test": []}
    for number in range(count):
        split = "test" if number % 5 == 4 else "train"
        rows[split].append(row(number, split, size))
    files, every = {}, []
    for split, pairs in rows.items():
        (folder / split).mkdir(parents=True)
        pairs.sort(key=lambda pair: pair[0]["file_name"])
        for told, data in pairs:
            (folder / split / told["file_name"]).write_bytes(data)
        lines = [json.dumps(told, ensure_ascii=False) + "\n" for told, _ in pairs]
        (folder / split / "metadata.jsonl").write_text("".join(lines), encoding="utf-8")
        every += [told for told, _ in pairs]
    for path in folder.rglob("*.*"):
        files[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
    counts = {
        "images": len(every),
        "train": len(rows["train"]),
        "test": len(rows["test"]),
        "captions": sum(len(each["captions"]) for each in every),
        "boxes": sum(len(each["boxes"]) for each in every),
    }
    write_manifest(folder, counts, ["night", "sign"], files)
    return folder


def write_manifest(
    folder: Path, counts: dict[str, int], concepts: list[str], files: dict[str, str]
) -> None:
    """Write the manifest of a snapshot, with its hash."""
    manifest = {"format": snapshot_folder.FORMAT, "project": "signs", "counts": counts}
    manifest |= {"concepts": concepts, "about": ABOUT, "made_from": MADE_FROM}
    manifest |= {"accuracy": ACCURACY}
    manifest["files"] = dict(sorted(files.items()))
    manifest = {"sha256": snapshot_folder.digest_of(manifest), **manifest}
    snapshot_folder.write_manifest(folder, manifest)


def rows_of(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the snapshot's rows by their pictures' stems, each with its split."""
    return {
        Path(each["file_name"]).stem: {**each, "split": split}
        for split in ("train", "test")
        for each in snapshot_folder.read_rows(folder, split)
    }


def pixels(data: bytes) -> bytes:
    """Return the pixels of a picture's file."""
    return Image.open(io.BytesIO(data)).convert("RGB").tobytes()


def stored_pixels(folder: Path, told: dict[str, Any]) -> bytes:
    """Return the pixels of a row's picture in its snapshot."""
    return pixels((folder / told["split"] / told["file_name"]).read_bytes())
