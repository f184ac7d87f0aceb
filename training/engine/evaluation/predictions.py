"""A CLIP's opinion of questions, each a text that may or may not be true of a tile."""

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
from training.engine.files import TrainingError, write_bytes, write_tensors

Places = dict[tuple[Path, Box | None], int]
BATCH = 32  # pictures decoded and embedded at a time


@dataclass(frozen=True)
class Question:
    id: int | str
    image: Path
    box: Box | None
    text: str
    kind: str  # concept or caption


@dataclass(frozen=True)
class Subjects:
    """What features are wanted of: T tiles and C concepts, and the questions learned from."""

    tiles: dict[int, tuple[Path, Box | None]]
    concepts: dict[int, str]
    learned: list[int]


def answer(
    folder: Path,
    questions: Path,
    out: Path,
    subjects: Path | None = None,
    features: Path | None = None,
) -> int:
    """Write one line with id and probability for each question; how many there were.

    With subjects, write their features too, as safetensors: `tiles` (T,) ids, rising, `images`
    (T, E) in float16, `concepts` (C,) ids, `texts` (C, E), and `learned`, ids of questions.
    """
    asked = read_questions(questions)
    about = read_subjects(subjects) if subjects else Subjects({}, {}, [])
    clip, calibration = load_clip(folder), Calibration.load(folder)
    wanted = [(q.image, q.box) for q in asked] + list(about.tiles.values())
    places, embeddings = embed_tiles(clip, wanted)
    rows = probabilities(clip, calibration, asked, places, embeddings)
    lines = [
        json.dumps({"id": q.id, "p": round(p, 5)}) + "\n" for q, p in zip(asked, rows, strict=True)
    ]
    if features:
        write_tensors(features, _features(clip, about, places, embeddings))
    write_bytes(out, "".join(lines).encode())
    return len(lines)


def _features(clip: Clip, about: Subjects, places: Places, embeddings: Tensor) -> dict[str, Tensor]:
    tiles, concepts = sorted(about.tiles), sorted(about.concepts)
    rows = [places[about.tiles[tile]] for tile in tiles]
    return {
        "tiles": torch.tensor(tiles, dtype=torch.int64),
        "images": embeddings[rows].half(),
        "concepts": torch.tensor(concepts, dtype=torch.int64),
        "texts": clip.encode_texts([about.concepts[concept] for concept in concepts]).half(),
        "learned": torch.tensor(about.learned, dtype=torch.int64),
    }


def read_subjects(path: Path) -> Subjects:
    """Raises ``TrainingError`` with the line that is neither a tile nor a concept."""
    subjects = Subjects({}, {}, [])
    for number, line in enumerate(_lines(path), 1):
        try:
            value = json.loads(line)
            if "concept" in value:
                subjects.concepts[int(value["concept"])] = str(value["text"])
            else:
                subjects.tiles[int(value["tile"])] = Path(value["image"]), _box(value.get("box"))
                subjects.learned.extend(map(int, value["learned"]))
        except (KeyError, TypeError, ValueError, AttributeError):
            raise TrainingError(f"Line {number} of {path} is not a tile or a concept.") from None
    return subjects


def read_questions(path: Path) -> list[Question]:
    """Raises ``TrainingError`` with the line that is not a question."""
    questions = []
    for number, line in enumerate(_lines(path), 1):
        try:
            questions.append(_question(line))
        except (KeyError, TypeError, ValueError, AttributeError):
            raise TrainingError(f"Line {number} of {path} is not a question.") from None
    return questions


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(f"The file {path} cannot be read: {error}.") from None


def _box(sides: Sequence[int] | None) -> Box | None:
    if sides is None:
        return None
    left, top, width, height = (int(side) for side in sides)
    if left < 0 or top < 0 or width < 1 or height < 1:
        raise ValueError(sides)
    return left, top, width, height


def _question(line: str) -> Question:
    value = json.loads(line)
    box = _box(value.get("box"))
    if value["kind"] not in ("concept", "caption") or not isinstance(value["text"], str):
        raise ValueError(line)
    return Question(value["id"], Path(value["image"]), box, value["text"], value["kind"])


def probabilities(
    clip: Clip,
    calibration: Calibration,
    questions: Sequence[Question],
    places: Places,
    embeddings: Tensor,
) -> list[float]:
    """One a question, whose tiles were embedded."""
    if not questions:
        return []
    texts: dict[tuple[str, str], list[int]] = {}
    for index, question in enumerate(questions):
        texts.setdefault((question.text, question.kind), []).append(index)
    encoded = clip.encode_texts([text for text, _ in texts])
    p = torch.zeros(len(questions))
    for ((text, kind), indices), embedding in zip(texts.items(), encoded, strict=True):
        images = embeddings[[places[questions[i].image, questions[i].box] for i in indices]]
        p[indices] = calibration.probability(images, text, embedding, kind)
    return p.tolist()


def embed_tiles(clip: Clip, asked: Sequence[tuple[Path, Box | None]]) -> tuple[Places, Tensor]:
    """Where each tile's row is, and the rows: tiles are embedded once, pictures decoded once."""
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
    return {tile: row for row, tile in enumerate(tiles)}, torch.cat(
        parts
    ) if parts else torch.zeros(0, clip.width)
