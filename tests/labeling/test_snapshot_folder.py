"""The folder of a snapshot: what it holds, and that others can load it."""

import hashlib
import json
from pathlib import Path

import pytest
from django.core.management import call_command

from labeling import exports, json_lines, snapshot_folder, snapshot_rows, snapshots
from labeling.snapshots import local_folder
from tests.labeling.garden import add, caption, rows

pytestmark = pytest.mark.django_db
SEPARATORS = "\u2028", "\u2029", "\u0085", "\x1e", "\r"


def frozen(project) -> Path:
    snapshot = snapshots.freeze(project=project)
    assert snapshot.folder, snapshot.error
    return local_folder(snapshot)


def in_split(project, split: str):
    """Add images until one falls into the split, and return it."""
    for number in range(1, 256):
        if project.images.filter(source=f"{number}.png").exists():
            continue
        image = add(project, number)
        if snapshot_rows.split_of(image) == split:
            return image
        image.delete()
    raise AssertionError(split)


def test_the_manifest_names_every_file_with_its_hash(garden):
    for number in range(5):
        add(garden, number)
    folder = frozen(garden)
    files = snapshot_folder.read_manifest(folder)["files"]
    found = {str(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file()}
    assert set(files) == set(found) - {"manifest.json", ".folder.json"}
    for name, digest in files.items():
        assert hashlib.sha256(found[name].read_bytes()).hexdigest() == digest


def test_a_changed_manifest_is_found_before_it_is_used(garden):
    add(garden, 1)
    folder = frozen(garden)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["made_from"]["answers"]["count"] = 1_000
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(snapshot_folder.SnapshotError, match=r"manifest\.json was changed"):
        snapshot_folder.verify(folder)


def test_the_header_of_a_manifest_is_read_without_its_files(garden):
    add(garden, 1)
    folder = frozen(garden)
    manifest = snapshot_folder.read_manifest(folder)
    files = manifest.pop("files")
    assert files and snapshot_folder.read_header(folder) == manifest


@pytest.mark.parametrize("indent", [1, None])
def test_a_manifest_is_read_with_the_hashes_of_the_wanted_files_alone(garden, indent):
    add(garden, 1)
    folder = frozen(garden)
    manifest = snapshot_folder.read_manifest(folder)
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=indent))
    (wanted,) = (name for name in manifest["files"] if name.endswith("metadata.jsonl"))
    partly = snapshot_folder.read_checked(folder, {wanted, "no such file"})
    assert partly == {**manifest, "files": {wanted: manifest["files"][wanted]}}


def test_a_changed_file_is_found_before_it_is_used(garden):
    add(garden, 1)
    folder = frozen(garden)
    snapshot_folder.verify(folder)
    metadata = next(folder.glob("*/metadata.jsonl"))
    row = json.loads(metadata.read_text())
    metadata.write_text(json.dumps(row | {"text": "a lie"}) + "\n")
    with pytest.raises(snapshot_folder.SnapshotError, match=r"changed after freezing"):
        snapshot_folder.verify(folder)


@pytest.mark.parametrize("separator", SEPARATORS)
def test_ends_of_lines_within_a_text_end_no_row(garden, tmp_path, separator):
    name = f"red{separator}tree.png"
    add(garden, 1, source=name, license=f"free{separator}of charge")
    snapshot = snapshots.freeze(project=garden)
    assert set(rows(snapshot)) == {name}
    result = exports.export(
        folder=local_folder(snapshot), format="imagefolder", out=tmp_path / "out"
    )
    assert result.counts["pictures"] == 1


@pytest.mark.parametrize("described", ["train", "test", "neither", "both"])
def test_datasets_loads_both_splits_whatever_is_known_of_their_images(
    garden, tmp_path, monkeypatch, described
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    for split in ("train", "test"):
        image = in_split(garden, split)
        if described in (split, "both"):
            image.keywords = ["stripes"]
            image.save()
            caption(image, f"stripes of {split}", 0.9)
    folder = frozen(garden)
    loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    assert {split: len(loaded[split]) for split in loaded} == {"train": 1, "test": 1}
    for split in ("train", "test"):
        assert loaded[split][0]["text"] == (
            f"stripes of {split}" if described in (split, "both") else ""
        )


def test_a_placeholder_is_read_as_nothing(garden):
    bare, described = in_split(garden, "test"), in_split(garden, "train")
    caption(described, "stripes", 0.9)
    folder = frozen(garden)
    (written,) = json_lines.read(folder / "test" / "metadata.jsonl")
    (row,) = snapshot_folder.read_rows(folder, "test")
    assert written["captions"] == snapshot_folder.PLACEHOLDERS["captions"]
    assert (row["source"], row["captions"]) == (bare.source, [])
    assert snapshot_folder.read_manifest(folder)["counts"]["captions"] == 1


def test_a_caption_is_counted_where_there_is_one(garden, tmp_path, capsys):
    tagged, described = in_split(garden, "test"), in_split(garden, "train")
    tagged.keywords = ["stripes"]
    tagged.save()
    caption(described, "stripes", 0.9)
    folder, out = frozen(garden), tmp_path / "out"

    call_command("export", str(folder), format="imagefolder", out=out)
    assert "2 pictures, 1 caption, 1 tag, checked" in capsys.readouterr().out
    card = " ".join((folder / "README.md").read_text().split())
    assert "1 have a caption (1 captions in all)" in card
    assert "may hold placeholders" in card, "the test split's first row has one"
    assert '{"text": "", "confidence": 0.0' in (folder / "test/metadata.jsonl").read_text()

    call_command("export", str(folder), format="kohya", out=tmp_path / "lora")
    assert "2 pictures, 2 texts, checked" in capsys.readouterr().out


def test_the_test_split_stays_out_of_training_though_no_other_image_is_there(garden):
    in_split(garden, "test")
    counts = snapshot_folder.read_manifest(frozen(garden))["counts"]
    assert (counts["train"], counts["test"]) == (0, 1)
