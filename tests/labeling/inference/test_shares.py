"""What a recomputation found is written by several workers, as one would write it."""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from labeling import folder_deletions, tasks
from labeling.inference import recompute, schedule, shares, writing
from labeling.models import LeaseLost, Project, Question, Recomputation, RecomputationShare
from labeling.stored_folders import StorageAway
from tests.cast import answer, truth

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def small_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "SIZE", 10)
    monkeypatch.setattr(shares, "SHARED_FROM", 20)
    monkeypatch.setattr(shares, "LOOK_AFTER", 0.0)


@pytest.fixture
def answered(shapes: Project, alice: Any, bob: Any) -> Project:
    dice = random.Random(1)
    pks = Question.objects.filter(kind="concept").order_by("pk").values_list("pk", flat=True)
    truths = {pk: truth(pk) for pk in pks}
    answer(alice, truths)
    answer(bob, {pk: value ^ (dice.random() < 0.2) for pk, value in truths.items()})
    Question.objects.filter(state="open").update(probability=0.5, answers_count=0, yes_count=0)
    return shapes


def found(project: Project, on_shared: Callable[[], object] | None) -> tuple[Any, ...]:
    """Return what a recomputation writes of all questions, and undo it."""
    with transaction.atomic():
        changed = recompute.run(project=project, on_shared=on_shared)  # type: ignore[arg-type]
        rows = list(Question.objects.order_by("pk").values())
        transaction.set_rollback(True)
    for row in rows:
        row["settled_at"] = row["settled_at"] is not None
    return changed, rows


def labels() -> list[float]:
    rows = Question.objects.filter(kind="concept").order_by("pk")
    return list(rows.values_list("probability", flat=True))


def acquire() -> RecomputationShare:
    share = RecomputationShare.objects.filter(done=False).free().first()
    assert share is not None
    row = RecomputationShare.objects.all().acquire(share.pk)
    assert row is not None
    return row


def expire() -> None:
    RecomputationShare.objects.filter(done=False).exclude(lease_until=None).update(
        lease_until=timezone.now() - timedelta(seconds=1)
    )


def test_a_request_ends_what_takes_long_and_the_next_one_writes_what_is_left(
    answered: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody was found out meanwhile: nobody waits for labels that rest on their answers."""
    monkeypatch.setattr(shares, "PATIENCE", 0.0)
    monkeypatch.setattr(schedule, "REST_REQUESTED", 0.0)

    def request() -> None:
        Recomputation.objects.filter(project=answered).update(requested=True)

    for _ in range(2):
        recompute.run(project=answered)
    whole = labels()
    Question.objects.filter(verdict=None).update(probability=0.5, answers_count=0, yes_count=0)
    assert recompute.run(project=answered, on_shared=request) is None
    assert not RecomputationShare.objects.exists()
    begun = Question.objects.filter(kind="concept", answers_count=2).count()
    assert 0 < begun < len(whole) and schedule.requested() == [answered]
    assert recompute.run(project=answered, on_shared=lambda: None) is not None
    assert labels() == pytest.approx(whole, abs=0.01) and schedule.requested() == []


def test_other_settling_rules_reach_all_questions_whoever_asks_for_more(
    answered: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares, "PATIENCE", 0.0)
    requested = Recomputation.objects.filter(project=answered)
    assert recompute.run(project=answered, on_shared=lambda: requested.update(requested=True))


def test_labels_that_turn_are_written_first(
    answered: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    recompute.run(project=answered)
    asked = Question.objects.filter(kind="concept", verdict=None)
    wrong = set(asked.filter(probability__gte=0.9).order_by("-pk").values_list("pk", flat=True)[:5])
    asked.update(answers_weight=9.0)
    asked.filter(pk__in=wrong).update(probability=0.1)
    written: list[int] = []
    monkeypatch.setattr(writing, "write", lambda found, renew: written.extend(found["id"]) or 0)
    recompute.run(project=answered)
    assert set(written[:5]) == wrong and len(written) > 5


def test_others_write_what_one_would(answered: Project) -> None:
    alone = found(answered, None)
    counted: list[int] = []

    def join() -> None:
        counted.append(RecomputationShare.objects.count())
        assert shares.take_part(answered.pk) == counted[0]
        assert shares.take_part(answered.pk) == 0

    assert found(answered, join) == alone
    assert counted[0] > 2 and alone[0] > 20
    assert found(answered, lambda: None) == alone, "nobody else came"


def test_a_share_whose_worker_died_is_written_again(answered: Project) -> None:
    alone = found(answered, None)
    died: list[RecomputationShare] = []

    def die() -> None:
        row = acquire()
        part = writing.load(shares.stored_folders.fetch(row.folder))[row.first : row.first + 5]
        writing.write(part, row.renew)
        died.append(row)
        expire()

    assert found(answered, die)[1] == alone[1]
    with pytest.raises(LeaseLost):
        died[0].renew()


def test_a_worker_that_fails_gives_its_share_back(
    answered: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = found(answered, None)

    def fail() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(writing, "write", out_of_memory)
            with pytest.raises(MemoryError):
                tasks.write_posteriors(answered.pk)
        assert not RecomputationShare.objects.filter(lease_until__isnull=False).exists()

    assert found(answered, fail) == alone


def test_one_message_waits_however_many_shares_there_are(
    answered: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, waiting, most = found(answered, None), 0, 0

    def send(task: object, *_arguments: object, **_options: object) -> None:
        nonlocal waiting, most
        waiting += task is tasks.write_posteriors
        most = max(most, waiting)

    def join() -> None:
        nonlocal waiting
        tasks._wake_writer(answered.pk)
        while waiting:
            waiting -= 1
            tasks.write_posteriors(answered.pk)
        assert not RecomputationShare.objects.filter(done=False).exists()

    monkeypatch.setattr(tasks, "enqueue_on_commit", send)
    assert found(answered, join) == alone
    assert most == 1


def test_a_machine_recomputes_one_large_project_at_a_time(
    answered: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "LARGE", 20)
    with tasks._alone_here("recomputations"):
        tasks.aggregate(answered.pk)
        assert schedule.is_due(answered)
        monkeypatch.setattr(schedule, "LARGE", 20_000)
        tasks.aggregate(answered.pk)
    assert not schedule.is_due(answered)


def out_of_memory(*_arguments: object) -> int:
    raise MemoryError


def test_whoever_leads_anew_takes_all_shares_back(answered: Project) -> None:
    """Else two would write at once, one of them what was true before."""
    with schedule.claim(answered) as recomputation:
        assert recomputation is not None
        shares._share_out(writing.np.zeros(30, writing.FOUND), recomputation)
    row = acquire()
    recompute.run(project=answered)
    assert not RecomputationShare.objects.exists()
    with pytest.raises(LeaseLost):
        row.renew()
    folder_deletions.delete_folders()
    assert not default_storage.exists(f"{row.folder}/{writing.FILE}")


def test_one_worker_writes_all_while_the_storage_is_away(
    answered: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_arguments: object, **_options: object) -> None:
        raise StorageAway("no route")

    alone = found(answered, None)
    monkeypatch.setattr(shares.stored_folders, "put", away)
    assert found(answered, pytest.fail) == alone
    assert "is written by one worker: no route" in caplog.text
