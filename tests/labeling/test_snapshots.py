"""A snapshot is written once, by whoever holds its lease, and published whole or not at all."""

import errno
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.utils import timezone

from labeling import jobs, snapshot_folder, snapshot_pictures, snapshots, tasks
from labeling.models import LeaseLost, Question, Snapshot
from labeling.snapshots import local_folder
from tests.labeling.garden import add, caption

pytestmark = pytest.mark.django_db
State = Snapshot.State


@pytest.fixture(autouse=True)
def report_every_image(monkeypatch):
    monkeypatch.setattr(jobs, "REPORT_EVERY", 0.0)


@pytest.fixture
def project(garden):
    for number in range(1, 5):
        add(garden, number)
    return garden


def let_expire(snapshot: Snapshot) -> None:
    past = timezone.now() - timedelta(seconds=1)
    Snapshot.objects.filter(pk=snapshot.pk).update(lease_until=past)


def folders(settings) -> list[str]:
    return sorted(path.name for path in Path(settings.MEDIA_ROOT, "snapshots").iterdir())


def meanwhile(monkeypatch, action) -> None:
    """Do something once, when the first image is about to be copied."""
    place, todo = snapshot_pictures.place, [action]

    def placed(picture, **more):
        if todo:
            todo.pop()()
        return place(picture, **more)

    monkeypatch.setattr(snapshot_pictures, "place", placed)


def test_the_same_labels_give_the_same_hash_and_new_ones_another(garden):
    caption(add(garden, 1), "a stripe", 0.9)
    first = snapshots.freeze(project=garden)
    second = snapshots.freeze(project=garden)
    Question.objects.update(probability=0.6)
    third = snapshots.freeze(project=garden)
    assert first.sha256 == second.sha256 != third.sha256
    assert first.folder == second.folder != third.folder


def test_a_second_worker_leaves_it_to_the_first(project, settings, monkeypatch):
    snapshot = snapshots.begin(project=project)
    states = []
    meanwhile(monkeypatch, lambda: states.append(snapshots.fill(snapshot).state))
    frozen = snapshots.fill(snapshot)
    assert states == [State.FREEZING]
    assert (frozen.state, frozen.attempts) == (State.READY, 1)
    assert folders(settings) == [Path(frozen.folder).name]


def test_a_worker_that_was_taken_over_writes_nothing_more(project, settings, monkeypatch):
    snapshot = snapshots.begin(project=project)

    def take_over() -> None:
        let_expire(snapshot)
        assert snapshots.fill(snapshot).state == State.READY

    meanwhile(monkeypatch, take_over)
    with pytest.raises(LeaseLost):
        snapshots.fill(snapshot)
    snapshot.refresh_from_db()
    assert (snapshot.state, snapshot.error) == (State.READY, "")
    assert folders(settings) == [Path(snapshot.folder).name]
    snapshot_folder.verify(local_folder(snapshot))


def test_a_slow_worker_keeps_its_lease_and_says_how_far_it_is(project, monkeypatch):
    """However long it takes in all: every image renews what a minute would end."""
    snapshot = snapshots.begin(project=project)
    place, statuses = snapshot_pictures.place, []

    def slowly(picture, **more):
        statuses.append(Snapshot.objects.get(pk=snapshot.pk).status)
        let_expire(snapshot)
        return place(picture, **more)

    monkeypatch.setattr(snapshot_pictures, "place", slowly)
    frozen = snapshots.fill(snapshot)
    assert statuses == [f"freezing, {share}% written" for share in (0, 25, 50, 75)]
    assert (frozen.state, frozen.progress, frozen.status) == (State.READY, 1.0, "ready")


def test_a_dead_workers_snapshot_is_taken_up_after_its_lease(project, settings):
    snapshot = snapshots.begin(project=project)
    dead = jobs.acquire(snapshot)
    draft = Path(settings.MEDIA_ROOT, "snapshots", f".draft-{dead.pk}", dead.lease_token)
    (draft / "train").mkdir(parents=True)
    tasks.freeze_due()
    assert Snapshot.objects.get().state == State.FREEZING, "it may be alive"
    let_expire(snapshot)
    tasks.freeze_due()
    snapshot.refresh_from_db()
    assert (snapshot.state, snapshot.attempts) == (State.READY, 2)
    assert folders(settings) == [Path(snapshot.folder).name]


def test_a_snapshot_that_kills_its_workers_is_given_up(project, settings):
    snapshot = snapshots.begin(project=project)
    for _ in range(snapshots.ATTEMPTS):
        held = jobs.acquire(snapshot)
        draft = Path(settings.MEDIA_ROOT, "snapshots", f".draft-{held.pk}", held.lease_token)
        draft.mkdir(parents=True)
        let_expire(snapshot)
    tasks.freeze_due()
    snapshot.refresh_from_db()
    assert snapshot.state == State.FAILED and "was lost 3 times" in snapshot.error
    assert folders(settings) == []


def test_a_worker_that_is_told_to_stop_leaves_it_to_the_next(project, settings, monkeypatch):
    def stop() -> None:
        raise SystemExit

    snapshot = snapshots.begin(project=project)
    meanwhile(monkeypatch, stop)
    with pytest.raises(SystemExit):
        snapshots.fill(snapshot)
    snapshot.refresh_from_db()
    assert (snapshot.status, snapshot.attempts) == ("waiting for a worker", 0)
    assert folders(settings) == []
    assert snapshots.fill(snapshot).state == State.READY


def test_what_a_worker_killed_while_publishing_left_is_replaced(project, monkeypatch):
    frozen = snapshots.freeze(project=project)
    (local_folder(frozen) / "manifest.json").write_text("{}")
    Snapshot.objects.update(state=State.FREEZING, folder="", sha256="")
    again = snapshots.fill(frozen)
    assert (again.state, again.folder) == (State.READY, frozen.folder)
    snapshot_folder.verify(local_folder(again))


def test_a_damaged_folder_is_not_shared_with_a_new_snapshot(project):
    first = snapshots.freeze(project=project)
    next(local_folder(first).glob("*/*.webp")).unlink()
    second = snapshots.freeze(project=project)
    assert second.sha256 == first.sha256 and second.folder != first.folder
    snapshot_folder.verify(local_folder(second))


@pytest.mark.parametrize("damage", ["lost", "changed"])
def test_an_image_gone_bad_fails_the_snapshot_and_leaves_nothing(garden, settings, damage):
    image = add(garden, 1)
    path = Path(default_storage.path(image.file.name))
    path.unlink() if damage == "lost" else path.write_bytes(b"something else")
    snapshot = snapshots.freeze(project=garden)
    assert snapshot.state == State.FAILED
    assert "1.png" in snapshot.error and "restore it" in snapshot.error
    assert folders(settings) == []


def test_an_empty_project_has_no_snapshot(garden):
    snapshot = snapshots.freeze(project=garden)
    assert snapshot.state == State.FAILED
    assert "import some first" in snapshot.error


def test_a_snapshot_waits_for_room_on_a_full_disk(project, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(snapshots, "_write", full)
        snapshot = snapshots.freeze(project=project)
    assert snapshot.status == (
        "waiting. The disk is full: free some space. It goes on once there is room."
    )
    assert snapshots.fill(snapshot).state == State.FREEZING, "it is not tried at once"
    let_expire(snapshot)
    tasks.freeze_due()
    snapshot.refresh_from_db()
    assert (snapshot.status, snapshot.error, snapshot.attempts) == ("ready", "", 1)


def test_one_that_fails_keeps_no_other_waiting(project, monkeypatch, caplog):
    broken, whole = snapshots.begin(project=project), snapshots.begin(project=project)
    write = snapshots._write

    def fail_once(held, *arguments):
        if held.pk == broken.pk:
            raise MemoryError("too much")
        write(held, *arguments)

    monkeypatch.setattr(snapshots, "_write", fail_once)
    tasks.freeze_due()
    broken.refresh_from_db()
    whole.refresh_from_db()
    assert (broken.state, broken.error) == (State.FAILED, "too much")
    assert whole.state == State.READY
    assert "could not be frozen" in caplog.text


def test_the_command_says_what_it_froze(garden, capsys):
    add(garden, 1)
    call_command("snapshot", project="garden")
    assert "1 pictures" in capsys.readouterr().out


def test_the_command_names_the_projects_that_there_are(garden):
    with pytest.raises(CommandError, match=r"no project “gardn” .*garden"):
        call_command("snapshot", project="gardn")
