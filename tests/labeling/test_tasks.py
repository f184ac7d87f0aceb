"""What a worker does for labels."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from kombu.exceptions import OperationalError

from labeling import answers, challenges, snapshots, tasks
from labeling.aggregation import binary
from labeling.inference import recompute, schedule, shares
from labeling.models import Answer, Challenge, LeaseLost, Project, Question, Recomputation, Snapshot

pytestmark = pytest.mark.django_db


def count(monkeypatch) -> list[Project]:
    done: list[Project] = []
    run = recompute.run

    def counted(*, project: Project, **options: object) -> int:
        done.append(project)
        return run(project=project, **options)

    monkeypatch.setattr(recompute, "run", counted)
    return done


def answer_one(annotator) -> None:
    question = Question.objects.filter(kind="concept", answers_count=0).first()
    answers.record(annotator=annotator, values={question.pk: True}, reasons={question.pk: "wanted"})


def aggregate_due() -> None:
    """Do what the sweep has workers do."""
    for project in schedule.due():
        tasks.aggregate(project.pk)


def test_it_recomputes_what_was_answered_since(shapes, alice, monkeypatch):
    Project.objects.create(state="open", slug="quiet", name="Quiet")
    done = count(monkeypatch)
    aggregate_due()
    assert done == []
    answer_one(alice)
    aggregate_due()
    aggregate_due()
    assert done == [shapes]
    answer_one(alice)
    aggregate_due()
    assert done == [shapes, shapes]


def test_it_does_nothing_while_somebody_is_at_it(shapes, alice):
    answer_one(alice)
    with schedule.claim(shapes) as recomputation:
        assert recomputation is not None
        aggregate_due()
        assert Recomputation.objects.get().lease_token == recomputation.lease_token
        assert recompute.run(project=shapes) is None
    assert Recomputation.objects.get().state == Recomputation.State.IDLE
    assert recompute.run(project=shapes) is not None


def test_what_was_left_in_the_middle_is_taken_up_again(shapes, alice, monkeypatch):
    done = count(monkeypatch)
    with pytest.raises(LeaseLost), schedule.claim(shapes) as recomputation:
        assert recomputation is not None
        aggregate_due()
        assert done == []
        long_ago = timezone.now() - timedelta(seconds=1)
        Recomputation.objects.update(lease_until=long_ago)
        aggregate_due()
        assert done == [shapes]
        recomputation.renew()
    assert Recomputation.objects.get().state == Recomputation.State.IDLE


def test_a_recomputation_that_fails_says_why_and_is_tried_again(shapes, alice, monkeypatch):
    answer_one(alice)
    another = Project.objects.create(state="open", slug="another", name="Another")
    with schedule.claim(another):
        pass
    schedule.request_all()
    with monkeypatch.context() as patch:
        patch.setattr(binary, "aggregate", run_out)
        with pytest.raises(MemoryError):
            tasks.aggregate(shapes.pk)
    row = Recomputation.objects.get(project=shapes)
    assert (row.state, row.error) == (Recomputation.State.FAILED, schedule.OUT_OF_MEMORY)
    assert set(schedule.due()) == {shapes, another}, "it is tried again"
    aggregate_due()
    row.refresh_from_db()
    assert (row.state, row.error) == (Recomputation.State.IDLE, "")


def test_each_due_project_is_a_task_of_its_own(
    shapes, alice, monkeypatch, django_capture_on_commit_callbacks
):
    """So that several workers recompute several projects, the one that waited longest first."""
    others = [Project.objects.create(slug=f"p{n}", name=f"P{n}") for n in range(2)]
    for project in [shapes, *others]:
        with schedule.claim(project):
            pass
    schedule.request_all()
    for name in "REST", "REST_REQUESTED":
        monkeypatch.setattr(schedule, name, 0.0)
    sent: list[tuple[int, ...]] = []

    def send(arguments: tuple[int, ...], **options: object) -> None:
        assert options["expires"] == tasks.AGGREGATE_SECONDS, "they do not pile up"
        sent.append(arguments)

    monkeypatch.setattr(tasks.aggregate, "apply_async", send)
    with schedule.claim(others[0]), django_capture_on_commit_callbacks(execute=True):
        tasks.aggregate_due()
        tasks.aggregate_requested()
    assert sent == 2 * [(shapes.pk,), (others[1].pk,)], "somebody is at the other"


def test_labels_that_bots_turned_wait_for_seconds_and_for_nothing_that_takes_long(settings):
    sweep = settings.CELERY_BEAT_SCHEDULE["recompute-requested"]
    assert sweep["schedule"] <= 5
    for task in sweep["task"], tasks.aggregate.name:
        assert task not in settings.CELERY_TASK_ROUTES, "it is of the quick queue"
    assert schedule.LARGE <= shares.SHARED_FROM, "one at a time leaves a process of the worker free"


def test_a_message_that_comes_twice_recomputes_once(shapes, alice, monkeypatch):
    answer_one(alice)
    done = count(monkeypatch)
    tasks.aggregate(shapes.pk)
    tasks.aggregate(shapes.pk)
    assert done == [shapes]


def run_out(*_columns: object, **_known: object) -> None:
    raise MemoryError("too much")


def test_a_project_that_is_gone_is_left_alone():
    tasks.aggregate(10**12)
    tasks.freeze(10**12)


def test_a_snapshot_is_frozen_by_the_sweep_where_no_worker_was_woken(shapes):
    snapshots.begin(project=shapes)
    tasks.freeze_due()
    assert Snapshot.objects.get().state == Snapshot.State.READY


def test_a_snapshot_waits_while_the_broker_is_away(
    shapes, monkeypatch, caplog, django_capture_on_commit_callbacks
):
    def away(arguments: tuple[int], **options: object) -> None:
        raise OperationalError("the broker is away")

    monkeypatch.setattr(tasks.freeze, "apply_async", away)
    with django_capture_on_commit_callbacks(execute=True):
        tasks.freeze_later(snapshots.begin(project=shapes))
    assert "No worker was woken for labeling.tasks.freeze" in caplog.text
    assert Snapshot.objects.get().status == "waiting for a worker"


def test_the_command_says_what_it_found(shapes, alice, capsys):
    answer_one(alice)
    call_command("aggregate", project="shapes")
    assert "1 answers by 1 annotators" in capsys.readouterr().out
    with pytest.raises(CommandError, match="no project 'nowhere'"):
        call_command("aggregate", project="nowhere")


def test_challenges_that_nobody_answered_are_forgotten(shapes, alice):
    issued = [challenges.issue(annotator=alice, project=shapes, kind="grid") for _ in range(3)]
    challenges.answer(challenge=issued[0], selected=[])
    old = timezone.now() - timedelta(days=2)
    Challenge.objects.filter(pk__in=[issued[0].pk, issued[1].pk]).update(expires_at=old)
    tasks.forget_challenges()
    assert set(Challenge.objects.all()) == {issued[0], issued[2]}
    assert Answer.objects.count() == 9
