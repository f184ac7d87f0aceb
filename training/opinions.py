"""A CLIP's opinion of questions, each a text that may or may not be true of a tile."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from training.calibration import Calibration
from training.clip import Clip
from training.data import Box, load_all
from training.files import TrainingError, write_bytes
from training.recipes import clip as clip_recipe

BATCH = 32  # pictures decoded and embedded at a time


@dataclass(frozen=True)
class Question:
    id: int | str
    image: Path
    box: Box | None
    text: str
    kind: str  # concept or caption


def answer(folder: Path, questions: Path, out: Path) -> int:
    """Write one line with id and probability for each question; how many there were."""
    asked = read_questions(questions)
    clip, calibration = clip_recipe.load(folder), Calibration.load(folder)
    rows = probabilities(clip, calibration, asked)
    lines = [
        json.dumps({"id": q.id, "p": round(p, 5)}) + "\n" for q, p in zip(asked, rows, strict=True)
    ]
    write_bytes(out, "".join(lines).encode())
    return len(lines)


def read_questions(path: Path) -> list[Question]:
    """Raises ``TrainingError`` with the line that is not a question."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(f"The questions {path} cannot be read: {error}.") from None
    questions = []
    for number, line in enumerate(lines, 1):
        try:
            questions.append(_question(line))
        except (KeyError, TypeError, ValueError, AttributeError):
            raise TrainingError(f"Line {number} of {path} is not a question.") from None
    return questions


def _question(line: str) -> Question:
    value = json.loads(line)
    box = value.get("box")
    if box is not None:
        left, top, width, height = (int(side) for side in box)
        if left < 0 or top < 0 or width < 1 or height < 1:
            raise ValueError(box)
        box = (left, top, width, height)
    if value["kind"] not in ("concept", "caption") or not isinstance(value["text"], str):
        raise ValueError(line)
    return Question(value["id"], Path(value["image"]), box, value["text"], value["kind"])


def probabilities(
    clip: Clip, calibration: Calibration, questions: Sequence[Question]
) -> list[float]:
    """One a question; each tile is embedded once, each picture decoded once."""
    if not questions:
        return []
    tiles, embeddings = embed_tiles(clip, [(q.image, q.box) for q in questions])
    texts: dict[tuple[str, str], list[int]] = {}
    for index, question in enumerate(questions):
        texts.setdefault((question.text, question.kind), []).append(index)
    encoded = clip.encode_texts([text for text, _ in texts])
    p = torch.zeros(len(questions))
    for ((text, kind), indices), embedding in zip(texts.items(), encoded, strict=True):
        images = embeddings[[tiles[questions[i].image, questions[i].box] for i in indices]]
        p[indices] = calibration.probability(images, text, embedding, kind)
    return p.tolist()


def embed_tiles(
    clip: Clip, asked: Sequence[tuple[Path, Box | None]]
) -> tuple[dict[tuple[Path, Box | None], int], Tensor]:
    """Where each tile's row is, and the rows."""
    boxes: dict[Path, dict[Box | None, None]] = {}
    for path, box in asked:
        boxes.setdefault(path, {})[box] = None
    sources = [(path, list(wanted)) for path, wanted in boxes.items()]
    tiles = [(path, box) for path, wanted in sources for box in wanted]
    parts, waiting = [], []
    for pixels in load_all(sources, clip.size):
        waiting.append(torch.from_numpy(pixels))
        if len(waiting) == BATCH:
            parts.append(clip.encode_images(torch.cat(waiting).numpy()))
            waiting = []
    if waiting:
        parts.append(clip.encode_images(torch.cat(waiting).numpy()))
    return {tile: row for row, tile in enumerate(tiles)}, torch.cat(parts)
