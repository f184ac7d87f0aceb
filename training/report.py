"""The ``evaluate`` subcommand: metrics of a model on a snapshot, and a clip model's opinions."""

import json
from pathlib import Path

from training.calibration import Calibration
from training.clip import Spec
from training.data import read_snapshot
from training.evaluate import evaluate
from training.files import write_bytes, write_json
from training.opinions import Question, embed_tiles, probabilities
from training.recipes import clip as clip_recipe


def report(folder: Path, snapshot_folder: Path, cache: Path, judge: Spec | None = None) -> str:
    """Write ``evaluation.json``, for a clip model ``opinions.jsonl`` too; the metrics as text."""
    snapshot = read_snapshot(snapshot_folder)
    metrics = evaluate(folder, snapshot, cache=cache, judge=judge)
    if (folder / "calibration.json").exists():
        rows = [*snapshot.train, *snapshot.test]
        asked = [
            Question(f"{row.path.name} {name}", row.path, None, name, "concept")
            for row in rows
            for name in row.concepts
        ]
        clip = clip_recipe.load(folder)
        places, embeddings = embed_tiles(clip, [(q.image, q.box) for q in asked])
        p = probabilities(clip, Calibration.load(folder), asked, places, embeddings)
        lines = [
            json.dumps({"file_name": q.image.name, "concept": q.text, "p": round(value, 5)}) + "\n"
            for q, value in zip(asked, p, strict=True)
        ]
        write_bytes(folder / "opinions.jsonl", "".join(lines).encode())
    write_json(folder / "evaluation.json", metrics)
    return json.dumps(metrics, indent=1)
