"""Archives within a folder: shards, each a source of its own."""

import io
import json
import sys

import pyarrow
import pytest
from pyarrow import parquet

from labeling.imports import archives, upload_members
from labeling.management.commands import import_images
from labeling.models import Image, Import, Project
from tests.labeling.imports.sources import captions, take, tarred, write, zipped
from tests.labeling.imports.uploading import upload
from tests.pictures import jpeg, png

pytestmark = pytest.mark.django_db


@pytest.fixture
def birds(db):
    return Project.objects.create(slug="birds", name="Birds")


def shard(folder, number, words):
    """Write a shard as img2dataset does: pictures, texts and rows, a table and figures beside."""
    members, rows = [], []
    for place, text in enumerate(words):
        key = f"{number:05d}{place:04d}"
        row = {
            **{"caption": text, "url": f"https://pictures.example/{key}.jpg", "key": key},
            **{"status": "success", "error_message": None, "width": 96, "height": 96},
            **{"original_width": 96, "original_height": 96, "exif": "{}", "sha256": "00"},
        }
        rows.append(row)
        members += [
            (f"{place:04d}.jpg", jpeg(10 * number + place)),
            (f"{place:04d}.txt", text.encode()),
            (f"{place:04d}.json", json.dumps(row).encode()),
        ]
    tarred(folder / f"{number:05d}.tar", members)
    parquet.write_table(pyarrow.Table.from_pylist(rows), folder / f"{number:05d}.parquet")
    figures = {"count": len(rows), "successes": len(rows), "failed_to_download": 0}
    write(folder, f"{number:05d}_stats.json", json.dumps(figures))


def test_the_shards_of_img2dataset_are_imported_each_with_keys_of_its_own(box):
    shard(box, 0, ["words for the first", "words for the second"])
    shard(box, 1, ["other words for the first"])
    output = take(box)
    assert "imported 3," in output
    assert captions() == {
        ("00000/0000.jpg", "words for the first"),
        ("00000/0001.jpg", "words for the second"),
        ("00001/0000.jpg", "other words for the first"),
    }


def test_a_text_beside_a_shard_is_of_none_of_its_pictures(box):
    zipped(box / "a.zip", [("1.png", png(1))])
    write(box, "1.txt", "words of another picture")
    output = take(box)
    assert "a text without a picture of the same name: 1.txt" in output and not captions()


def test_shards_of_one_name_and_a_folder_of_that_name_are_kept_apart(box):
    zipped(box / "a.zip", [("1.png", png(1)), ("1.txt", b"words for one")])
    tarred(box / "a.tar", [("1.png", png(2)), ("1.txt", b"words for two")])
    write(box, "a/1.png", png(3))
    write(box, "a/1.txt", "words for three")
    assert "imported 3," in take(box)
    assert captions() == {
        ("a.tar/1.png", "words for two"),
        ("a.zip/1.png", "words for one"),
        ("a/1.png", "words for three"),
    }


def test_an_upload_of_shards_is_read_as_the_folder_is(birds, carol, box):
    shard(box, 0, ["words for the first"])
    shard(box, 1, ["words for the second"])
    files = {path.name: path.read_bytes() for path in sorted(box.glob("*.tar"))}
    by_upload = {each.path for each in upload_members.members(upload(birds, carol, files))()}
    assert by_upload == {
        f"0000{number}/0000.{kind}" for number in (0, 1) for kind in ("jpg", "txt", "json")
    }


def test_shards_that_cannot_be_read_are_refused_by_name(box):
    write(box, "00000.tar", png(1))
    whole = tarred(box / "00001.tar", [(f"{n}.png", png(n)) for n in range(3)]).read_bytes()
    write(box, "00001.tar", whole[:2_000])
    write(box, "00002.7z", b"7z")
    tarred(box / "00003.tar", [("a.png", png(5))])
    output = take(box)
    assert f"{archives.NO_ARCHIVE}: 00000.tar" in output
    assert "what follows was not read: 00001.tar" in output
    assert "an archive of a kind that is not read: pack a zip or a tar: 00002.7z" in output
    assert "Not all was there to read: 00000.tar, 00001.tar." in output
    assert "00003/a.png" in Image.objects.values_list("source", flat=True)


@pytest.mark.parametrize("end", [0, 512, 700])
def test_a_tar_without_its_end_is_not_done_in_silence(end, tmp_path):
    """Cut between two members, within a header, or within a picture."""
    whole = tarred(tmp_path / "whole.tar", [("a.png", png(1)), ("b.png", png(2))]).read_bytes()
    second = whole.index(b"b.png")
    path = tmp_path / "cut.tar"
    path.write_bytes(whole[: second + end])
    output = take(path)
    assert "the archive is cut off or damaged: what follows was not read: cut.tar" in output
    assert Import.objects.get().counts["cut"] == 1


def test_nonsense_between_two_members_is_not_taken_for_the_end(tmp_path):
    whole = tarred(tmp_path / "whole.tar", [("a.png", png(1)), ("b.png", png(2))]).read_bytes()
    second = whole.index(b"b.png")
    path = tmp_path / "odd.tar"
    path.write_bytes(whole[:second] + b"x" * 512 + whole[second:])
    assert "what follows was not read: odd.tar" in take(path)


@pytest.mark.parametrize(
    ("files", "status"),
    [
        ([("a.png", png(1))], None),
        ([("a.png", png(1)), ("b.png", b"none")], import_images.PARTLY),
        ([("a.png", png(1)), ("b.txt", b"of none")], import_images.PARTLY),
        ([("b.png.txt", b"of none")], 1),
    ],
)
def test_the_exit_status_tells_whether_all_was_imported(files, status, tmp_path, monkeypatch):
    source = zipped(tmp_path / "a.zip", files)
    monkeypatch.setattr("django.db.connections.close_all", lambda: None)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    argv = ["manage.py", "import_images", str(source), "--project", "photos"]
    if status is None:
        import_images.Command().run_from_argv(argv)
        return
    with pytest.raises(SystemExit) as left:
        import_images.Command().run_from_argv(argv)
    assert left.value.code == status


def test_a_single_table_of_pictures_is_a_source(box):
    rows = [{"image": {"bytes": png(n), "path": f"{n}.png"}} for n in range(2)]
    parquet.write_table(pyarrow.Table.from_pylist(rows), box / "pictures.parquet")
    assert "imported 2," in take(box / "pictures.parquet")
