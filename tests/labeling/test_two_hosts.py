"""Two machines with one storage elsewhere: one freezes, the other exports, the web compares."""

import io
import zipfile
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from labeling import (
    exports,
    folder_deletions,
    projects,
    removal,
    snapshot_difference,
    snapshot_folder,
    snapshots,
    stored_folders,
    tasks,
)
from labeling.exports import jobs
from labeling.models import Export, FolderDeletion, Image, Question, Snapshot
from tests.labeling.garden import add, caption

State = Snapshot.State


@pytest.fixture
def go_to(settings, tmp_path):
    """Go on as another machine, which has its own files and copies."""

    def go(name: str) -> None:
        stored_folders.release()
        settings.CACHE_ROOT = tmp_path / name
        settings.MEDIA_ROOT = tmp_path / name / "media"

    return go


@pytest.fixture
def project(garden, remote):
    for number in range(1, 5):
        caption(add(garden, number), f"stripes, no. {number}", 0.9)
    return garden


def let_try_again(row: Snapshot | Export) -> None:
    past = timezone.now() - timedelta(seconds=1)
    type(row).objects.filter(pk=row.pk).update(lease_until=past)


def test_one_freezes_another_exports_and_the_web_compares(project, go_to, tmp_path):
    go_to("worker 1")
    first = snapshots.freeze(project=project)
    assert first.state == State.READY, first.error
    add(project, 9)
    second = snapshots.freeze(project=project)
    go_to("worker 2")
    snapshot_folder.verify(snapshots.local_folder(first))
    export = jobs.advance(jobs.begin(snapshot=second, format="labels", values={}))
    assert export.status == "ready", export.error
    call_command("export", str(first.pk), format="imagefolder", out=tmp_path / "out")
    call_command("export", first.folder, format="imagefolder", out=tmp_path / "again")
    assert len([*(tmp_path / "out").rglob("*.webp")]) == 4
    go_to("web")
    found = tasks.difference_of(first, second)
    assert found is not None and found.page().changes
    archive = zipfile.ZipFile(io.BytesIO(b"".join(jobs.archive(export, "zip"))))
    assert archive.testzip() is None and archive.namelist()
    assert snapshots.card(first).startswith("---") and snapshots.header(first)["counts"]
    go_to("web 2")
    again = snapshot_difference.find(first, second)
    assert again is not None and again.totals == found.totals


def test_where_a_snapshot_is(project, go_to):
    out = io.StringIO()
    call_command("snapshot", project=project.slug, stdout=out)
    assert out.getvalue().splitlines()[-1] == Snapshot.objects.get().folder


def test_the_same_labels_are_found_frozen_on_another_machine(project, go_to):
    first = snapshots.freeze(project=project)
    go_to("worker 2")
    second = snapshots.freeze(project=project)
    assert (second.sha256, second.folder) == (first.sha256, first.folder)


@pytest.mark.parametrize("refused", ["PUT snapshots", "GET images", "GET snapshots"])
def test_a_snapshot_waits_while_the_storage_refuses_and_goes_on(project, remote, go_to, refused):
    snapshot = snapshots.begin(project=project)
    remote.refuse(refused, 1)
    tasks.freeze_due()
    snapshot.refresh_from_db()
    assert (snapshot.state, snapshot.attempts) == (State.FREEZING, 0)
    assert snapshot.status == (
        "waiting. The storage cannot be reached, or refuses (SlowDown): it is tried again."
    )
    go_to("worker 2")
    let_try_again(snapshot)
    tasks.freeze_due()
    snapshot.refresh_from_db()
    assert (snapshot.state, snapshot.error, snapshot.attempts) == (State.READY, "", 1)
    snapshot_folder.verify(snapshots.local_folder(snapshot))


def test_an_export_waits_while_the_storage_refuses_and_another_machine_goes_on(
    project, remote, go_to
):
    snapshot = snapshots.freeze(project=project)
    go_to("worker 1")
    export = jobs.begin(snapshot=snapshot, format="imagefolder", values={})
    remote.refuse("PUT exports", 1, 507, "QuotaExceeded")
    tasks.make_due_exports()
    export.refresh_from_db()
    assert export.status.startswith("waiting. The storage is full: make room in it.")
    there = {key for key in remote.keys("files") if key.startswith("exports/")}
    go_to("worker 2")
    remote.asked.clear()
    let_try_again(export)
    tasks.make_due_exports()
    export.refresh_from_db()
    assert (export.status, export.error) == ("ready", "")
    assert not any(f"PUT {key}" in remote.asked for key in there), "it was sent already"


def test_a_storage_that_is_away_is_no_lost_snapshot(project, remote, go_to, client, admin_client):
    first = snapshots.freeze(project=project)
    Question.objects.update(probability=0.6)
    second = snapshots.freeze(project=project)
    go_to("web")
    kept = remote.objects.pop("files")
    with pytest.raises(CommandError, match="cannot be reached"):
        call_command("export", str(first.pk), format="labels", out=remote.url)
    page = admin_client.get(f"/projects/{project.slug}/snapshots/{first.pk}/")
    assert page.status_code == 200 and b"cannot be reached" in page.content
    address = f"/projects/{project.slug}/snapshots/{second.pk}/difference/"
    assert admin_client.get(address).status_code == 503
    for address in (f"/{first.pk}/", f"/{first.pk}/difference/{second.pk}/"):
        answer = admin_client.get(f"/api/v1/snapshots{address}")
        assert (answer.status_code, answer.json()["code"]) == (503, "storage_away")
    remote.objects["files"] = kept
    assert jobs.begin(snapshot=first, format="labels", values={})


def test_one_that_has_gone_says_so(project, remote, go_to):
    snapshot = snapshots.freeze(project=project)
    go_to("worker 2")
    stored_folders.delete(snapshot.folder)
    with pytest.raises(snapshot_folder.SnapshotError, match="has gone: freeze a new snapshot"):
        snapshots.local_folder(snapshot)
    with pytest.raises(exports.ExportError, match="has gone: freeze a new"):
        jobs.begin(snapshot=snapshot, format="labels", values={})


def test_the_folders_go_with_their_project(project, remote, bea, transactional_db):
    first = snapshots.freeze(project=project)
    Question.objects.update(probability=0.6)
    second = snapshots.freeze(project=project)
    jobs.advance(jobs.begin(snapshot=second, format="labels", values={}))
    tasks.difference_of(first, second)
    removal.remove(list(Image.objects.all()), by=bea, reason="all")
    projects.delete(project)
    remote.refuse("DELETE snapshots", 1)
    folder_deletions.delete_folders()
    assert FolderDeletion.objects.exists(), "it is tried again"
    folder_deletions.delete_folders()
    assert not FolderDeletion.objects.exists()
    names = ("snapshots/", "exports/", "differences/")
    assert not [key for key in remote.keys("files") if key.startswith(names)]
