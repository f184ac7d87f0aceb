"""What kohya's sd-scripts would see of an export, by their own rules."""

import json

import pytest

from labeling import exports
from labeling.exports import Options
from tests.labeling.exports import frozen, kohya_rules
from tests.labeling.exports.frozen import rows_of


@pytest.fixture
def export(snapshot, tmp_path):
    def made(**options):
        result = exports.export(
            folder=snapshot, format="kohya", out=tmp_path / "out", options=Options(**options)
        )
        return tmp_path / "out", result

    return made


def to_train(snapshot) -> dict[str, dict]:
    return {stem: row for stem, row in rows_of(snapshot).items() if row["split"] == "train"}


def test_the_trainer_sees_every_picture_with_its_words(snapshot, export):
    folder, _ = export()
    settings, seen = kohya_rules.load(folder)
    rows = to_train(snapshot)
    assert {path.stem for path in seen} == set(rows)
    for path, picture in seen.items():
        row = rows[path.stem]
        if not row["text"] and not row["tags"]:
            assert picture.caption is None, "an empty text would stop the trainer"
            continue
        front, tags = kohya_rules.trained_on(picture.caption, settings["general"])
        alone = not row["tags"] and "," not in row["text"]  # then nothing is there to shuffle
        assert (front or tags.pop()) == row["text"] if alone else front == row["text"]
        assert {" ".join(tag.split()) for tag in tags} == {
            tag.replace(", ", ",") for tag in row["tags"]
        }


def test_no_text_is_empty_and_none_is_lost(export):
    folder, result = export()
    texts = [path.read_text(encoding="utf-8") for path in folder.glob("*/*.txt")]
    assert all(texts) and result.counts == {"pictures": 12, "texts": 10}
    assert "a sign that says “Stop, thief”, at night ||| sign, night" in texts


def test_pictures_without_words_may_be_left_out(export):
    folder, result = export(without_text="leave_out")
    assert result.counts == {"pictures": 10, "texts": 10}
    assert result.left_out["pictures: without a text"] == 2
    assert len(list(folder.glob("*/*.webp"))) == 10


def test_certain_captions_are_seen_more_often(snapshot, export):
    folder, _ = export(repeats=3)
    _, seen = kohya_rules.load(folder)
    rows = to_train(snapshot)
    for path, picture in seen.items():
        captions = rows[path.stem]["captions"]
        confidence = captions[0]["confidence"] if captions else 0.0
        assert picture.repeats == (3 if confidence > 2 / 3 else 2 if confidence else 1)
        assert path.parent.name == str(picture.repeats)
    assert {path.stem for path in seen} == set(rows)


def test_the_json_for_fine_tuning_says_the_same(snapshot, export):
    folder, _ = export(repeats=2)
    _, seen = kohya_rules.load(folder, "fine_tune.toml")
    rows = {k: row for k, row in to_train(snapshot).items() if row["text"] or row["tags"]}
    assert {path.stem for path in seen} == set(rows)
    for path, picture in seen.items():
        row = rows[path.stem]
        expected = [row["text"]] * bool(row["text"]) + [", ".join(row["tags"])] * bool(row["tags"])
        assert picture.caption == ",".join(expected)


def test_all_captions_stand_on_lines_of_which_one_is_drawn(snapshot, export):
    folder, _ = export(captions="all")
    settings, seen = kohya_rules.load(folder)
    assert settings["general"]["enable_wildcard"] is True
    lines = [line for picture in seen.values() for line in (picture.caption or "").split("\n")]
    assert any("a second caption" in line for line in lines)
    assert any("{{with}}" in line for line in lines), "braces would be a choice"


@pytest.mark.parametrize("size", [(8, 8), (63, 40), (64, 64), (200, 128), (300, 1400)])
def test_buckets_hold_pictures_of_any_size(tmp_path, size):
    folder = frozen.write(tmp_path / "snapshot", 6, size)
    exports.export(folder=folder, format="kohya", out=tmp_path / "out")
    for file in ("dataset.toml", "fine_tune.toml"):
        _, seen = kohya_rules.load(tmp_path / "out", file)
        assert seen


def test_pictures_without_a_bucket_are_left_out_and_counted(tmp_path):
    folder = frozen.write(tmp_path / "snapshot", 3, (7, 90))
    with pytest.raises(exports.ExportError, match=r"Nothing is left"):
        exports.export(folder=folder, format="kohya", out=tmp_path / "out")


def test_a_text_with_the_usual_symbol_gets_another(tmp_path, monkeypatch):
    monkeypatch.setattr(frozen, "TEXTS", [("pipes ||| and, commas ;;;", ["one, two", "three"])])
    folder = frozen.write(tmp_path / "snapshot", 4)
    exports.export(folder=folder, format="kohya", out=tmp_path / "out")
    settings, seen = kohya_rules.load(tmp_path / "out")
    for picture in seen.values():
        front, tags = kohya_rules.trained_on(picture.caption, settings["general"])
        assert front == "pipes ||| and, commas ;;;" and tags == {"one,two", "three"}


def test_the_json_is_one_even_where_no_picture_has_words(tmp_path, monkeypatch):
    monkeypatch.setattr(frozen, "TEXTS", [("", [])])
    folder, options = frozen.write(tmp_path / "s", 4), Options(captions="none")
    exports.export(folder=folder, format="kohya", out=tmp_path / "out", options=options)
    assert json.loads((tmp_path / "out/train.json").read_text()) == {}
    assert not (tmp_path / "out/fine_tune.toml").exists()
