"""What a finished model is worth: each figure with what chance, or real pictures, would reach.

``metrics.json`` is flat. A figure is named ``what@judge``; beside it stand, where known,

- ``…_low``, ``…_high``: its 5th and 95th percentile;
- ``…_chance``: what features that say nothing would reach;
- ``…_real``: what held-out real pictures reach with the same judge; ``…_real_training``: what
  training pictures reach, where none is held out;
- ``…_floor``: of a distance from held-out pictures, that of training pictures.

For a generator, see ``generators.py``; for a model of pairs, ``translators.py``. For a clip model:
``recall@10``, ``caption_among_ten``, ``concept_ap`` and ``concept_ap_zero_shot``,
``concept_log_loss``.
"""

import json
from pathlib import Path

from training.engine.data.rows import Snapshot
from training.engine.data.snapshot import read_snapshot
from training.engine.encoders.clip_models import load_clip
from training.engine.encoders.text import Spec
from training.engine.evaluation.calibration import Calibration
from training.engine.evaluation.clips import evaluate_clip
from training.engine.evaluation.generators import evaluate_generator
from training.engine.evaluation.model_config import read_model_config
from training.engine.evaluation.predictions import embed_tiles, probabilities
from training.engine.evaluation.questions import Question
from training.engine.evaluation.translators import evaluate_translator
from training.engine.files import write_bytes, write_json
from training.engine.recipes import RECIPES, data_of, recipe_of


def evaluate(
    folder: Path, snapshot: Snapshot, *, cache: Path, judge: Spec | None = None
) -> dict[str, float]:
    """Return the metrics of a model folder; raise ``TrainingError`` where it holds no model.

    ``judge`` names an open_clip model; it judges what it did not condition.
    """
    config = read_model_config(folder)
    if RECIPES[config["recipe"]].translates:
        return evaluate_translator(folder, snapshot, cache)
    if config["recipe"] != "clip":
        return evaluate_generator(folder, config, snapshot, cache, judge)
    return evaluate_clip(load_clip(folder), Calibration.load(folder), snapshot, cache)


def write_evaluation(
    folder: Path, snapshot_folder: Path, cache: Path, judge: Spec | None = None
) -> str:
    """Evaluate a model, write ``evaluation.json``, and return the metrics as text.

    A clip model's predictions of the snapshot's concepts go to ``predictions.jsonl`` beside it.
    """
    snapshot = data_of(recipe_of(folder), read_snapshot(snapshot_folder))
    figures = evaluate(folder, snapshot, cache=cache, judge=judge)
    if (folder / "calibration.json").exists():
        write_bytes(folder / "predictions.jsonl", _predictions(folder, snapshot, cache).encode())
    write_json(folder / "evaluation.json", figures)
    return json.dumps(figures, indent=1)


def _predictions(folder: Path, snapshot: Snapshot, cache: Path) -> str:
    """Return a line of JSON for each picture and concept: file name, concept, probability."""
    questions = [
        Question(f"{row.path.name} {name}", (row.path, None), name, "concept")
        for row in (*snapshot.train, *snapshot.test)
        for name in row.concepts
    ]
    clip = load_clip(folder)
    embeddings = embed_tiles(clip, [question.tile for question in questions], cache)
    predicted = probabilities(clip, Calibration.load(folder), questions, embeddings)
    lines = [
        json.dumps({"file_name": q.tile[0].name, "concept": q.text, "p": round(p, 5)}) + "\n"
        for q, p in zip(questions, predicted, strict=True)
    ]
    return "".join(lines)
