"""Two undos at once, and an undo beside an answer or a recomputation: one of them wins."""

import pytest

from labeling import challenges, withdrawals
from labeling.inference import posteriors, recompute
from labeling.models import Annotator, Answer, Challenge, Question
from tests.at_once import run_at_once
from tests.concurrency import meanwhile

pytestmark = pytest.mark.django_db(transaction=True)


def fresh(challenge: Challenge) -> Challenge:
    return Challenge.objects.select_related("annotator").get(pk=challenge.pk)


def answered(annotator, project) -> Challenge:
    challenge = challenges.issue(annotator=annotator, project=project, kind="grid")
    assert challenge is not None
    challenges.answer(challenge=challenge, selected=[1, 2])
    return fresh(challenge)


def check_counts() -> None:
    """Check that questions and annotators count what is stored."""
    for question in Question.objects.all():
        assert question.answers_count == question.answers.count()
    for annotator in Annotator.objects.all():
        assert annotator.answers_count == annotator.answers.count()


def test_of_two_undos_at_once_one_wins(shapes, mallory):
    challenge = answered(mallory, shapes)

    def undo() -> Challenge:
        return withdrawals.undo(challenge=fresh(challenge))

    results = run_at_once(undo, undo, undo)
    assert sum(isinstance(result, Challenge) for result in results) == 1
    assert sum(isinstance(result, withdrawals.TooLate) for result in results) == 2
    assert fresh(challenge).undos == 1 and not Answer.objects.exists()
    check_counts()


def test_an_undo_and_the_next_answer_at_once(shapes, mallory):
    challenge = answered(mallory, shapes)
    following = challenges.issue(annotator=mallory, project=shapes, kind="grid")
    assert following is not None
    undone, outcome = run_at_once(
        lambda: withdrawals.undo(challenge=fresh(challenge)),
        lambda: challenges.answer(challenge=fresh(following), selected=[]),
    )
    assert outcome.recorded == 9
    if isinstance(undone, withdrawals.TooLate):
        assert Answer.objects.count() == 18
    else:
        assert Answer.objects.count() == 9 and fresh(challenge).answered_at is None
    check_counts()


def test_an_undo_and_another_answer_to_the_same_challenge_at_once(shapes, mallory):
    challenge = answered(mallory, shapes)
    undone, outcome = run_at_once(
        lambda: withdrawals.undo(challenge=fresh(challenge)),
        lambda: challenges.answer(challenge=fresh(challenge), selected=[3]),
    )
    assert isinstance(undone, Challenge)
    if isinstance(outcome, Exception):
        assert isinstance(outcome, challenges.AlreadyAnswered) and not Answer.objects.exists()
    else:
        assert Answer.objects.count() == 9
    check_counts()


def test_an_undo_while_a_recomputation_has_read_the_answers(shapes, mallory, monkeypatch):
    challenge = answered(mallory, shapes)
    infer = posteriors._infer

    def infer_meanwhile(*arrays):
        meanwhile(lambda: withdrawals.undo(challenge=fresh(challenge)))
        return infer(*arrays)

    monkeypatch.setattr(posteriors, "_infer", infer_meanwhile)
    recompute.run(project=shapes)
    monkeypatch.undo()
    shapes.recomputation.refresh_from_db()
    assert shapes.recomputation.requested
    recompute.run(project=shapes)
    assert not Answer.objects.exists()
    check_counts()
