"""An import that several workers share: the same result, and nothing lost where one dies."""

import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from labeling import tasks
from labeling.imports import importer, runner, shares, uploads
from labeling.models import GoldMark, Image, Import, ImportShare, LeaseLost, Project, Question
from tests.at_once import run_at_once
from tests.labeling.imports.uploading import upload
from tests.pictures import encoded, patchwork, png

pytestmark = pytest.mark.django_db(transaction=True)
OWL, WREN = patchwork(1, (90, 60)), patchwork(2, (90, 60))
FILES = {
    **{f"box/{'owl' if n % 2 else 'Wren'}/{n:02}.png": png(n) for n in range(14)},
    "box/Wren/01-copy.png": png(1),  # before the picture that it is a copy of
    "box/Wren/a.png": encoded(OWL, "PNG"),
    "box/owl/near.jpg": encoded(OWL, "JPEG", quality=70),
    "box/owl/bad.png": b"no picture",
    "box/owl/03.txt": b"bird, small",
    "box/gold/not owl/b.png": encoded(WREN, "PNG"),
    "box/gold/owl/copy-of-b.png": encoded(WREN, "PNG"),
    "box/note.pdf": b"%PDF",
}


@pytest.fixture(autouse=True)
def small_shares(monkeypatch):
    monkeypatch.setattr(shares, "SIZE", 3)


@pytest.fixture
def birds() -> Project:
    return Project.objects.create(slug="birds", name="Birds")


def begun(project: Project, carol) -> Import:
    """Return an import that is read, and that workers may take in."""
    record = upload(project, carol, FILES, start_at_once=True)
    record = runner.advance(record)
    assert record is not None and record.state == "importing"
    return record


def shared_out(record: Import, monkeypatch) -> None:
    """Have a worker share an import out, and stop there."""
    with monkeypatch.context() as patch:
        patch.setattr(runner.jobs, "take_part", lambda *_, **__: False)
        assert runner.advance(record) is None
    assert record.shares.count() == 7


def result(record: Import) -> dict[str, object]:
    """Return all that an import has made of its files."""
    record.refresh_from_db()
    pictures = record.project.images.order_by("pk").select_related("near_duplicate_of")
    with record.report.open() as file:
        table = file.read()
    asked = Question.objects.filter(tile__image__project=record.project)
    gold = GoldMark.objects.filter(tile__image__project=record.project)
    return {
        "state": (record.state, record.done, record.counts),
        "pictures": [
            (each.source, each.sha256, each.near_duplicate_of and each.near_duplicate_of.source)
            for each in pictures
        ],
        "asked": sorted(asked.values_list("tile__image__source", "concept__name", "stated")),
        "gold": sorted(gold.values_list("tile__image__source", "concept__name", "value")),
        "report": table,
    }


_of_one: list[dict[str, object]] = []


@pytest.fixture
def of_one(carol) -> dict[str, object]:
    """What one worker makes of the files."""
    if _of_one:
        return _of_one[0]
    record = begun(Project.objects.create(slug="one", name="One"), carol)
    tasks.advance_import(record.pk)
    found = result(record)
    assert found["state"][0] == "done" and "near" in str(found["pictures"])
    _of_one.append(found)
    return found


def test_three_workers_make_the_same_of_it_as_one(birds, carol, of_one, monkeypatch):
    record = begun(birds, carol)
    shared_out(record, monkeypatch)
    run_at_once(*[lambda: runner.advance(Import.objects.get(pk=record.pk))] * 3)
    assert result(record) == of_one
    assert not ImportShare.objects.exists()


def test_a_share_whose_worker_died_is_taken_over(birds, carol, of_one, monkeypatch):
    record = begun(birds, carol)
    shared_out(record, monkeypatch)
    assert shares.acquire(record, ImportShare.State.WAITING).row.number == 0
    came, lose = threading.Event(), importer.shares.wait

    def lose_first(waiting: Import, since: float) -> None:
        came.set()
        ImportShare.objects.filter(number=0).update(lease_until=timezone.now() - timedelta(1))
        lose(waiting, since)

    monkeypatch.setattr(importer.shares, "wait", lose_first)
    run_at_once(lambda: tasks.advance_import(record.pk))
    assert came.is_set()
    assert result(record) == of_one


@pytest.mark.parametrize("step", ["hold", "end"])
def test_a_worker_that_is_stopped_anywhere_loses_and_doubles_nothing(
    birds, carol, of_one, monkeypatch, step
):
    record = begun(birds, carol)
    shared_out(record, monkeypatch)
    calls, plain = 0, getattr(shares, step)

    def stop(*arguments):
        nonlocal calls
        calls += 1
        if calls % 4 == 2:
            raise KeyboardInterrupt
        return plain(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(shares, step, stop)
        for _ in range(20):
            try:
                if runner.advance(Import.objects.get(pk=record.pk)):
                    break
            except KeyboardInterrupt:
                continue
    assert result(record) == of_one


def test_one_that_kills_its_workers_is_given_up_and_may_be_tried_again(birds, carol, monkeypatch):
    record = begun(birds, carol)
    shared_out(record, monkeypatch)
    past = timezone.now() - timedelta(seconds=1)
    ImportShare.objects.filter(number=1).update(
        attempts=shares.ATTEMPTS, lease_token="x", lease_until=past
    )
    with pytest.raises(LeaseLost, match="given up"):
        runner.advance(record)
    tasks.advance_imports()
    record.refresh_from_db()
    assert record.state == "failed" and "was lost 3 times" in record.error
    assert runner.retry(record=record, by=carol).state == "importing"
    tasks.advance_import(record.pk)
    record.refresh_from_db()
    assert (record.state, record.counts["taken"]) == ("done", Image.objects.count())


def test_one_that_is_cancelled_stops_all_workers(birds, carol, monkeypatch):
    record = begun(birds, carol)
    shared_out(record, monkeypatch)
    plain = shares.end

    def cancel_first(held, state):
        if held.row.number == 1:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(shares, "end", plain)
                runner.cancel(record=Import.objects.get(pk=record.pk), by=carol)
        plain(held, state)

    monkeypatch.setattr(shares, "end", cancel_first)
    ended = run_at_once(*[lambda: runner.advance(Import.objects.get(pk=record.pk))] * 2)
    record.refresh_from_db()
    assert record.state == "cancelled" and not record.shares.exists()
    assert all(isinstance(each, LeaseLost) for each in ended)


def test_one_process_of_each_machine_is_called_to_it(birds, carol, monkeypatch):
    called, ended = [], []
    monkeypatch.setattr(tasks, "enqueue_on_commit", lambda task, *args: called.append(task.name))
    record = begun(birds, carol)

    def again(*_: object, **__: object) -> bool:
        tasks.advance_import(record.pk)  # as another process of this machine would
        ended.append(True)
        return False

    monkeypatch.setattr(runner.jobs, "take_part", again)
    tasks.advance_import(record.pk)
    assert called.count("labeling.tasks.advance_import") == 6
    assert ended == [True]


def test_the_shares_of_one_that_failed_go_with_its_files(birds, carol, monkeypatch):
    record = begun(birds, carol)
    shared_out(record, monkeypatch)
    old = timezone.now() - timedelta(days=2)
    Import.objects.update(state="failed", finished_at=old)
    runner.forget_abandoned()
    assert not ImportShare.objects.exists()
    with pytest.raises(uploads.UploadConflict, match="deleted by now"):
        runner.retry(record=record, by=carol)
