"""What may go wrong between a run's start and its model, with a process that goes wrong."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from labeling.models import Image, Project, Snapshot
from training import children, jobs, machine, runs, supervise
from training.models import Model, Run

State = Run.State


@pytest.fixture
def behave(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    monkeypatch.setattr(children, "MODULE", "tests.training_app.child")
    monkeypatch.setattr(supervise, "INTERVAL", 0.05)
    return lambda behaviour: monkeypatch.setenv("BEHAVIOUR", behaviour)


@pytest.fixture
def snapshot(bare_snapshot: Snapshot) -> Snapshot:
    return bare_snapshot


def queue(snapshot: Snapshot, recipe: str = "diffusion") -> Run:
    return runs.create(
        snapshot=snapshot, recipe=recipe, preset="smoke", trigger=Run.Trigger.COMMAND
    )


def claimed(run: Run) -> Run:
    held = runs.claim(run_id=run.pk)
    assert held
    return held


def carried_out(run: Run) -> Run:
    supervise.carry_out(claimed(run))
    run.refresh_from_db()
    return run


def starts(run: Run) -> int:
    return len(list(Path(run.folder).glob("started-*")))


def left_over() -> list[str]:
    """Processes of runs that are still there."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(path.read_text(errors="replace"))
    return [line for line in found if "tests.training_app.child" in line]


def test_a_run_that_refuses_fails_at_once_with_its_sentence_and_log(
    snapshot: Snapshot, behave: Callable[[str], None]
) -> None:
    behave("refuse")
    run = carried_out(queue(snapshot))
    assert run.state == State.FAILED and starts(run) == 1
    sentence, _, log = run.error.partition("\n\n")
    assert sentence == "The snapshot holds no pictures: import some."
    assert "I am to refuse." in log


def test_a_crash_is_tried_three_times(snapshot: Snapshot, behave: Callable[[str], None]) -> None:
    behave("crash")
    run = carried_out(queue(snapshot))
    assert run.state == State.FAILED and starts(run) == run.attempts == 3
    assert "crashed 3 times" in run.error and "SIGSEGV" in run.error


def test_one_crash_costs_nothing(snapshot: Snapshot, behave: Callable[[str], None]) -> None:
    behave("crash once")
    run = carried_out(queue(snapshot))
    assert run.state == State.SUCCEEDED and run.attempts == 2
    assert run.metrics == {"r_precision@judge": 0.5, "chance": 0.1, "x": None}


def test_an_end_without_a_model_is_no_success(
    snapshot: Snapshot, behave: Callable[[str], None]
) -> None:
    behave("forget the model")
    run = carried_out(queue(snapshot))
    assert run.state == State.FAILED and "without a model" in run.error


def test_a_vanished_snapshot_is_named(snapshot: Snapshot, behave: Callable[[str], None]) -> None:
    behave("succeed")
    Path(snapshot.folder, "manifest.json").unlink()
    run = carried_out(queue(snapshot))
    assert run.state == State.FAILED
    assert f"snapshot {snapshot.pk}" in run.error and "freeze another" in run.error


@pytest.mark.parametrize("behaviour", ["learn for ever", "be stubborn"])
def test_a_running_run_is_cancelled(
    snapshot: Snapshot,
    behave: Callable[[str], None],
    behaviour: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    behave(behaviour)
    monkeypatch.setattr(children, "PATIENCE", 0.3)
    run = claimed(queue(snapshot))
    heard: list[int] = []

    def cancel_at_the_third_word(run: Run) -> None:
        if run.step and run.step not in heard:
            heard.append(run.step)
        if len(heard) == 3:
            runs.cancel(run=run)

    supervise.carry_out(run, tell=cancel_at_the_third_word)
    run.refresh_from_db()
    assert run.state == State.CANCELLED and run.step > 0 and run.loss and run.finished_at
    assert not left_over()


def test_a_cancelled_run_can_be_resumed(snapshot: Snapshot, behave: Callable[[str], None]) -> None:
    behave("succeed")
    run = queue(snapshot)
    runs.cancel(run=run)
    run.refresh_from_db()
    assert run.state == State.CANCELLED
    with pytest.raises(runs.RunError, match="ended already"):
        runs.cancel(run=run)
    runs.resume(run=run)
    assert carried_out(run).state == State.SUCCEEDED
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
        supervise.carry_out(claimed(run), tell=stop)
    run.refresh_from_db()
    assert run.state == State.QUEUED
    assert not left_over()


def test_only_one_worker_gets_a_run(snapshot: Snapshot) -> None:
    run = queue(snapshot)
    assert runs.claim(run_id=run.pk) and runs.claim(run_id=run.pk) is None


def test_one_run_at_a_time_on_a_machine(snapshot: Snapshot, behave: Callable[[str], None]) -> None:
    behave("succeed")
    run = queue(snapshot)
    with machine.alone() as alone:
        assert alone
        jobs.train(run.pk)
    run.refresh_from_db()
    assert run.state == State.QUEUED


def test_the_older_run_goes_first(snapshot: Snapshot, behave: Callable[[str], None]) -> None:
    behave("succeed")
    older, newer = queue(snapshot), queue(snapshot)
    jobs.train(newer.pk)
    assert Run.objects.filter(state=State.QUEUED).count() == 2
    jobs.train(older.pk)
    jobs.train(newer.pk)
    assert Run.objects.filter(state=State.SUCCEEDED).count() == 2


def test_a_lost_run_is_queued_again_and_its_old_worker_hears_of_it(
    snapshot: Snapshot, behave: Callable[[str], None]
) -> None:
    behave("learn for ever")
    run = claimed(queue(snapshot))

    def lose_it(run: Run) -> None:
        past = timezone.now() - timedelta(seconds=1)
        Run.objects.filter(pk=run.pk).update(lease_until=past)
        assert runs.sweep() == [run.pk]

    assert supervise.carry_out(run, tell=lose_it) is None
    run.refresh_from_db()
    assert run.state == State.QUEUED and run.lease_token == ""
    assert not left_over()


def test_a_lost_run_that_was_to_be_cancelled_is(snapshot: Snapshot) -> None:
    run = claimed(queue(snapshot))
    runs.cancel(run=run)
    Run.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert runs.sweep() == []
    run.refresh_from_db()
    assert run.state == State.CANCELLED


def test_a_run_that_loses_every_worker_fails(snapshot: Snapshot) -> None:
    run = claimed(queue(snapshot))
    past = timezone.now() - timedelta(seconds=1)
    Run.objects.update(lease_until=past, attempts=runs.LOST_LIMIT)
    assert runs.sweep() == []
    run.refresh_from_db()
    assert run.state == State.FAILED and "lost 10 times" in run.error


def test_the_newest_model_of_a_recipe_is_the_current_one(
    snapshot: Snapshot, behave: Callable[[str], None]
) -> None:
    behave("succeed")
    first, second, other = (carried_out(queue(snapshot, r)) for r in ("clip", "clip", "diffusion"))
    assert set(Model.objects.filter(current=True)) == {second.model, other.model}
    assert not Model.objects.get(run=first).current


def test_a_run_on_a_project_freezes_a_snapshot_that_the_next_run_shares(
    project: Project, behave: Callable[[str], None]
) -> None:
    behave("succeed")
    asked = [
        runs.create(project=project, recipe=recipe, preset="smoke", trigger=Run.Trigger.API)
        for recipe in ("clip", "diffusion")
    ]
    first, second = map(carried_out, asked)
    assert first.snapshot and first.snapshot == second.snapshot
    assert first.snapshot.counts["images"] == 32


def test_nothing_to_freeze_is_said(db: None, behave: Callable[[str], None]) -> None:
    behave("succeed")
    empty = Project.objects.create(slug="empty", name="Empty")
    run = runs.create(project=empty, recipe="clip", preset="smoke", trigger=Run.Trigger.API)
    assert carried_out(run).state == State.FAILED
    assert "no pictures" in run.error and not Image.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"recipe": "alchemy"}, "no recipe 'alchemy': use clip or diffusion"),
        ({"preset": "huge"}, "no preset 'huge': use"),
        ({"seed": -1}, "seed must be from 0"),
        ({"snapshot": None}, "Name a snapshot or a project"),
    ],
)
def test_a_wrong_wish_is_refused(snapshot: Snapshot, wrong: dict[str, object], said: str) -> None:
    wish = {"snapshot": snapshot, "recipe": "clip", "preset": "cpu", "trigger": "api"} | wrong
    with pytest.raises(runs.RunError, match=said):
        runs.create(**wish)  # type: ignore[arg-type]
    assert not Run.objects.exists()
