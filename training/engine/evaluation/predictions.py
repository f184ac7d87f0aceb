"""Predict with a clip model how likely texts are true of tiles."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from training.engine.data.pictures import Box, load_all
from training.engine.encoders.clip import Clip
from training.engine.encoders.clip_models import load_clip
from training.engine.evaluation.calibration import Calibration
from training.engine.evaluation.questions import (
    Question,
    Subjects,
    Tile,
    read_questions,
    read_subjects,
)
from training.engine.files import write_bytes, write_tensors

BATCH = 32  # pictures decoded and embedded at a time


@dataclass(frozen=True)
class TileEmbeddings:
    """Unit rows (t, E) of tiles, and each one's row."""

    rows: dict[Tile, int]
    embeddings: Tensor

    def of(self, tiles: Sequence[Tile]) -> Tensor:
        """Return the embeddings (n, E) of n tiles."""
        return self.embeddings[[self.rows[tile] for tile in tiles]]


def predict(
    folder: Path,
    questions: Path,
    out: Path,
    subjects: Path | None = None,
    features: Path | None = None,
) -> int:
    """Write a line ``{"id", "p"}`` with the probability for each question; return how many.

    With ``subjects``, write their ``features`` too, as safetensors: `tiles` (T,) ids, rising,
    `images` (T, E) in float16, `concepts` (C,) ids, rising, `texts` (C, E) in float16, and
    `learned`, ids of questions. Raise ``TrainingError`` where a file or the model is no good.
    """
    to_answer = read_questions(questions)
    to_embed = read_subjects(subjects) if subjects else Subjects({}, {}, [])
    clip, calibration = load_clip(folder), Calibration.load(folder)
    tiles = [question.tile for question in to_answer] + list(to_embed.tiles.values())
    embeddings = embed_tiles(clip, tiles)
    predicted = probabilities(clip, calibration, to_answer, embeddings)
    lines = [
        json.dumps({"id": question.id, "p": round(p, 5)}) + "\n"
        for question, p in zip(to_answer, predicted, strict=True)
    ]
    if features:
        write_tensors(features, _features(clip, to_embed, embeddings))
    write_bytes(out, "".join(lines).encode())
    return len(lines)


def _features(clip: Clip, subjects: Subjects, embeddings: TileEmbeddings) -> dict[str, Tensor]:
    tiles, concepts = sorted(subjects.tiles), sorted(subjects.concepts)
    return {
        "tiles": torch.tensor(tiles, dtype=torch.int64),
        "images": embeddings.of([subjects.tiles[tile] for tile in tiles]).half(),
        "concepts": torch.tensor(concepts, dtype=torch.int64),
        "texts": clip.encode_texts([subjects.concepts[concept] for concept in concepts]).half(),
        "learned": torch.tensor(subjects.learned, dtype=torch.int64),
    }


def probabilities(
    clip: Clip,
    calibration: Calibration,
    questions: Sequence[Question],
    embeddings: TileEmbeddings,
) -> list[float]:
    """Return the probability, 0 to 1, that each question's text is true of its tile."""
    if not questions:
        return []
    by_text: dict[tuple[str, str], list[int]] = {}
    for index, question in enumerate(questions):
        by_text.setdefault((question.text, question.kind), []).append(index)
    encoded = clip.encode_texts([text for text, _ in by_text])
    p = torch.zeros(len(questions))
    for ((text, kind), indices), embedding in zip(by_text.items(), encoded, strict=True):
        images = embeddings.of([questions[index].tile for index in indices])
        p[indices] = calibration.probability(images, text, embedding, kind)
    return p.tolist()


def embed_tiles(clip: Clip, tiles: Sequence[Tile]) -> TileEmbeddings:
    """Embed each tile once, and decode each picture once, however often they are named."""
    boxes: dict[Path, dict[Box | None, None]] = {}
    for path, box in tiles:
        boxes.setdefault(path, {})[box] = None
    sources = [(path, list(of_picture)) for path, of_picture in boxes.items()]
    distinct = [(path, box) for path, of_picture in sources for box in of_picture]
    parts, batch = [torch.zeros(0, clip.width)], []
    for number, pixels in enumerate(load_all(sources, clip.size), 1):
        batch.append(torch.from_numpy(pixels))
        if len(batch) == BATCH or number == len(sources):
            parts.append(clip.encode_images(torch.cat(batch).numpy()))
            batch = []
    return TileEmbeddings({tile: row for row, tile in enumerate(distinct)}, torch.cat(parts))
