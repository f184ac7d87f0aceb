"""How long a run takes and when it starts, before it does."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from labeling.models import Project, Snapshot
from training import estimates, run_summary, runs
from training.estimates import Estimate
from training.models import Run


@pytest.fixture
def project(bare_snapshot: Snapshot) -> Project:
    return bare_snapshot.project


def earlier(project: Project, seconds: float, pictures: int = 100, **fields: object) -> Run:
    """Return a run that has taken so many seconds, half of them for its 1,000 steps."""
    snapshot = Snapshot.objects.create(project=project, state="ready", counts={"images": pictures})
    end = timezone.now()
    values = {"recipe": "diffusion", "preset": "cpu", "steps": 1000, "state": "succeeded"}
    values |= {"metrics": {"training_seconds": seconds / 2}, "attempts": 1} | fields
    return Run.objects.create(
        project=project,
        snapshot=snapshot,
        started_at=end - timedelta(seconds=seconds),
        finished_at=end,
        **values,
    )


def asked(project: Project, pictures: int = 100, **options: object) -> Estimate:
    snapshot = Snapshot(project=project, counts={"images": pictures})
    return estimates.of_request(
        recipe="diffusion", preset="cpu", project=project, snapshot=snapshot, options=options
    )


def test_without_earlier_runs_it_is_a_reference_figure(project: Project) -> None:
    estimate = asked(project)
    assert estimate.words == "about 6 to 15 minutes" and "reference figure" in estimate.basis
    assert asked(project, steps=270).words == "about 1 to 2 minutes"


def test_earlier_runs_count_by_steps_and_pictures(project: Project) -> None:
    earlier(project, 400)
    assert asked(project, steps=1000).middle == pytest.approx(400)
    assert asked(project, steps=2000).middle == pytest.approx(600)
    assert asked(project, steps=1000, pictures=300).middle == pytest.approx(800)
    assert asked(project).basis == "1 earlier run of this preset here"


def test_the_range_covers_the_earlier_runs(project: Project) -> None:
    for seconds in (300, 500):
        earlier(project, seconds)
    estimate = asked(project, steps=1000)
    assert estimate.low < 300 and estimate.high > 500 and estimate.runs == 2


@pytest.mark.parametrize(
    "fields",
    [{"preset": "smoke"}, {"recipe": "gan"}, {"state": "failed"}, {"attempts": 3}],
)
def test_other_runs_do_not_count(project: Project, fields: dict[str, object]) -> None:
    earlier(project, 4000, **fields)
    assert asked(project).runs == 0


def test_a_queued_run_says_how_many_are_before_it_and_when_it_starts(project: Project) -> None:
    first = Run.objects.create(project=project, recipe="diffusion", preset="cpu")
    second = Run.objects.create(project=project, recipe="diffusion", preset="cpu")
    assert run_summary.starts(first) == "a worker takes it up within seconds"
    assert run_summary.starts(second) == "1 before it, starts in about 6 to 15 minutes"
    Run.objects.filter(pk=first.pk).update(state="running", seconds_left=60)
    assert run_summary.starts(second) == "1 before it, starts in about 1 to 2 minutes"


def test_scheduled_runs_are_not_before_a_persons(project: Project) -> None:
    Run.objects.create(project=project, recipe="gan", preset="gpu", trigger="schedule")
    persons = Run.objects.create(project=project, recipe="clip", preset="cpu", trigger="page")
    assert estimates.ahead(persons) == (0, None)
    assert estimates.ahead(Run(project=project, trigger="api"))[0] == 1


def test_a_scheduled_run_that_runs_is_before_a_persons_until_it_yields(project: Project) -> None:
    running = Run.objects.create(
        project=project, recipe="gan", preset="gpu", trigger="schedule", state="running"
    )
    Run.objects.filter(pk=running.pk).update(seconds_left=9_000)
    persons = Run.objects.create(project=project, recipe="clip", preset="cpu", trigger="page")
    assert run_summary.starts(persons) == "1 before it, starts in about 20 to 80 seconds"
    later = Run.objects.create(project=project, recipe="clip", preset="cpu", trigger="schedule")
    assert "hours" in run_summary.starts(later)


def test_what_people_ask_for_starts_before_what_is_scheduled(project: Project) -> None:
    scheduled, first, later, second = (
        Run.objects.create(project=project, recipe="clip", preset="cpu", trigger=trigger)
        for trigger in ("schedule", "page", "schedule", "api")
    )
    assert list(runs.queue()) == [first, second, scheduled, later]
    assert runs.another_is_next(run_id=scheduled.pk)
    assert not runs.another_is_next(run_id=first.pk)
    assert runs.sweep() == [first.pk, second.pk, scheduled.pk, later.pk]


def test_a_running_scheduled_run_is_left_alone(project: Project) -> None:
    running = Run.objects.create(
        project=project, recipe="clip", preset="cpu", trigger="schedule", state="running"
    )
    Run.objects.create(project=project, recipe="clip", preset="cpu", trigger="page")
    runs.sweep()
    running.refresh_from_db()
    assert not running.cancel_requested


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (10, 40, "10 to 40 seconds"),
        (60, 60, "60 seconds"),
        (45, 100, "1 to 2 minutes"),
        (400, 430, "7 minutes"),
        (3600, 7200, "1 to 2 hours"),
        (0, 0, "1 second"),
    ],
)
def test_a_range_is_said_in_the_unit_that_suits_it(low: float, high: float, words: str) -> None:
    assert estimates.in_words(low, high) == words
