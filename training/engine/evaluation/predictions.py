"""Predict with a clip model how likely texts are true of tiles."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.engine.data.pictures import Box, Tile, load_all
from training.engine.encoders import seen_tiles
from training.engine.encoders.clip import Clip
from training.engine.encoders.clip_models import load_clip
from training.engine.encoders.seen_tiles import SeenTiles
from training.engine.evaluation import log_odds
from training.engine.evaluation.calibration import Calibration
from training.engine.evaluation.questions import (
    Question,
    Subjects,
    read_questions,
    read_subjects,
)
from training.engine.files import write_bytes, write_tensors

BATCH = 32  # pictures decoded and embedded at a time


@dataclass(frozen=True)
class TileEmbeddings:
    """Unit rows (t, E) of tiles in float16, and each one's row."""

    rows: dict[Tile, int]
    embeddings: Tensor

    def of(self, tiles: Sequence[Tile]) -> Tensor:
        """Return the embeddings (n, E) of n tiles, in float16."""
        return self.embeddings[[self.rows[tile] for tile in tiles]]

    def joined(self, others: "TileEmbeddings") -> "TileEmbeddings":
        """Return these tiles and others, which are none of them."""
        first = len(self.embeddings)
        rows = self.rows | {tile: first + row for tile, row in others.rows.items()}
        return TileEmbeddings(rows, torch.cat([self.embeddings, others.embeddings]))


@dataclass(frozen=True)
class Outputs:
    """Where the features of subjects go, and the log-odds of all pairs of them.

    Tiles that were ``seen`` elsewhere (a folder of files: `seen_tiles`) are not looked at.
    """

    subjects: Path
    features: Path
    log_odds: Path
    seen: Path | None = None


def predict(
    folder: Path, questions: Path, out: Path, *, cache: Path, outputs: Outputs | None = None
) -> int:
    """Write a line ``{"id", "p"}`` with the probability for each question; return how many.

    With ``outputs``, write the features of its subjects too, as safetensors: `tiles` (T,) ids,
    rising, `images` (T, E) in float16, `concepts` (C,) ids, rising, `texts` (C, E) in float16, and
    `learned`, ids of questions; and the log-odds (C, T) of all pairs, as float16 (.npy). Raise
    ``TrainingError`` where a file or the model is no good.
    """
    to_answer = read_questions(questions)
    to_embed = read_subjects(outputs.subjects) if outputs else Subjects({}, {}, [])
    clip, calibration = load_clip(folder), Calibration.load(folder)
    tiles = list(to_embed.tiles.values()) + [question.tile for question in to_answer]
    known = _seen_elsewhere(clip, to_embed, outputs.seen if outputs else None)
    embeddings = embed_tiles(clip, tiles, cache, known)
    predicted = probabilities(clip, calibration, to_answer, embeddings)
    lines = [
        json.dumps({"id": question.id, "p": round(p, 5)}) + "\n"
        for question, p in zip(to_answer, predicted, strict=True)
    ]
    if outputs:
        features = _features(clip, to_embed, embeddings)
        write_tensors(outputs.features, features, {"clip": clip.identity})
        names = [to_embed.concepts[pk] for pk in sorted(to_embed.concepts)]
        texts = features["texts"].float()
        log_odds.write(outputs.log_odds, features["images"], names, texts, calibration)
    write_bytes(out, "".join(lines).encode())
    return len(lines)


def see(folder: Path, subjects: Path, out: Path, cache: Path) -> int:
    """Write what a clip model sees of subjects' tiles (`seen_tiles`); return how many there are.

    Raise ``TrainingError`` where a file or the model is no good.
    """
    clip, to_see = load_clip(folder), read_subjects(subjects).tiles
    tiles = sorted(to_see)
    pictures = [to_see[tile] for tile in tiles]
    images = embed_tiles(clip, list(to_see.values()), cache).of(pictures)
    seen_tiles.write(out, clip.identity, tiles, images.reshape(len(tiles), clip.width))
    return len(tiles)


def _seen_elsewhere(clip: Clip, subjects: Subjects, folder: Path | None) -> TileEmbeddings:
    """Return the embeddings of subjects' tiles that others have seen."""
    seen, ids = SeenTiles(folder, clip.identity), sorted(subjects.tiles)
    known = [ids[place] for place in np.flatnonzero(seen.among(ids))]
    if not known:
        return TileEmbeddings({}, torch.zeros(0, clip.width, dtype=torch.float16))
    rows = {subjects.tiles[tile]: row for row, tile in enumerate(known)}
    return TileEmbeddings(rows, seen.images(known))


def _features(clip: Clip, subjects: Subjects, embeddings: TileEmbeddings) -> dict[str, Tensor]:
    tiles = sorted(subjects.tiles)
    return {
        "tiles": torch.tensor(tiles, dtype=torch.int64),
        "images": embeddings.of([subjects.tiles[tile] for tile in tiles]),
        **log_odds.embed_concepts(clip, subjects.concepts),
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
        images = embeddings.of([questions[index].tile for index in indices]).float()
        p[indices] = calibration.probability(images, text, embedding, kind)
    return p.tolist()


def embed_tiles(
    clip: Clip, tiles: Sequence[Tile], cache: Path, known: TileEmbeddings | None = None
) -> TileEmbeddings:
    """Embed each tile once, and decode each picture once, however often they are named.

    What a frozen encoder has seen before, by anybody who shares the cache, is not looked at again,
    and neither are the tiles that are ``known``.
    """
    boxes: dict[Path, dict[Box | None, None]] = {}
    for path, box in tiles:
        if known is None or (path, box) not in known.rows:
            boxes.setdefault(path, {})[box] = None
    sources = [(path, list(of_picture)) for path, of_picture in boxes.items()]
    distinct = [(path, box) for path, of_picture in sources for box in of_picture]
    if known is not None and not distinct:
        return known
    rows = {tile: row for row, tile in enumerate(distinct)}
    if clip.encode_tiles:
        embedded = TileEmbeddings(rows, clip.encode_tiles(distinct, cache).half())
    else:
        embedded = TileEmbeddings(rows, _encode_all(clip, sources))
    return embedded if known is None or not known.rows else known.joined(embedded)


def _encode_all(clip: Clip, sources: Sequence[tuple[Path, Sequence[Box | None]]]) -> Tensor:
    """Return the embeddings (t, E) of the boxes of pictures, in float16, in their order."""
    count = sum(len(boxes) for _, boxes in sources)
    embeddings = torch.empty(count, clip.width, dtype=torch.float16)
    filled, batch = 0, []
    for number, pixels in enumerate(load_all(sources, clip.size), 1):
        batch.append(torch.from_numpy(pixels))
        if len(batch) == BATCH or number == len(sources):
            encoded = clip.encode_images(torch.cat(batch).numpy())
            embeddings[filled : filled + len(encoded)] = encoded
            filled, batch = filled + len(encoded), []
    return embeddings
