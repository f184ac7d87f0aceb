"""What may go wrong between a run's start and its model, with a child that goes wrong."""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.utils import timezone

from labeling import snapshots, stored_folders
from labeling.models import Event, Image, Project, Snapshot
from tests.training.studio import lose
from tests.waiting import wait_until
from training import delays, devices, processes, run_requests, runner, runs, tasks
from training.engine import progress
from training.models import Model, Run

State = Run.State


@pytest.fixture
def snapshot(bare_snapshot: Snapshot) -> Snapshot:
    return bare_snapshot


def queue(snapshot: Snapshot, recipe: str = "diffusion", **fields: Any) -> Run:
    return run_requests.create(
        snapshot=snapshot, recipe=recipe, preset="smoke", trigger=Run.Trigger.COMMAND, **fields
    )


def leased(run: Run) -> Run:
    leased = runs.acquire(run_id=run.pk)
    assert leased
    return leased


def executed(run: Run) -> Run:
    runner.execute(leased(run))
    run.refresh_from_db()
    return run


def starts(run: Run) -> int:
    return len(list(stored_folders.working(run.folder).glob("started-*")))


def left_over() -> list[str]:
    """Processes of this test process's runs that are still there."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(path.read_text(errors="replace"))
    runs_here = f"tests.training.child\0fit\0{settings.MEDIA_ROOT}"
    return [line for line in found if runs_here in line]


def last_event() -> str:
    return Event.objects.latest("pk").message


def test_a_run_that_refuses_fails_at_once_with_its_sentence_and_log(
    snapshot: Snapshot, behave: Callable[[str], None]
) -> None:
    behave("refuse")
    run = executed(queue(snapshot))
    assert run.state == State.FAILED and starts(run) == 1
    sentence, _, log = run.error.partition("\n\n")
    assert sentence == "The snapshot holds no pictures: import some."
    assert "I am to refuse." in log
    assert last_event() == f"The run {run} failed: The snapshot holds no pictures: import some."


def test_a_crash_is_tried_three_times(snapshot: Snapshot, behave: Callable[[str], None]) -> None:
    behave("crash")
    run = executed(queue(snapshot))
    assert run.state == State.FAILED and starts(run) == run.attempts == 3
    assert "crashed 3 times" in run.error and "SIGSEGV" in run.error


def test_one_crash_costs_nothing(snapshot: Snapshot, behave: Callable[[str], None]) -> None:
    behave("crash once")
    run = executed(queue(snapshot))
    assert run.state == State.SUCCEEDED and run.attempts == 2
    assert run.metrics == {"r_precision@judge": 0.5, "chance": 0.1, "x": None}


def test_an_end_without_a_model_is_no_success(
    snapshot: Snapshot, behave: Callable[[str], None]
) -> None:
    behave("forget the model")
    run = executed(queue(snapshot))
    assert run.state == State.FAILED and "without a model" in run.error


def test_a_model_that_cannot_be_stored_fails_its_run_at_once(
    snapshot: Snapshot, behave: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**fields: object) -> None:
        raise OSError("It cannot be stored.")

    behave("succeed")
    monkeypatch.setattr(Model.objects, "create", fail)
    run = executed(queue(snapshot))
    assert (run.state, run.error) == (State.FAILED, "It cannot be stored.")


def test_a_vanished_snapshot_is_named(snapshot: Snapshot, behave: Callable[[str], None]) -> None:
    behave("succeed")
    lose(snapshot)
    run = executed(queue(snapshot))
    assert run.state == State.FAILED
    assert f"snapshot {snapshot.pk} are not in the storage" in run.error and "resume" in run.error


@pytest.mark.parametrize("behaviour", ["learn for ever", "be stubborn"])
def test_a_running_run_is_cancelled(
    snapshot: Snapshot,
    behave: Callable[[str], None],
    behaviour: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    behave(behaviour)
    monkeypatch.setattr(processes, "STOP_TIMEOUT", 0.3)
    run = leased(queue(snapshot))
    steps: list[int] = []

    def cancel_at_the_third_step(run: Run) -> None:
        if run.step and run.step not in steps:
            steps.append(run.step)
            assert left_over()
        if len(steps) == 3:
            runs.cancel(run=run)

    runner.execute(run, on_progress=cancel_at_the_third_step)
    run.refresh_from_db()
    assert run.state == State.CANCELLED and run.step > 0 and run.loss and run.finished_at
    assert not left_over()


def test_a_scheduled_run_makes_way_for_a_persons(
    snapshot: Snapshot, behave: Callable[[str], None]
) -> None:
    behave("learn for ever")
    scheduled, asked = queue(snapshot), queue(snapshot)
    Run.objects.filter(pk=scheduled.pk).update(trigger=Run.Trigger.SCHEDULE)

    def let_time_pass(run: Run) -> None:
        if run.step:  # nothing of it may be lost
            Run.objects.filter(pk=asked.pk).update(created_at=timezone.now() - runs.YIELD_AFTER)

    runner.execute(leased(scheduled), on_progress=let_time_pass)
    scheduled.refresh_from_db()
    assert scheduled.state == State.QUEUED and not left_over()
    assert [run.pk for run in runs.queue()] == [asked.pk, scheduled.pk]
    behave("succeed")
    assert executed(asked).state == executed(scheduled).state == State.SUCCEEDED


def test_a_persons_run_makes_way_for_nobodys(snapshot: Snapshot) -> None:
    running, waiting = queue(snapshot), queue(snapshot)
    Run.objects.filter(pk=waiting.pk).update(created_at=timezone.now() - timedelta(hours=1))
    assert not runs.holds_up_a_person(running)
    running.trigger = Run.Trigger.SCHEDULE
    assert runs.holds_up_a_person(running)
    Run.objects.filter(pk=waiting.pk).update(trigger=Run.Trigger.SCHEDULE)
    assert not runs.holds_up_a_person(running)


def test_a_cancelled_run_can_be_resumed(snapshot: Snapshot, behave: Callable[[str], None]) -> None:
    behave("succeed")
    run = queue(snapshot)
    runs.cancel(run=run)
    run.refresh_from_db()
    assert run.state == State.CANCELLED
    with pytest.raises(runs.RunError, match="ended already"):
        runs.cancel(run=run)
    runs.resume(run=run)
    assert executed(run).state == State.SUCCEEDED
    with pytest.raises(runs.RunError, match="neither failed"):
        runs.resume(run=run)


def test_a_worker_told_to_stop_puts_its_run_back(
    snapshot: Snapshot, behave: Callable[[str], None]
) -> None:
    behave("learn for ever")

    def stop(run: Run) -> None:
        raise SystemExit(0)

    run = queue(snapshot)
    with pytest.raises(SystemExit):
        runner.execute(leased(run), on_progress=stop)
    run.refresh_from_db()
    assert run.state == State.QUEUED
    assert not left_over()


def test_only_one_worker_gets_a_run(snapshot: Snapshot) -> None:
    run = queue(snapshot)
    assert runs.acquire(run_id=run.pk) and runs.acquire(run_id=run.pk) is None


def test_one_run_at_a_time_on_a_machine(snapshot: Snapshot, behave: Callable[[str], None]) -> None:
    behave("succeed")
    run = queue(snapshot)
    with devices.acquire() as device:
        assert device
        tasks.train(run.pk)
    run.refresh_from_db()
    assert run.state == State.QUEUED


def test_the_older_run_goes_first(snapshot: Snapshot, behave: Callable[[str], None]) -> None:
    behave("succeed")
    older, newer = queue(snapshot), queue(snapshot)
    tasks.train(newer.pk)
    assert Run.objects.filter(state=State.QUEUED).count() == 2
    tasks.train(older.pk)
    tasks.train(newer.pk)
    assert Run.objects.filter(state=State.SUCCEEDED).count() == 2


def test_a_lost_run_is_queued_again_and_its_old_worker_hears_of_it(
    snapshot: Snapshot, behave: Callable[[str], None]
) -> None:
    behave("learn for ever")
    run = leased(queue(snapshot))

    def lose_it(run: Run) -> None:
        past = timezone.now() - timedelta(seconds=1)
        Run.objects.filter(pk=run.pk).update(lease_until=past)
        assert runs.sweep() == [run.pk]

    assert runner.execute(run, on_progress=lose_it) is None
    run.refresh_from_db()
    assert run.state == State.QUEUED and run.lease_token == ""
    assert not left_over()


@pytest.fixture
def failing_database(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return how to have the database end the session, at so many looks at a run's progress."""

    def fail(times: int) -> None:
        looks = iter(range(times))

        def end_the_session(folder: Path) -> dict[str, int]:
            if next(looks, None) is not None:
                with suppress(OperationalError):
                    connection.cursor().execute("SELECT pg_terminate_backend(pg_backend_pid())")
            return {}

        monkeypatch.setattr(progress, "latest", end_the_session)

    return fail


@pytest.mark.django_db(transaction=True)
def test_a_run_outlives_a_restart_of_the_database(
    snapshot: Snapshot, behave: Callable[[str], None], failing_database: Callable[[int], None]
) -> None:
    behave("succeed")
    run = queue(snapshot)
    failing_database(2)
    tasks.train(run.pk)
    run.refresh_from_db()
    assert run.state == State.SUCCEEDED and run.attempts == 1


@pytest.mark.django_db(transaction=True)
def test_a_run_that_loses_the_database_says_so_once_and_is_queued_again(
    snapshot: Snapshot,
    behave: Callable[[str], None],
    failing_database: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    behave("learn for ever")
    run = queue(snapshot)
    monkeypatch.setattr(runner, "DATABASE_PATIENCE", 0.0)
    failing_database(1000)
    tasks.train(run.pk)
    connection.close()
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "lost the database" in record.message and not record.exc_info
    assert "\n" not in record.message and not left_over()
    Run.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert runs.sweep() == [run.pk]


def test_a_lost_run_that_was_to_be_cancelled_is(snapshot: Snapshot) -> None:
    run = leased(queue(snapshot))
    runs.cancel(run=run)
    Run.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert runs.sweep() == []
    run.refresh_from_db()
    assert run.state == State.CANCELLED and last_event() == f"The run {run} was cancelled."


def test_a_run_that_loses_every_worker_fails(snapshot: Snapshot) -> None:
    run = leased(queue(snapshot))
    past = timezone.now() - timedelta(seconds=1)
    Run.objects.update(lease_until=past, attempts=runs.ATTEMPTS_MAX)
    assert runs.sweep() == []
    run.refresh_from_db()
    assert run.state == State.FAILED and "lost 10 times" in run.error
    assert "lost 10 times" in last_event()


def test_a_run_that_succeeds_is_in_the_history(
    snapshot: Snapshot, behave: Callable[[str], None]
) -> None:
    behave("succeed")
    run = executed(queue(snapshot))
    assert run.state == State.SUCCEEDED and last_event() == f"The run {run} succeeded."


def test_two_workers_at_once_get_a_run_once(
    transactional_db: None, bare_snapshot: Snapshot
) -> None:
    run = queue(bare_snapshot)
    start, won = Barrier(4), []

    def work() -> None:
        start.wait()
        won.append(runs.acquire(run_id=run.pk))
        connection.close()

    workers = [Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(won) == 4 and sum(held is not None for held in won) == 1


def test_a_run_waits_for_room_on_a_full_disk(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object, **named: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "config.json")

    monkeypatch.setattr(runs, "config", full)
    run = executed(queue(snapshot))
    assert run.state == State.QUEUED and "disk of a worker is full" in run.delay_reason
    assert runs.acquire(run_id=run.pk) is None  # not before there may be room
    assert run.lease_until and run.lease_until - timezone.now() <= delays.FULL
    Run.objects.update(lease_until=None)
    monkeypatch.undo()
    assert runs.acquire(run_id=run.pk)


def test_a_snapshot_that_goes_while_its_run_learns_is_named(
    shapes: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the real process, which has read the pictures that it learns from by then."""
    monkeypatch.setattr(settings, "CACHE_ROOT", tmp_path)  # no other run has kept the pictures
    monkeypatch.setattr(runner, "POLL_INTERVAL", 0.05)  # else a busy machine may never see it learn
    slow = {"steps": 150, "checkpoint_steps": 150, "grid_steps": 0}  # enough to be seen at it
    run = run_requests.create(
        project=shapes, recipe="diffusion", preset="smoke", trigger="api", options=slow
    )

    def lose_the_snapshot(run: Run) -> None:
        if run.stage == "train" and run.snapshot:
            lose(run.snapshot)

    runner.execute(leased(run), on_progress=lose_the_snapshot)
    run.refresh_from_db()
    assert run.state == State.FAILED and run.snapshot
    assert run.snapshot.folder.rpartition("/")[2] in run.error.partition("\n\n")[0]


def test_a_run_on_a_project_freezes_a_snapshot_that_the_next_run_shares(
    shapes: Project, behave: Callable[[str], None]
) -> None:
    behave("succeed")
    requested = [
        run_requests.create(project=shapes, recipe=recipe, preset="smoke", trigger=Run.Trigger.API)
        for recipe in ("clip", "diffusion")
    ]
    first, second = map(executed, requested)
    assert first.snapshot and first.snapshot == second.snapshot
    assert first.snapshot.counts["images"] == 24


@pytest.mark.django_db(transaction=True)
def test_a_run_keeps_its_lease_however_long_it_freezes(
    snapshot: Snapshot, behave: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def freeze(**options: Any) -> Snapshot:
        heartbeats = set()

        def several_came() -> bool:
            heartbeats.add(Run.objects.get(pk=run.pk).heartbeat_at)
            return len(heartbeats) == 3

        wait_until(several_came)
        return snapshot

    monkeypatch.setattr(Run, "lease_duration", timedelta(milliseconds=300))
    monkeypatch.setattr(snapshots, "freeze", freeze)
    run = run_requests.create(
        project=snapshot.project, recipe="diffusion", preset="smoke", trigger=Run.Trigger.COMMAND
    )
    assert executed(run).snapshot == snapshot


def test_an_empty_project_is_named(db: None, behave: Callable[[str], None]) -> None:
    behave("succeed")
    empty = Project.objects.create(state="open", slug="empty", name="Empty")
    run = run_requests.create(project=empty, recipe="clip", preset="smoke", trigger=Run.Trigger.API)
    assert executed(run).state == State.FAILED
    assert "no pictures" in run.error and not Image.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"recipe": "alchemy"}, "no recipe 'alchemy': use clip, diffusion,"),
        ({"options": {"__class__": 1}}, "'__class__' is no name of an option"),
        ({"options": {"foo": 1}}, "The recipe clip has no option 'foo': use batch, beta1, "),
        ({"options": {"guidance": 2}}, "The recipe clip has no option 'guidance'"),
        ({"options": {"steps": None}}, "option steps must be a number"),
        ({"options": {"steps": float("nan")}}, "option steps must be a number"),
        ({"options": {"prompts": ["a\0"]}}, "option prompts must be"),
        ({"options": {"base": "x" * 5000}}, "longer than 4000"),
        ({"preset": "huge"}, "no preset 'huge': use"),
        ({"seed": -1}, "seed must be from 0"),
        ({"snapshot": None}, "Name a snapshot or a project"),
    ],
)
def test_a_wrong_request_is_refused(
    snapshot: Snapshot, wrong: dict[str, object], message: str
) -> None:
    request = {"snapshot": snapshot, "recipe": "clip", "preset": "cpu", "trigger": "api"} | wrong
    with pytest.raises(runs.RunError, match=message):
        run_requests.create(**request)  # type: ignore[arg-type]
    assert not Run.objects.exists()
