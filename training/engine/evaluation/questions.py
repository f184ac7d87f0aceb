"""Read the questions that a clip model is asked, and the subjects whose features are wanted."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.engine.data.json_lines import numbered_lines
from training.engine.data.pictures import Box, Tile
from training.engine.files import TrainingError


@dataclass(frozen=True)
class Question:
    """Whether ``text`` is true of a tile."""

    id: int | str
    tile: Tile
    text: str
    kind: str  # concept or caption


@dataclass(frozen=True)
class Subjects:
    """Tiles and concepts, by id, whose features are wanted."""

    tiles: dict[int, Tile]
    concepts: dict[int, str]
    learned: list[int]  # ids of the questions that the model was trained on


def read_questions(path: Path) -> list[Question]:
    """Read a question a line; raise ``TrainingError`` with the line that is none.

    A line is ``{"id", "image", "box", "text", "kind"}``, ``box`` being null or [left, top, width,
    height] in pixels, and ``kind`` "concept" or "caption".
    """
    questions = []
    for number, line in numbered_lines(path):
        try:
            questions.append(_question(line))
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            raise TrainingError(f"Line {number} of {path} is not a question.") from None
    return questions


def read_subjects(path: Path) -> Subjects:
    """Read a tile or a concept a line; raise ``TrainingError`` with the line that is neither.

    A line is ``{"tile", "image", "box", "learned"}``, where ``learned`` holds ids of questions, or
    ``{"concept", "text"}``.
    """
    subjects = Subjects({}, {}, [])
    for number, line in numbered_lines(path):
        try:
            value = json.loads(line)
            if "concept" in value:
                subjects.concepts[int(value["concept"])] = str(value["text"])
            else:
                subjects.tiles[int(value["tile"])] = Path(value["image"]), box_of(value.get("box"))
                subjects.learned.extend(map(int, value["learned"]))
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            raise TrainingError(f"Line {number} of {path} is not a tile or a concept.") from None
    return subjects


def _question(line: bytes) -> Question:
    value = json.loads(line)
    if value["kind"] not in ("concept", "caption") or not isinstance(value["text"], str):
        raise ValueError(line)
    tile = Path(value["image"]), box_of(value.get("box"))
    return Question(value["id"], tile, value["text"], value["kind"])


def box_of(sides: Sequence[int] | None) -> Box | None:
    """Return a box of a line of JSON; raise ``ValueError`` or ``TypeError`` where it is none."""
    if sides is None:
        return None
    left, top, width, height = (int(side) for side in sides)
    if left < 0 or top < 0 or width < 1 or height < 1:
        raise ValueError(sides)
    return left, top, width, height
