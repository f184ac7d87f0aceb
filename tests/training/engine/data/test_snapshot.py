"""A snapshot is read whole, or refused with a sentence that names file and line."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from training.engine.data.pairs import name_of
from training.engine.data.rows import Snapshot
from training.engine.data.snapshot import read_snapshot
from training.engine.files import TrainingError


@pytest.fixture
def copy(snapshot_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(snapshot_folder, tmp_path / "copy"))


def test_a_snapshot_is_read(snapshot: Snapshot) -> None:
    assert len(snapshot.train) == 80
    assert len(snapshot.test) == 20
    first = snapshot.train[0]
    assert first.captions == (("a red square", 0.9),)
    assert first.concepts["red"] == 0.97


def test_a_pair_without_words_is_called_as_the_file_that_it_came_from(copy: Path) -> None:
    metadata = copy / "train" / "metadata.jsonl"
    first, *others = map(json.loads, metadata.read_text().splitlines())
    first |= {"captions": [], "source": "new/house 42.png"}
    metadata.write_text("".join(f"{json.dumps(line)}\n" for line in (first, *others)))
    row = read_snapshot(copy).train[0]
    assert name_of(row) == "house 42"
    assert name_of(replace(row, source="")) == row.path.stem


def test_what_only_a_part_shows_is_not_said_of_the_whole(copy: Path) -> None:
    path = copy / "train" / "metadata.jsonl"
    row = json.loads(path.read_text().splitlines()[0]) | {"in_part": ["red", "cat"]}
    path.write_text(json.dumps(row) + "\n")
    assert "red" in [concept["name"] for concept in row["concepts"]]
    assert "red" not in read_snapshot(copy).train[0].concepts


def test_a_folder_that_is_no_snapshot_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"manifest\.json is missing"):
        read_snapshot(tmp_path)


def test_an_unknown_format_is_refused(copy: Path) -> None:
    (copy / "manifest.json").write_text('{"format": 1}')
    with pytest.raises(TrainingError, match="not a snapshot of format 3"):
        read_snapshot(copy)


def test_an_empty_snapshot_is_refused(copy: Path) -> None:
    (copy / "train" / "metadata.jsonl").write_text("")
    with pytest.raises(TrainingError, match="no training pictures"):
        read_snapshot(copy)


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "{}",
        json.dumps({"file_name": "../x.png"}),
        json.dumps({"file_name": "x.png", "concepts": [{"name": "cat", "probability": 7}]}),
        json.dumps({"file_name": "x.png", "captions": [{"text": 3, "confidence": 1}]}),
    ],
)
def test_a_broken_row_is_named_by_its_line(copy: Path, line: str) -> None:
    (copy / "train" / "metadata.jsonl").write_text(f"{line}\n")
    with pytest.raises(TrainingError, match=r"Line 1 of .*metadata\.jsonl"):
        read_snapshot(copy)


@pytest.mark.parametrize("column", ["file_name", "captions", "tags", "concepts"])
def test_a_renamed_column_is_refused_by_its_name(copy: Path, column: str) -> None:
    path = copy / "train" / "metadata.jsonl"
    first, second = (json.loads(line) for line in path.read_text().splitlines()[:2])
    second[f"{column}_then"] = second.pop(column)
    path.write_text(f"{json.dumps(first)}\n{json.dumps(second)}\n")
    with pytest.raises(TrainingError, match=rf"Line 2 of .*metadata\.jsonl.* has no {column}:"):
        read_snapshot(copy)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"tags": "red"}, "tags is not a list of texts"),  # not three tags of one letter
        ({"tags": [7]}, "tags is not a list of texts"),
        ({"in_part": "red"}, "in_part is not a list of texts"),
        ({"concepts": {"red": 0.9}}, "concepts is not a list of objects"),
        ({"concepts": [{"name": 3, "probability": 0.9}]}, "the name of concepts is not"),
        ({"concepts": [{"name": "red", "probability": 0.9}] * 2}, "one of them twice"),
        ({"concepts": [{"name": "red", "probability": True}]}, "True is not a probability"),
        ({"concepts": [{"name": "red", "probability": "0.9"}]}, "'0.9' is not a probability"),
        ({"captions": "red"}, "captions is not a list of objects"),
        ({"captions": [{"text": "red"}]}, "captions is not a list of objects"),
        ({"captions": [{"text": None, "confidence": 1}]}, "the text of captions is not"),
        ({"file_name": ""}, "file_name is not the name of a file"),
    ],
)
def test_a_value_of_another_type_is_refused_with_what_is_wrong(
    copy: Path, changes: dict[str, object], fault: str
) -> None:
    path = copy / "train" / "metadata.jsonl"
    row = json.loads(path.read_text().splitlines()[0])
    path.write_text(json.dumps(row | changes) + "\n")
    with pytest.raises(TrainingError, match=rf"Line 1 of .*metadata\.jsonl.* {fault}"):
        read_snapshot(copy)
