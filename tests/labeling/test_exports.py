"""A snapshot → folders that other tools load."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from labeling import exports
from labeling.exports import kohya
from labeling.snapshot_folder import SnapshotError

ROW = {
    "tags": ["red", "fruit"],
    "concepts": [{"name": "fruit", "probability": 0.9, "answers": 2}],
    "captions": [],
    "n_answers": 2,
    "license": "MIT",
    "source": "x",
    "generated": False,
    "prompt": "",
    "width": 20,
    "height": 20,
}


@pytest.fixture
def snapshot(tmp_path) -> Path:
    """Three pictures to train on, one to test; one of them without a word."""
    import hashlib

    from PIL import Image

    folder = tmp_path / "snapshot"
    files = {}
    texts = {"train": {"a": "an apple, red", "b": "", "c": "ein Apfel 🍎"}, "test": {"d": "a pear"}}
    for split, its_texts in texts.items():
        (folder / split).mkdir(parents=True)
        lines = []
        for name, text in its_texts.items():
            Image.new("RGB", (20, 20), "red").save(folder / split / f"{name}.webp")
            row = {"file_name": f"{name}.webp", "text": text, **ROW}
            row["captions"] = [{"text": text, "confidence": 0.9, "source": "import"}] * bool(text)
            row["tags"] = ROW["tags"] if text else []
            lines.append(json.dumps(row, ensure_ascii=False) + "\n")
        (folder / split / "metadata.jsonl").write_text("".join(lines), encoding="utf-8")
    for path in folder.rglob("*.*"):
        files[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
    counts = {"train": 3, "test": 1, "images": 4, "captions": 3, "answers": 8, "generated": 0}
    manifest = {"format": 2, "project": "fruit", "created": "2026-01-01", "sha256": "0" * 64}
    (folder / "manifest.json").write_text(
        json.dumps({**manifest, "counts": counts, "concepts": ["fruit"], "files": files})
    )
    return folder


def test_datasets_loads_the_imagefolder(snapshot, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    out = tmp_path / "out"
    exports.export(folder=snapshot, format="imagefolder", out=out)
    loaded = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))

    assert {split: len(loaded[split]) for split in loaded} == {"train": 3, "test": 1}
    first = loaded["train"][0]
    assert first["image"].size == (20, 20)
    assert first["text"] == "an apple, red"
    assert first["concepts"] == ROW["concepts"]
    assert first["captions"][0]["confidence"] == 0.9


def test_kohya_gets_a_text_beside_each_picture(snapshot, tmp_path):
    counts = exports.export(folder=snapshot, format="kohya", out=tmp_path / "out")
    assert counts == exports.Counts(images=4, with_text=3)
    texts = {p.stem: p.read_text(encoding="utf-8") for p in (tmp_path / "out").glob("*/*.txt")}
    assert texts["a"] == "an apple red, red, fruit", "a comma would split the caption"
    assert texts["b"] == ""
    assert texts["c"].startswith("ein Apfel 🍎")
    toml = (tmp_path / "out/dataset.toml").read_text()
    assert 'image_dir = "train"' in toml and "resolution = 64" in toml


def test_a_short_export_is_thrown_away(snapshot, tmp_path, monkeypatch):
    def forgetful(snapshot: Path, out: Path) -> None:
        kohya.write(snapshot, out)
        (out / "train/a.webp").unlink()

    monkeypatch.setitem(
        exports.FORMATS, "kohya", replace(exports.FORMATS["kohya"], write=forgetful)
    )
    with pytest.raises(exports.ExportError, match=r"holds 3 pictures, .* not 4 "):
        exports.export(folder=snapshot, format="kohya", out=tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["snapshot"]


def test_a_folder_in_use_is_left_alone(snapshot, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/letter.txt").write_text("dear")
    with pytest.raises(exports.ExportError, match=r"in use"):
        exports.export(folder=snapshot, format="kohya", out=tmp_path / "out")
    assert (tmp_path / "out/letter.txt").read_text() == "dear"


def test_two_exports_to_one_folder_leave_a_whole_one(snapshot, tmp_path, monkeypatch):
    out = tmp_path / "out"

    def slow(folder: Path, draft: Path) -> None:
        kohya.write(folder, draft)
        exports.export(folder=snapshot, format="imagefolder", out=out)

    monkeypatch.setitem(exports.FORMATS, "kohya", replace(exports.FORMATS["kohya"], write=slow))
    with pytest.raises(exports.ExportError, match=r"in use"):
        exports.export(folder=snapshot, format="kohya", out=out)
    assert exports.FORMATS["imagefolder"].count(out) == (4, 3)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "snapshot"]


def test_a_damaged_snapshot_is_not_exported(snapshot, tmp_path):
    (snapshot / "train/a.webp").unlink()
    with pytest.raises(SnapshotError, match=r"lacks train/a\.webp"):
        exports.export(folder=snapshot, format="kohya", out=tmp_path / "out")


@pytest.mark.django_db
@pytest.mark.parametrize("which", ["99999999999999999999", "7", "nowhere"])
def test_the_command_refuses_what_is_no_snapshot(which, tmp_path):
    with pytest.raises(CommandError, match=r"no snapshot|not a snapshot"):
        call_command("export", which, format="kohya", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_counts_aloud(snapshot, tmp_path, capsys):
    call_command("export", str(snapshot), format="kohya", out=tmp_path / "out")
    assert "4 pictures, 3 with a caption or tags, checked" in capsys.readouterr().out
