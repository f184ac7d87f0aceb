"""A reviewer decides what is true, and whose answers count."""

import random

import pytest
from django.contrib.admin.models import LogEntry

from labeling import question_posteriors, review, tasks
from labeling.inference import recompute, schedule
from labeling.models import Annotator, Comment, Event, Question
from tests.cast import answer, distrust, truth

pytestmark = pytest.mark.django_db
State = Question.State


@pytest.fixture
def truths(shapes, alice, bob, mallory) -> dict[int, bool]:
    """Everybody answered every question: Alice always right, Bob mostly, Mallory never."""
    dice = random.Random(1)
    truths = {
        pk: truth(pk) for pk in Question.objects.filter(kind="concept").values_list("pk", flat=True)
    }
    answer(alice, truths)
    answer(bob, {pk: value ^ (dice.random() < 0.2) for pk, value in truths.items()})
    answer(mallory, {pk: not value for pk, value in truths.items()})
    return truths


@pytest.mark.parametrize("value", [True, False])
def test_a_reviewer_has_the_last_word(shapes, ada, value):
    question = Question.objects.filter(kind="concept", state=State.OPEN).first()
    question = review.decide(question=question, value=value, by=ada)
    question.refresh_from_db()
    assert (question.probability, question.verdict) == (float(value), value)
    assert question.state == State.SETTLED and question.decided_by == ada
    assert question.settled_at is not None and question.priority == 0
    decided = f"Decided “a circle”: {'yes' if value else 'no'}."
    assert LogEntry.objects.get().get_change_message() == decided
    assert (Event.objects.get().message, Event.objects.get().actor) == (decided, "ada")


def test_the_reason_of_a_decision_is_kept_with_it(shapes, ada):
    question = Question.objects.filter(kind="concept", state=State.OPEN).first()
    review.decide(question=question, value=True, by=ada, note="  Half of it\x00 is cut off. ")
    review.reopen(question=question, by=ada, note=" \t")
    note = Comment.objects.get()
    assert (note.text, note.kind, note.user) == ("Half of it is cut off.", "decision", ada)
    assert (note.question, note.tile) == (question, question.tile)


def test_gold_that_is_decided_otherwise_stays_gold(shapes, ada):
    question = Question.objects.filter(kind="concept", state=State.GOLD, verdict=True).first()
    review.decide(question=question, value=False, by=ada)
    question.refresh_from_db()
    assert (question.state, question.verdict, question.probability) == (State.GOLD, False, 0.0)
    review.reopen(question=question, by=ada)
    question.refresh_from_db()
    assert (question.state, question.verdict) == (State.OPEN, None)


def test_a_reopened_question_is_asked_again_however_certain_it_looks(shapes, alice, bob, ada):
    question = Question.objects.filter(kind="concept", state=State.OPEN).first()
    for annotator in (alice, bob):
        answer(annotator, {question.pk: True})
    question = review.reopen(question=question, by=ada)
    assert question.state == State.OPEN and question.priority == 1.0
    assert question.settled_at is None
    recompute.run(project=shapes)
    question.refresh_from_db()
    assert question.state == State.OPEN
    for _ in range(4):
        careful = Annotator.objects.create(true_positives=5, true_negatives=5)
        answer(careful, {question.pk: True})
    question.refresh_from_db()
    assert question.state == State.SETTLED
    assert f"Reopened “{question.wording}”." in {
        entry.get_change_message() for entry in LogEntry.objects.all()
    }


def test_a_decision_can_be_withdrawn(shapes, alice, ada):
    question = Question.objects.filter(kind="concept", state=State.OPEN).first()
    answer(alice, {question.pk: True})
    before = Question.objects.get(pk=question.pk).probability
    review.decide(question=question, value=False, by=ada)
    question = review.reopen(question=question, by=ada)
    assert question.verdict is None and question.decided_by is None
    assert question.probability == pytest.approx(before, abs=0.05)


def test_blocking_changes_labels_at_once_and_unblocking_brings_them_back(
    shapes, alice, mallory, ada
):
    concept_questions = Question.objects.filter(kind="concept", state=State.OPEN)[:6]
    answer(mallory, {question.pk: True for question in concept_questions})
    before = {
        question.pk: Question.objects.get(pk=question.pk).probability
        for question in concept_questions
    }
    assert all(probability > 0.5 for probability in before.values())
    review.block(annotator=mallory, by=ada)
    for question in concept_questions:
        question.refresh_from_db()
        assert question.probability == 0.5 and question.answers_count == 0
    review.unblock(annotator=mallory, by=ada)
    for question in concept_questions:
        question.refresh_from_db()
        assert question.probability == pytest.approx(before[question.pk], abs=0.05)
        assert question.answers_count == 1
    messages = [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]
    assert messages == ["Blocked mallory.", "Unblocked mallory."]


def test_blocking_somebody_busy_changes_the_newest_at_once_and_the_rest_soon(
    shapes, truths, mallory, ada, monkeypatch
):
    monkeypatch.setattr(review, "AT_ONCE", 5)
    recompute.run(project=shapes)
    review.block(annotator=mallory, by=ada)
    mine = Question.objects.filter(kind="concept")
    assert mine.filter(answers_count=2).count() == 5
    assert schedule.due() == [shapes]
    tasks.aggregate(shapes.pk)
    assert mine.filter(answers_count=2).count() == len(truths)
    review.unblock(annotator=mallory, by=ada)
    tasks.aggregate(shapes.pk)
    assert mine.filter(answers_count=3).count() == len(truths)
    assert schedule.due() == []


def test_blocking_is_finished_later_if_it_dies_in_the_middle(
    shapes, truths, mallory, ada, monkeypatch
):
    recompute.run(project=shapes)
    with monkeypatch.context() as patch, pytest.raises(ConnectionError):
        patch.setattr(question_posteriors, "recompute", die)
        review.block(annotator=mallory, by=ada)
    assert schedule.due() == [shapes]
    tasks.aggregate(shapes.pk)
    concept_questions = Question.objects.filter(kind="concept")
    assert concept_questions.filter(answers_count=2).count() == len(truths)


def test_nobody_is_blocked_without_what_follows_from_it(shapes, mallory, ada, monkeypatch):
    monkeypatch.setattr(schedule, "request_all", die)
    with pytest.raises(ConnectionError):
        review.block(annotator=mallory, by=ada)
    mallory.refresh_from_db()
    assert not mallory.blocked


def die(*_arguments: object) -> None:
    raise ConnectionError("the server is gone")


def test_whoever_is_unblocked_is_trusted_again(shapes, mallory, ada):
    (question,) = Question.objects.filter(kind="concept", state=State.OPEN)[:1]
    distrust(mallory)
    answer(mallory, {question.pk: True})
    question.refresh_from_db()
    assert question.probability == question.prior
    review.block(annotator=mallory, by=ada)
    review.unblock(annotator=mallory, by=ada)
    mallory.refresh_from_db()
    assert not mallory.suspect and mallory.drift_score == 0
    (other,) = Question.objects.filter(kind="concept", state=State.OPEN)[1:2]
    answer(mallory, {other.pk: True})
    other.refresh_from_db()
    assert other.probability > other.prior
