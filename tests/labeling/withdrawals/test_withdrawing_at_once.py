"""A withdrawal beside answers, recomputations and snapshots: nothing is counted wrong."""

import pytest

from labeling import challenges, snapshots, withdrawals
from labeling.inference import posteriors, recompute
from labeling.models import Annotator, Answer, Project, Question, Snapshot
from tests.at_once import run_at_once
from tests.cast import answer
from tests.concurrency import meanwhile

pytestmark = pytest.mark.django_db(transaction=True)


def wanted() -> list[int]:
    rows = Question.objects.filter(kind="concept", state="open").order_by("pk")
    return list(rows.values_list("pk", flat=True)[:12])


def check_counts() -> None:
    """Check that questions and annotators count what is stored."""
    for question in Question.objects.all():
        assert question.answers_count == question.answers.count()
    for annotator in Annotator.objects.all():
        assert annotator.answers_count == annotator.answers.count()


def test_a_recomputation_that_has_read_them(shapes, mallory, monkeypatch):
    answer(mallory, dict.fromkeys(wanted(), True))
    infer = posteriors._infer

    def infer_meanwhile(*arrays):
        meanwhile(lambda: withdrawals.withdraw_all(annotator=mallory))
        return infer(*arrays)

    monkeypatch.setattr(posteriors, "_infer", infer_meanwhile)
    recompute.run(project=shapes)
    monkeypatch.undo()
    assert not Question.objects.filter(answers_count__gt=0).exists()
    shapes.recomputation.refresh_from_db()
    assert shapes.recomputation.requested
    recompute.run(project=shapes)
    check_counts()


def test_a_snapshot_that_is_being_frozen_is_marked(shapes, mallory, monkeypatch):
    answer(mallory, dict.fromkeys(wanted(), True))
    manifest = snapshots._manifest

    def manifest_meanwhile(held, content):
        meanwhile(lambda: withdrawals.withdraw_all(annotator=mallory))
        return manifest(held, content)

    monkeypatch.setattr(snapshots, "_manifest", manifest_meanwhile)
    frozen = snapshots.freeze(project=shapes)
    assert frozen.withdrawn == 12 and Snapshot.objects.get().withdrawn == 12


def test_withdrawals_and_answers_at_once(shapes, mallory, bob):
    Annotator.objects.filter(pk=bob.pk).update(gold_count=0, gold_right=0)
    answer(mallory, dict.fromkeys(wanted(), True))

    def take_part(annotator: Annotator) -> None:
        for _ in range(3):
            project = Project.objects.get()
            challenge = challenges.issue(annotator=annotator, project=project, kind="grid")
            if challenge is not None:
                challenges.answer(challenge=challenge, selected=[1])

    results = run_at_once(
        lambda: withdrawals.withdraw_all(annotator=mallory),
        lambda: withdrawals.withdraw_all(annotator=mallory),
        lambda: take_part(mallory),
        lambda: take_part(bob),
        lambda: recompute.run(project=shapes),
    )
    assert not [result for result in results if isinstance(result, Exception)]
    total = sum(each.answers for each in results[:2])
    assert withdrawals.ledger(annotator=mallory).withdrawn == total >= 12
    recompute.run(project=shapes)
    check_counts()
    assert (
        Answer.objects.filter(annotator=mallory).count()
        == Annotator.objects.get(pk=mallory.pk).answers_count
    )
