"""A picture is stored once, however many snapshots hold it."""

import os
from pathlib import Path

import pytest

from labeling import removal, snapshot_folder, snapshot_pictures, snapshots
from labeling.models import Question, Snapshot
from labeling.snapshots import local_folder
from tests.labeling.garden import add_many, caption

pytestmark = pytest.mark.django_db


def pictures(snapshot: Snapshot) -> dict[str, Path]:
    return {path.name: path for path in local_folder(snapshot).glob("*/*.webp")}


@pytest.fixture
def first(garden) -> Snapshot:
    add_many(garden, range(1, 5))
    caption(garden.images.first(), "a stripe", 0.9)
    return snapshots.freeze(project=garden)


def changed(garden) -> Snapshot:
    """Freeze again, after a label changed."""
    Question.objects.update(probability=0.6)
    return snapshots.freeze(project=garden)


def test_a_new_snapshot_after_a_changed_label_writes_no_picture_again(garden, first):
    second = changed(garden)
    assert second.folder != first.folder and second.sha256 != first.sha256
    before, after = pictures(first), pictures(second)
    assert len(after) == 4 == sum(before[name].samefile(path) for name, path in after.items())
    snapshot_folder.verify(local_folder(second))


def test_pictures_of_the_storage_are_not_shared_and_those_of_snapshots_are_read_only(first):
    for path in pictures(first).values():
        assert path.stat().st_nlink == 1 and path.stat().st_mode & 0o777 == 0o444


def test_a_picture_that_an_earlier_snapshot_lost_or_spoiled_comes_from_the_storage(garden, first):
    lost, spoiled, *_ = pictures(first).values()
    lost.unlink()
    spoiled.chmod(0o644)
    spoiled.write_bytes(b"something else")
    second = changed(garden)
    assert sum(path.stat().st_nlink == 2 for path in pictures(second).values()) == 2
    snapshot_folder.verify(local_folder(second))


def test_pictures_are_copied_where_there_are_no_hard_links(garden, first, monkeypatch):
    def refuse(*_):
        raise OSError("not on this file system")

    monkeypatch.setattr(os, "link", refuse)
    second = changed(garden)
    assert all(path.stat().st_nlink == 1 for path in pictures(second).values())
    snapshot_folder.verify(local_folder(second))


def test_a_picture_that_is_removed_stays_in_what_was_frozen_and_is_not_linked_again(garden, first):
    image = garden.images.first()
    removal.remove([image], by=None, reason="Somebody asked.")
    second = snapshots.freeze(project=garden)
    name = pictures(first).keys() - pictures(second).keys()
    assert name == {f"{image.sha256[:16]}.webp"}
    snapshot_folder.verify(local_folder(first))


def test_a_picture_whose_split_changed_is_found_in_the_other_one(garden, first):
    path = next(iter(pictures(first).values()))
    split = "test" if path.parent.name == "train" else "train"
    image = garden.images.get(sha256__startswith=path.stem)
    moved = snapshot_pictures.Picture(
        image.pk, f"{split}/{path.name}", image.sha256, "no such file", "it"
    )
    (path.parent.parent / "new" / split).mkdir(parents=True)
    folder = path.parent.parent / "new"
    assert snapshot_pictures.place(moved, folder=folder, earlier=[path.parent.parent]) == 0
