"""Uploads where the storage is a bucket: in pieces, and gone once they are imported."""

import io
from collections.abc import Mapping

import pytest
from django.core.files.storage import default_storage

from labeling import tasks
from labeling.decoding import ImageRejected
from labeling.imports import runner, staging, upload_members, uploads
from labeling.models import Import, Project
from labeling.stored_folders.errors import StorageAway
from tests.fake_bucket import FakeBucket
from tests.labeling.imports.sources import zipped
from tests.labeling.imports.uploading import begin, send, upload
from tests.pictures import png

pytest_plugins = ["tests.buckets"]
pytestmark = pytest.mark.django_db
FILES = {"box/owl/1.png": png(1), "box/Wren/2.png": png(2), "box/Wren/2.txt": b"bird, small"}


@pytest.fixture
def birds(db) -> Project:
    return Project.objects.create(slug="birds", name="Birds")


@pytest.fixture
def stored(stored_in_bucket) -> FakeBucket:
    return stored_in_bucket


def staged(stored: FakeBucket) -> dict[str, bytes]:
    """What lies in the bucket of uploads, by the end of its key."""
    root = "tessera/uploads/"
    keys = [key for key in stored.keys("files") if key.startswith(root)]
    return {key.removeprefix(root).partition("/")[2]: stored["files", key] for key in keys}


def contents(record: Import) -> Mapping[str, object]:
    return {each.path: each.read(10**6) for each in upload_members.members(record)()}


def test_a_file_lies_in_pieces_and_is_read_whole(birds, carol, stored):
    record = begin(birds, carol, {"a.png": b"abcdefgh", "b.png": b"b"})
    send(record, 1, b"b")
    assert send(record, 0, b"abc").received == 3
    with pytest.raises(uploads.PartMissing):
        send(record, 0, b"fgh", 5)
    assert send(record, 0, b"bcdef", 1).received == 6, "what has come already is passed over"
    assert send(record, 0, b"abc").received == 6
    assert send(record, 0, b"gh", 6).received == 8
    assert staged(stored) == {"0/0/0": b"abc", "0/0/3": b"def", "0/0/6": b"gh", "0/1/0": b"b"}
    assert contents(record) == {"a.png": b"abcdefgh", "b.png": b"b"}


def test_a_piece_that_a_request_left_which_was_not_counted_does_no_harm(birds, carol, stored):
    record = begin(birds, carol, {"a.png": b"abcdefgh"})
    send(record, 0, b"abc")
    staging.write(record, [staging.Piece(0, 3, b"d"), staging.Piece(0, 4, b"xyz")])
    send(record, 0, b"defgh", 3)
    assert contents(record) == {"a.png": b"abcdefgh"}


def test_an_upload_is_imported_and_then_gone(
    birds, carol, stored, django_capture_on_commit_callbacks
):
    record = upload(birds, carol, FILES, start_at_once=True)
    with django_capture_on_commit_callbacks(execute=True):
        tasks.advance_import(record.pk)
    record.refresh_from_db()
    assert (record.state, record.counts["taken"]) == ("done", 2)
    assert staged(stored) == {} and not staging.folder_of(record).exists()
    for image in birds.images.all():
        assert default_storage.exists(image.file.name)


def test_an_archive_is_read_from_a_copy_that_goes(
    birds, carol, stored, tmp_path, django_capture_on_commit_callbacks
):
    archive = zipped(tmp_path / "box.zip", list(FILES.items())).read_bytes()
    record = begin(birds, carol, {"box.zip": archive})
    half = len(archive) // 2
    send(record, 0, archive[:half])
    send(record, 0, archive[half:], half)
    uploads.complete(record=record, by=carol, start_at_once=True)
    runner.advance(record)
    assert staging.path_of(record, 0).read_bytes() == archive
    with django_capture_on_commit_callbacks(execute=True):
        tasks.advance_import(record.pk)
    record.refresh_from_db()
    assert (record.state, record.counts["taken"]) == ("done", 2)
    assert not staging.folder_of(record).exists()


def test_a_piece_that_was_lost_is_a_refusal_by_name(birds, carol, stored):
    record = begin(birds, carol, {"a.png": b"abcd", "b.png": b"b"})
    send(record, 0, b"ab")
    send(record, 0, b"cd", 2)
    send(record, 1, b"b")
    lost = next(key for key in stored.keys("files") if key.endswith("/0/2"))
    del stored.objects["files"][lost]
    members = upload_members.members(record)()
    with pytest.raises(ImageRejected, match="lost on the server"):
        next(members).read(100)
    second = next(members)
    assert (second.path, second.read(100)) == ("b.png", b"b")


def test_a_bucket_that_is_full_is_told_as_such_and_it_goes_on(birds, carol, stored):
    record = begin(birds, carol, {"a.png": b"abc"})
    stored.refuse("PUT", 1, 507, "InsufficientStorage")
    with pytest.raises(staging.DiskFull, match="go on once there is room"):
        send(record, 0, b"abc")
    assert send(record, 0, b"abc").received == 3


def test_a_bucket_that_is_away_delays_an_import_and_refuses_no_picture(birds, carol, stored):
    record = upload(birds, carol, FILES, start_at_once=True)
    record = runner.advance(record)
    url, stored.url = stored.url, ""
    stored.before = lambda request: stored.refuse("", 1, 503, "SlowDown")
    tasks.advance_import(record.pk)
    record.refresh_from_db()
    assert record.state == "importing" and "goes on by itself" in record.error
    stored.before, stored.url = lambda request: None, url
    stored.refusals.clear()
    tasks.advance_imports()
    record.refresh_from_db()
    assert (record.state, record.counts["taken"], record.counts["refused"]) == ("done", 2, 0)


def test_what_no_row_names_is_swept_from_the_bucket(birds, carol, stored, monkeypatch):
    record = begin(birds, carol, {"a.png": b"a", "b.png": b"b"})
    send(record, 0, b"a")
    assert staging.remove_orphans(set()) == 1, "the fake's files are old"
    assert staged(stored) == {}
    send(record, 1, b"b")
    assert staging.remove_orphans({record.folder}) == 0
    monkeypatch.setattr(staging, "ORPHANED_AFTER", float("inf"))
    assert staging.remove_orphans(set()) == 0 and len(staged(stored)) == 1


def test_very_many_files_are_deleted_by_the_sweep(birds, carol, stored, monkeypatch):
    record = begin(birds, carol, {"a.png": b"a", "b.png": b"b"})
    send(record, 0, b"a")
    record.refresh_from_db()
    monkeypatch.setattr(staging, "AT_ONCE", 1)
    staging.remove(record)
    assert len(staged(stored)) == 1
    assert staging.remove_orphans(set()) == 1 and not staged(stored)


def test_copies_of_what_another_machine_was_done_with_are_swept(birds, carol, stored):
    kept, ended = (begin(birds, carol, {"a.zip": b"abc"}) for _ in range(2))
    for record in (kept, ended):
        send(record, 0, b"abc")
        assert staging.local(record, 0, 3).read_bytes() == b"abc"
    ended.uploaded_files.all().delete()  # as when it is done
    staging.remove_copies()
    assert staging.folder_of(kept).exists() and not staging.folder_of(ended).exists()


def test_a_file_that_begins_anew_leaves_nothing(birds, carol, stored):
    record = begin(birds, carol, {"a.png": b"abcd"})
    send(record, 0, b"ab")
    uploads.announce(record=record, files=[uploads.Announced("a.png", 3)])
    assert staged(stored) == {}
    send(record, 0, b"xyz")
    assert contents(record) == {"a.png": b"xyz"}


def test_a_file_of_this_machine_is_put_in_pieces(birds, carol, stored, tmp_path, monkeypatch):
    monkeypatch.setattr(staging, "PIECE", 4)
    record = begin(birds, carol, {"a.png": b"abcdefghi"})
    path = tmp_path / "a.png"
    path.write_bytes(b"abcdefghi")
    staging.put(record, 0, path)
    assert staged(stored) == {"0/0/0": b"abcd", "0/0/4": b"efgh", "0/0/8": b"i"}
    assert not path.exists()
    assert io.BytesIO(staging.read(record, 0, 9)).read() == b"abcdefghi"


def test_a_storage_that_is_away_is_no_verdict_on_a_file(birds, carol, stored):
    record = upload(birds, carol, FILES)
    stored.before = lambda request: stored.refuse("", 1, 503, "SlowDown")
    with pytest.raises(StorageAway):
        contents(record)
