"""What a finished model is worth: each figure with what chance, or real pictures, would reach.

``metrics.json`` is flat. A figure is named ``what@feature model``; beside it stand, where known,

- ``…_low``, ``…_high``: its 5th and 95th percentile;
- ``…_chance``: what features that say nothing would reach;
- ``…_real``: what held-out real pictures reach with the same judge; ``…_real_training``: what
  training pictures reach, where none is held out;
- ``…_floor``: of a distance from held-out pictures, that of training pictures.

Of a model that draws, see ``generators.py``. Of a clip model: ``recall@10``,
``caption_among_ten``, ``concept_ap`` and ``concept_ap_zero_shot``, ``concept_log_loss``.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy

from training.engine.data.packing import pack
from training.engine.data.rows import Row, Snapshot, digest
from training.engine.data.snapshot import read_snapshot
from training.engine.encoders.clip import Clip
from training.engine.encoders.clip_models import load_clip
from training.engine.encoders.text import Spec
from training.engine.evaluation import metrics as judges
from training.engine.evaluation.calibration import Calibration, informed
from training.engine.evaluation.generators import evaluate_generator
from training.engine.evaluation.metrics import Values
from training.engine.evaluation.predictions import Question, embed_tiles, probabilities
from training.engine.files import TrainingError, read_json, write_bytes, write_json
from training.engine.recipes import RECIPES

FEW = 10  # held-out captions that retrieval needs


def evaluate(
    folder: Path, snapshot: Snapshot, *, cache: Path, judge: Spec | None = None
) -> dict[str, float]:
    """The metrics of a model folder; raises ``TrainingError`` where it holds no model.

    ``judge`` names an open_clip model; it judges what it did not condition.
    """
    about = read_about(folder)
    if about["recipe"] != "clip":
        return evaluate_generator(folder, about, snapshot, cache, judge)
    return evaluate_clip(load_clip(folder), Calibration.load(folder), snapshot, cache)


def read_about(folder: Path) -> dict[str, Any]:
    """A model folder's ``config.json``; raises ``TrainingError`` where it is none."""
    about = read_json(folder / "config.json")
    if not isinstance(about, dict) or about.get("recipe") not in RECIPES:
        raise TrainingError(f"{folder} is not a model folder.")
    return about


def evaluate_clip(
    clip: Clip, calibration: Calibration, snapshot: Snapshot, cache: Path
) -> dict[str, float]:
    """Retrieval of held-out captions, and of held-out pictures by concept, beside chance."""
    metrics: dict[str, float] = {}
    found = retrieval(clip, snapshot, cache)
    if found:
        count = len(found.recall)
        metrics |= judges.named("recall@10", judges.mean(found.recall), chance=10 / count)
        among = judges.mean(found.among_ten)
        metrics |= judges.named("caption_among_ten", among, chance=0.1)
    if snapshot.test and snapshot.concepts:
        metrics |= _concepts(opinions(clip, calibration, snapshot, cache))
    return metrics


class Retrieval(NamedTuple):
    """For each captioned held-out picture (n,), 1 or 0, between them where texts tie."""

    recall: Values  # its caption finds it among the first ten
    among_ten: Values  # its own caption suits it better than nine others'


def retrieval(clip: Clip, snapshot: Snapshot, cache: Path) -> Retrieval | None:
    """None where there are too few."""
    captioned = [row for row in snapshot.test if row.captions]
    if len(captioned) < FEW:
        return None
    images = embed(captioned, clip, cache)
    texts = clip.encode_texts([row.captions[0][0] for row in captioned])
    own = torch.arange(len(captioned))
    ranked = (texts @ images.T).topk(10, dim=1).indices
    recall = ranked.eq(own[:, None]).any(1).double().numpy()
    return Retrieval(recall, judges.hits(images, texts, own, others=9))


class Opinions(NamedTuple):
    """Of each concept that held-out pictures are known to show and not to show."""

    rows: list[Tensor]  # the pictures about which it is known
    yes: list[Tensor]
    fits: list[Tensor]
    probabilities: list[Tensor]


def opinions(clip: Clip, calibration: Calibration, snapshot: Snapshot, cache: Path) -> Opinions:
    names = snapshot.concepts
    images, truth = embed(snapshot.test, clip, cache), informed(snapshot.test, names)
    found = Opinions([], [], [], [])
    for name, text, column in zip(names, clip.encode_texts(names), truth.T, strict=True):
        known = column.isfinite()
        yes = column[known] > 0.5
        if 0 < int(yes.sum()) < len(yes):
            found.rows.append(known.nonzero()[:, 0])
            found.yes.append(yes)
            found.fits.append(calibration.fit(images[known], text))
            found.probabilities.append(
                calibration.probability(images[known], name, text, "concept")
            )
    return found


def log_losses(found: Opinions) -> list[Tensor]:
    """Of each concept, each picture's log loss."""
    return [
        binary_cross_entropy(p, yes.float(), reduction="none")
        for p, yes in zip(found.probabilities, found.yes, strict=True)
    ]


def _concepts(found: Opinions) -> dict[str, float]:
    """Average precision and log loss; the interval is over concepts."""
    if not found.yes:
        return {}
    precisions = [
        np.array([_average_precision(s, yes) for s, yes in zip(scores, found.yes, strict=True)])
        for scores in (found.probabilities, found.fits)
    ]
    chance = float(np.mean([float(yes.float().mean()) for yes in found.yes]))
    losses = np.array([float(loss.mean()) for loss in log_losses(found)])
    return {
        **judges.named("concept_ap", judges.mean(precisions[0]), chance=chance),
        **judges.named("concept_ap_zero_shot", judges.mean(precisions[1]), chance=chance),
        **judges.named("concept_log_loss", judges.mean(losses)),
    }


def _average_precision(scores: Tensor, yes: Tensor) -> float:
    hits = yes[scores.argsort(descending=True)].float()
    precision = hits.cumsum(0) / torch.arange(1, len(hits) + 1)
    return float((precision * hits).sum() / hits.sum())


def embed(rows: list[Row] | tuple[Row, ...], clip: Clip, cache: Path) -> Tensor:
    return clip.encode_images(pack(rows, clip.size, cache, digest(rows)))


def record(folder: Path, snapshot_folder: Path, cache: Path, judge: Spec | None = None) -> str:
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
        clip = load_clip(folder)
        places, embeddings = embed_tiles(clip, [(q.image, q.box) for q in asked])
        p = probabilities(clip, Calibration.load(folder), asked, places, embeddings)
        lines = [
            json.dumps({"file_name": q.image.name, "concept": q.text, "p": round(value, 5)}) + "\n"
            for q, value in zip(asked, p, strict=True)
        ]
        write_bytes(folder / "opinions.jsonl", "".join(lines).encode())
    write_json(folder / "evaluation.json", metrics)
    return json.dumps(metrics, indent=1)
