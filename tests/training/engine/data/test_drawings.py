"""What models drew is kept apart from real pictures, and teaches where people have judged it."""

import json
import shutil
from pathlib import Path

import pytest

from training.engine.data.prompts import fixed_prompts
from training.engine.data.snapshot import read_snapshot

PROMPT = "a red square, small"
LEFT_OUT: dict[str, tuple[dict[str, object], str]] = {
    "nobody judged it": ({"shows_prompt": 0.0}, "not_judged"),
    "a snapshot without the column": ({"shows_prompt": None}, "not_judged"),
    "drawn from no prompt": ({"prompt": "", "shows_prompt": 0.9}, "not_judged"),
    "people contradict each other": ({"shows_prompt": 0.55}, "undecided"),
    "a held-out caption, otherwise put": ({"prompt": "the Violet square!"}, "measures"),
    "its picture is gone": ({"file_name": "gone.png"}, "gone"),
}


def drawn(folder: Path, split: str = "train", **changes: object) -> None:
    """Add a drawing that people have judged to a snapshot."""
    path = folder / split / "metadata.jsonl"
    row = json.loads(path.read_text().splitlines()[0])
    row |= {"generated": True, "prompt": PROMPT, "shows_prompt": 0.9, **changes}
    known = {name: value for name, value in row.items() if value is not None}
    path.write_text(path.read_text() + json.dumps(known) + "\n")


@pytest.fixture
def folder(snapshot_folder: Path, tmp_path: Path) -> Path:
    """A copy of the squares, of which a held-out one has a caption of its own."""
    copy = tmp_path / "squares"
    shutil.copytree(snapshot_folder, copy)
    path = copy / "test" / "metadata.jsonl"
    path.write_text(path.read_text().replace("a red square", "a violet square"))
    return copy


def test_a_judged_drawing_teaches_by_its_prompt_alone(folder: Path) -> None:
    drawn(folder, shows_prompt=0.3)
    drawings = read_snapshot(folder).drawings
    (row,) = drawings.rows
    assert (row.prompt, row.shows_prompt, drawings.left_out) == (PROMPT, 0.3, {})
    assert not (row.captions or row.tags or row.concepts)


@pytest.mark.parametrize(("changes", "reason"), LEFT_OUT.values(), ids=LEFT_OUT.keys())
def test_what_teaches_nothing_is_counted_with_the_reason(
    folder: Path, changes: dict[str, object], reason: str
) -> None:
    drawn(folder)
    drawn(folder, **changes)
    drawings = read_snapshot(folder).drawings
    assert (len(drawings.rows), drawings.left_out) == (1, {reason: 1})
    assert drawings.read == 2


def test_whatever_models_drew_no_model_is_measured_by_it(folder: Path) -> None:
    """Else the loop would train for its own test."""
    before = read_snapshot(folder)
    drawn(folder)
    drawn(folder, split="test")
    after = read_snapshot(folder)
    assert (after.train, after.test) == (before.train, before.test)
    assert fixed_prompts(after) == fixed_prompts(before)
    assert after.drawings.left_out == {"held_out": 1}
