"""A worker makes an export: once, resumed after a kill, and refused with a word."""

import errno
import io
import shutil
import tarfile
import zipfile
from collections import namedtuple
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from labeling import exports, folder_deletions, removal, snapshots, tasks
from labeling.exports import jobs
from labeling.exports.pictures import Picture
from labeling.models import Event, Export, LeaseLost
from labeling.snapshots import local_folder
from tests.labeling.garden import add_captioned

pytestmark = pytest.mark.django_db
State = Export.State


@pytest.fixture(autouse=True)
def report_every_picture(monkeypatch):
    monkeypatch.setattr("labeling.jobs.REPORT_EVERY", 0.0)


@pytest.fixture
def snapshot(garden):
    add_captioned(garden)
    return snapshots.freeze(project=garden)


def begin(snapshot, format="kohya", **values) -> Export:
    return jobs.begin(snapshot=snapshot, format=format, values=values)


def unpacked(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def meanwhile(monkeypatch, action, number: int = 3) -> list[str]:
    """Do something once, when that picture is read; return the names of those that were read."""
    read, names = Picture.data, []

    def data(picture) -> bytes:
        names.append(picture.name)
        if len(names) == number:
            action()
        return read(picture)

    monkeypatch.setattr(Picture, "data", data)
    return names


def test_a_worker_makes_it_and_it_is_downloaded(snapshot, tmp_path):
    export = jobs.advance(begin(snapshot))
    assert (export.state, export.progress, export.attempts) == (State.READY, 1.0, 1)
    assert export.counts == {"pictures": 6, "texts": 6}
    exports.export(folder=local_folder(snapshot), format="kohya", out=tmp_path / "out")
    held = unpacked(b"".join(jobs.archive(export, "zip")))
    assert held == {
        path.relative_to(tmp_path / "out").as_posix(): path.read_bytes()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    with tarfile.open(fileobj=io.BytesIO(b"".join(jobs.archive(export, "tar")))) as archive:
        assert {name.partition("/")[2] for name in archive.getnames()} == held.keys()
        assert {(member.mtime, member.uid, member.uname) for member in archive} == {(0, 0, "")}


def test_nothing_of_it_lies_about_afterwards(snapshot, settings):
    export = jobs.advance(begin(snapshot))
    assert folders(settings) == [str(export.pk)]
    assert export.key == "", "whoever reads the database cannot tell who a pseudonym is"
    kinds = Event.objects.filter(kind=Event.Kind.SNAPSHOT).values_list("message", flat=True)
    assert any("is ready: 6 pictures, 6 texts" in message for message in kinds)


def folders(settings) -> list[str]:
    return sorted(path.name for path in Path(settings.MEDIA_ROOT, "exports").iterdir())


class Killed(BaseException):
    pass


def kill() -> None:
    raise Killed


def let_expire(export: Export) -> None:
    past = timezone.now() - timedelta(seconds=1)
    Export.objects.filter(pk=export.pk).update(lease_until=past)


def test_one_that_was_killed_goes_on_with_what_is_whole(snapshot, monkeypatch):
    export = begin(snapshot)
    with monkeypatch.context() as patch:
        meanwhile(patch, kill, number=5)
        with pytest.raises(Killed):
            jobs.advance(export)
    names = meanwhile(monkeypatch, lambda: None)
    tasks.make_due_exports()
    export.refresh_from_db()
    assert export.state == State.READY and len(names) == 2
    whole = jobs.advance(begin(snapshot))
    assert export.sha256 == whole.sha256


def test_a_second_worker_leaves_it_to_the_first(snapshot, monkeypatch):
    export, states = begin(snapshot), []
    meanwhile(monkeypatch, lambda: states.append(jobs.advance(export).state))
    assert jobs.advance(export).state == State.READY
    assert states == [State.WRITING]


def test_a_worker_that_was_taken_over_writes_nothing_more(snapshot, monkeypatch):
    export = begin(snapshot)

    def take_over() -> None:
        let_expire(export)
        assert jobs.advance(export).state == State.READY

    meanwhile(monkeypatch, take_over)
    with pytest.raises(LeaseLost):
        jobs.advance(export)
    export.refresh_from_db()
    assert export.state == State.READY
    assert len(unpacked(b"".join(jobs.archive(export, "zip")))) == 6 * 2 + 4


def test_one_whose_workers_die_is_given_up(snapshot):
    export = begin(snapshot)
    for _ in range(jobs.ATTEMPTS):
        Export.objects.acquire(export.pk, attempts=export.attempts + 1)
        export.refresh_from_db()
        let_expire(export)
    tasks.make_due_exports()
    export.refresh_from_db()
    assert export.state == State.FAILED and "worker was lost" in export.error


def test_it_is_refused_where_the_disk_has_no_place(snapshot, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1, 1, 10))
    with pytest.raises(exports.DiskFull, match=r"are free"):
        begin(snapshot)
    assert not Export.objects.exists()


def test_it_waits_for_room_on_a_disk_that_fills_meanwhile(snapshot, monkeypatch, settings):
    def fill() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        meanwhile(patch, fill, number=5)
        export = jobs.advance(begin(snapshot))
    assert export.status.startswith("waiting. The disk is full: free some space.")
    assert folders(settings) == [f".draft-{export.pk}"]
    names = meanwhile(monkeypatch, lambda: None)
    let_expire(export)
    tasks.make_due_exports()
    export.refresh_from_db()
    assert (export.status, export.error, export.attempts) == ("ready", "", 1)
    assert len(names) == 2, "what was whole is kept"


def test_it_waits_where_there_is_no_place_any_more(snapshot, monkeypatch):
    export, usage = begin(snapshot), namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1, 1, 10))
    assert jobs.advance(export).status.startswith("waiting. The disk is full")


def test_a_picture_removed_since_is_not_handed_out(garden, snapshot, bea):
    gone = garden.images.order_by("pk").first()
    removal.remove([gone], by=bea, reason="It was asked for.")
    snapshot.refresh_from_db()
    export = jobs.advance(begin(snapshot))
    assert export.counts["pictures"] == 5
    assert export.left_out["pictures: removed from the project since"] == 1
    names = unpacked(b"".join(jobs.archive(export, "zip")))
    assert not any(gone.sha256[:16] in name for name in names)


def test_a_damaged_snapshot_fails_with_a_word(snapshot):
    next(local_folder(snapshot).glob("*/*.webp")).unlink()
    export = jobs.advance(begin(snapshot))
    assert export.state == State.FAILED and "freeze a new snapshot" in export.error


@pytest.mark.parametrize(
    ("format", "values", "word"),
    [("zarr", {}, "no format"), ("kohya", {"sidecar": "tags"}, "no option")],
)
def test_what_cannot_be_made_is_refused_at_once(snapshot, format, values, word):
    with pytest.raises(exports.ExportError, match=word):
        jobs.begin(snapshot=snapshot, format=format, values=values)


def test_its_files_go_with_it(snapshot, django_capture_on_commit_callbacks, bea):
    export = jobs.advance(begin(snapshot))
    assert default_storage.exists(f"{export.folder}/MANIFEST.sha256")
    with django_capture_on_commit_callbacks(execute=True):
        jobs.delete(export=export, by=bea)
    folder_deletions.delete_folders()
    assert not default_storage.exists(export.folder)
    assert not Export.objects.exists()


def test_a_bucket_holds_it_as_well(remote, snapshot, settings):
    export = jobs.advance(begin(snapshot))
    assert export.state == State.READY, export.error
    assert any(key.startswith(f"{export.folder}/dataset.toml") for key in remote.keys("files"))
    assert len(unpacked(b"".join(jobs.archive(export, "zip")))) == 6 * 2 + 4
    folder_deletions.schedule([export.folder])
    folder_deletions.delete_folders()
    assert not any(key.startswith("exports/") for key in remote.keys("files"))
    with pytest.raises(exports.ExportError, match="have gone"):
        jobs.archive(export, "zip")
