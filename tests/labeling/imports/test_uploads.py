"""Uploads in parts: what is interrupted goes on, what lies or is too much is refused."""

import zipfile
from pathlib import Path

import pytest
from django.core.files.base import ContentFile

from labeling.decoding import ImageRejected
from labeling.imports import archives, staging, upload_members, uploads, zips
from labeling.imports.members import Member, Rejection, TooManyMembers
from labeling.imports.uploads import Announced, Part
from labeling.models import Event, Import, Project
from tests.labeling.imports.sources import tarred, zipped
from tests.labeling.imports.uploading import announce, begin, send, upload
from tests.pictures import png

pytestmark = pytest.mark.django_db


@pytest.fixture
def birds(db) -> Project:
    return Project.objects.create(slug="birds", name="Birds")


def staged(record: Import) -> dict[str, bytes]:
    """What lies on the server's disk, by path."""
    return {
        str(path.relative_to(staging.folder_of(record))): path.read_bytes()
        for path in sorted(staging.folder_of(record).rglob("*"))
        if path.is_file()
    }


def read(record: Import) -> dict[str, object]:
    """The members of an upload: their bytes, or why they are refused."""
    return {each.path: content(each) for each in upload_members.members(record)()}


def content(member: Member | Rejection) -> object:
    try:
        return member.read(2**20) if isinstance(member, Member) else member.reason
    except ImageRejected as error:
        return str(error)


def test_files_come_in_parts_and_are_handed_to_a_worker(birds, carol):
    record = begin(birds, carol, {"box/owl.png": b"owl owl", "box/wren.png": b"wren"})
    send(record, 0, b"owl ")
    send(record, 1, b"wren")
    with pytest.raises(uploads.UploadConflict, match=r"Parts of 1 files are missing: box/owl\.png"):
        uploads.complete(record=record, by=carol)
    send(record, 0, b"owl", 4)
    record = uploads.complete(record=record, by=carol)
    assert (record.state, record.files, record.bytes, record.received) == ("reading", 2, 11, 11)
    assert read(record) == {"box/owl.png": b"owl owl", "box/wren.png": b"wren"}
    assert staged(record).keys() == {"0/0", "0/1"}, "the disk knows no name that a client gave"
    assert Event.objects.get().message == "Uploaded “box”: 2 files, 11 bytes."


def test_small_files_come_together(birds, carol):
    record = begin(birds, carol, {"a.png": b"a", "b.png": b"bb"})
    parts = [Part(0, 0, ContentFile(b"a")), Part(1, 0, ContentFile(b"bb"))]
    assert [row.received for row in uploads.receive(record=record, parts=parts)] == [1, 2]


def test_a_part_that_comes_twice_changes_nothing(birds, carol):
    record = begin(birds, carol, {"a.png": b"abcdef"})
    for data, offset in ((b"abc", 0), (b"abc", 0), (b"bcde", 1), (b"a", 0)):
        row = send(record, 0, data, offset)
    assert row.received == 5
    send(record, 0, b"f", 5)
    record.refresh_from_db()
    assert (record.received, staged(record)["0/0"]) == (6, b"abcdef")


def test_a_gap_is_refused_with_what_has_come(birds, carol):
    record = begin(birds, carol, {"a.png": b"abcdef"})
    send(record, 0, b"ab")
    with pytest.raises(uploads.PartMissing, match=r"Of “a\.png” 2 bytes have come"):
        send(record, 0, b"ef", 4)


def test_the_same_folder_goes_on_where_it_stopped(birds, carol, bea):
    files = {"a.png": b"abcdef", "b.png": b"b"}
    record = begin(birds, carol, files, fingerprint="f" * 64)
    send(record, 0, b"abc")
    again, new = uploads.begin(project=birds, by=carol, name="box", fingerprint="f" * 64)
    assert (again, new) == (record, False)
    assert [row.received for row in announce(again, files)] == [3, 0]
    again.refresh_from_db()
    assert (again.files, again.bytes) == (2, 7)
    assert uploads.begin(project=birds, by=bea, name="box", fingerprint="f" * 64)[1]
    assert uploads.begin(project=birds, by=carol, name="box", fingerprint="e" * 64)[1]


def test_a_file_that_changed_meanwhile_begins_anew(birds, carol):
    record = begin(birds, carol, {"a.png": b"abcdef"})
    send(record, 0, b"abcdef")
    (row,) = uploads.announce(record=record, files=[Announced("a.png", 3, 99)])
    record.refresh_from_db()
    assert (row.number, row.received, record.bytes, record.received) == (0, 0, 3, 0)
    send(record, 0, b"xyz")
    assert read(uploads.complete(record=record, by=carol)) == {"a.png": b"xyz"}


def test_a_file_does_not_become_larger_than_it_said(birds, carol):
    record = begin(birds, carol, {"a.png": b"abc"})
    for data, offset in ((b"abcd", 0), (b"d", 3), (b"", 4)):
        with pytest.raises(uploads.UploadError, match="larger than the 3 bytes"):
            send(record, 0, data, offset)
    with pytest.raises(uploads.UploadError, match=r"no file no\. 7"):
        send(record, 7, b"x")
    assert not staging.folder_of(record).exists()


HOSTILE = {
    "../../etc/passwd": "its path leaves the folder",
    "/etc/passwd": "its path leaves the folder",
    "C:\\windows\\owl.png": "its path leaves the folder",
    "a\\..\\..\\owl.png": "its path leaves the folder",
    "../box.zip": "its path leaves the folder",
    "owl\0.png": "control characters in its path",
    "owl\x1b[31m.png": "control characters in its path",
    "owl\ud800.png": "control characters in its path",
    "owl\u202egnp.exe": "control characters in its path",
    "x" * 10_000 + ".png": "its path is longer than 500 characters",
    "": "it has no name",
    " / ": "it has no name",
    "box.7z": "an archive of a kind that is not read: pack a zip or a tar",
}


def test_hostile_paths_are_refused_with_a_reason_and_counted(birds, carol):
    files = dict.fromkeys(HOSTILE, b"x") | {"owl.png": b"owl"}
    record = begin(birds, carol, files)
    rows = announce(record, files)
    assert [row.problem for row in rows] == [*HOSTILE.values(), ""]
    assert record.uploaded_files.count() == len(files)
    assert all(row.path.isprintable() or row.path.strip() == "" for row in rows[:-1])
    with pytest.raises(uploads.UploadError, match="is refused"):
        send(record, 0, b"x")
    send(record, len(HOSTILE), b"owl")
    members = read(uploads.complete(record=record, by=carol))
    assert members.pop("owl.png") == b"owl"
    assert sorted(members.values()) == sorted(HOSTILE.values())


def test_two_paths_that_are_too_long_stay_two(birds, carol):
    rows = announce(begin(birds, carol, {}), {"x" * 1_000 + end: b"x" for end in "ab"})
    assert rows[0].path != rows[1].path


def test_what_file_managers_leave_is_passed_over(birds, carol):
    record = begin(birds, carol, {})
    assert announce(record, {"box/.DS_Store": b"x", "box/Thumbs.db": b"x"}) == [None, None]
    with pytest.raises(uploads.UploadError, match="no file that can be imported"):
        uploads.complete(record=record, by=carol)


def test_a_file_that_no_import_would_read_is_not_even_sent(birds, carol, settings):
    settings.IMAGE_MAX_BYTES = 2**20
    record = begin(birds, carol, {})
    files = [Announced("film.mp4", 2**21), Announced("all.zip", 2**21), Announced("a.cls", 2**17)]
    problems = [row.problem for row in uploads.announce(record=record, files=files)]
    assert problems == ["larger than 1 MB", "", "larger than 0.0625 MB"]


def test_an_upload_is_no_larger_than_the_settings_allow(birds, carol, settings):
    settings.UPLOAD_MAX_BYTES, settings.UPLOAD_MAX_FILES = 10, 3
    with pytest.raises(uploads.UploadTooLarge, match="10 bytes are the limit"):
        uploads.begin(project=birds, by=carol, name="box", size=11)
    with pytest.raises(uploads.UploadTooLarge, match="3 files are the limit"):
        uploads.begin(project=birds, by=carol, name="box", files=4)
    record = begin(birds, carol, {"a.png": b"123456"})
    with pytest.raises(uploads.UploadTooLarge):
        announce(record, {"b.png": b"123456"})
    with pytest.raises(uploads.UploadTooLarge):
        announce(record, dict.fromkeys("bcd", b""))
    record.refresh_from_db()
    assert (record.files, record.bytes, record.uploaded_files.count()) == (1, 6, 1)


def test_a_project_has_no_more_unfinished_uploads_than_the_settings_allow(birds, carol, settings):
    settings.UPLOAD_MAX_UNFINISHED = 1
    upload(birds, carol, {"a.png": b"a"})
    begin(birds, carol, {"a.png": b"a"})
    with pytest.raises(uploads.UploadConflict, match="finish or cancel one"):
        begin(birds, carol, {"a.png": b"a"})


def test_a_full_disk_loses_nothing(birds, carol, settings):
    record = begin(birds, carol, {"a.png": b"abcdef"})
    send(record, 0, b"abc")
    settings.UPLOAD_MIN_FREE_BYTES = 2**62
    for step in (
        lambda: send(record, 0, b"def", 3),
        lambda: announce(record, {"b.png": b"b"}),
        lambda: begin(birds, carol, {}),
    ):
        with pytest.raises(staging.DiskFull, match="What has come is kept"):
            step()
    settings.UPLOAD_MIN_FREE_BYTES = 0
    assert send(record, 0, b"def", 3).received == 6


def test_a_disk_that_fills_up_within_a_part_is_told_as_such(birds, carol, monkeypatch):
    record = begin(birds, carol, {"a.png": b"abc"})
    monkeypatch.setattr(staging, "path_of", lambda record, number: Path("/dev/full"))
    with pytest.raises(staging.DiskFull):
        send(record, 0, b"abc")
    monkeypatch.undo()
    assert send(record, 0, b"abc").received == 3


def test_an_archived_project_takes_no_pictures(birds, carol):
    record = begin(birds, carol, {"a.png": b"a"})
    send(record, 0, b"a")
    Project.objects.update(state="archived")
    for step in (
        lambda: begin(birds, carol, {}),
        lambda: uploads.complete(record=record, by=carol),
    ):
        with pytest.raises(uploads.UploadConflict, match="The project is archived"):
            step()


def test_an_upload_of_a_deleted_project_is_gone(birds, carol):
    record = begin(birds, carol, {"a.png": b"a"})
    birds.delete()
    with pytest.raises(uploads.UploadConflict, match="was deleted, with its project"):
        send(record, 0, b"a")


def test_an_upload_is_completed_once(birds, carol):
    record = upload(birds, carol, {"a.png": b"a"}, start_at_once=True)
    again = uploads.complete(record=record, by=carol)
    assert (again.state, again.start_at_once, Event.objects.count()) == ("reading", True, 1)
    for step in (lambda: send(record, 0, b"a"), lambda: announce(record, {"b.png": b""})):
        with pytest.raises(uploads.UploadConflict, match="is complete"):
            step()


def test_an_archive_alone_keeps_its_paths(birds, carol, tmp_path):
    data = zipped(tmp_path / "box.zip", [("owl/1.png", png(1))]).read_bytes()
    assert read(upload(birds, carol, {"box.zip": data})) == {"owl/1.png": png(1)}


def test_archives_and_loose_files_are_one_source(birds, carol, tmp_path):
    packed = zipped(tmp_path / "owl.zip", [("1.png", png(1)), ("../2.png", png(2))]).read_bytes()
    tarred(tmp_path / "wren.tar.gz", [("3.png", png(3))], "w:gz")
    files = {
        "owl.zip": packed,
        "wren.tar.gz": (tmp_path / "wren.tar.gz").read_bytes(),
        "4.png": png(4),
        "owl/1.png": png(5),
    }
    assert read(upload(birds, carol, files)) == {
        "4.png": png(4),
        "owl/1.png": png(5),
        "owl.zip/1.png": png(1),  # no two of them share a folder
        "owl.zip/../2.png": "its path leaves the archive",
        "wren/3.png": png(3),
    }


def test_an_archive_that_is_none_is_refused_by_its_content(birds, carol, tmp_path):
    zipped(tmp_path / "whole.zip", [("1.png", png(1))])
    tarred(tmp_path / "whole.tar", [("1.png", png(1)), ("2.png", png(2))])
    files = {
        "a.zip": png(1),
        "b.zip": (tmp_path / "whole.zip").read_bytes()[:-30],
        "c.tar": (tmp_path / "whole.tar").read_bytes()[:1600],
        "d.zip": b"",
    }
    problems = read(upload(birds, carol, files))
    assert problems["a.zip"] == problems["b.zip"] == archives.NO_ARCHIVE
    assert problems["c.tar"] == "the archive is cut off or damaged: what follows was not read"


def test_an_archive_is_no_bomb(birds, carol, settings, tmp_path):
    zeros = [(f"{number}.png", b"\0" * 30_000) for number in range(10)]
    zipped(tmp_path / "many.zip", zeros)
    tarred(tmp_path / "many.tgz", zeros, "w:gz")
    files = {name: (tmp_path / name).read_bytes() for name in ("many.tgz", "many.zip")}
    record = upload(birds, carol, files)
    assert sum(map(len, files.values())) < 5_000
    settings.UPLOAD_MAX_BYTES = 100_000
    problems = read(record)
    assert len(problems) == (3 + 1) * 2, "three members of each, and why there are no more"
    reason = "unpacks to more than 100,000 bytes: the rest was not read"
    assert problems["many.zip"] == problems["many.tgz"] == reason
    settings.UPLOAD_MAX_FILES = 2
    problems = read(record)
    assert problems["many.tgz"] == "an archive of more than 2 files: what follows was not read"
    assert problems["many.zip"] == "an archive of more than 2 files"


def test_the_directory_of_a_zip_is_counted_whatever_its_end_says(tmp_path, monkeypatch):
    few, many = [("a.png", b"a"), ("b.png", b"b")], [(f"{n}.png", b"a") for n in range(9)]
    assert len(list(zips.members(zipped(tmp_path / "few.zip", few), most=2))) == 2
    path = zipped(tmp_path / "plain.zip", many)
    with pytest.raises(TooManyMembers):
        list(zips.members(path, most=8))
    data = bytearray(path.read_bytes())
    data[-6:-2] = b"PK\5\6"  # the offset of the directory, which `zipfile` puts right by itself
    path.write_bytes(data)
    with pytest.raises(TooManyMembers):
        list(zips.members(path, most=8))
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    path = zipped(tmp_path / "zip64.zip", many)
    data = bytearray(path.read_bytes())
    data[-10:-6] = bytes(4)  # the size of the directory, which the record of 64 bits says too
    path.write_bytes(data)
    with pytest.raises(TooManyMembers):
        list(zips.members(path, most=8))


def test_what_the_servers_disk_lost_is_refused(birds, carol):
    record = upload(birds, carol, {"a.png": b"a", "b.png": b"bb", "empty.png": b""})
    Path(staging.path_of(record, 0)).unlink()
    Path(staging.path_of(record, 1)).write_bytes(b"b")
    assert read(record) == {
        "a.png": upload_members.LOST,
        "b.png": upload_members.LOST,
        "empty.png": b"",
    }


def test_what_no_row_names_is_swept_from_the_disk(birds, carol, monkeypatch):
    record = begin(birds, carol, {"a.png": b"a", "b.png": b"b"})
    send(record, 0, b"a")
    folder = staging.folder_of(record)
    monkeypatch.setattr(staging, "ORPHANED_AFTER", -1.0)
    assert staging.remove_orphans({record.folder}) == 0 and folder.exists()
    assert staging.remove_orphans(set()) == 1 and not folder.exists()


def test_what_has_come_stays_where_a_changed_announcement_is_refused(birds, carol, settings):
    record = begin(birds, carol, {"a.png": b"aaaa"})
    send(record, 0, b"aa")
    settings.UPLOAD_MAX_BYTES = 10
    with pytest.raises(uploads.UploadTooLarge):
        uploads.announce(record=record, files=[Announced("a.png", 11)])
    assert list(staged(record).values()) == [b"aa"]
