"""What the answers add up to, and what reviewers decide."""

import random

import pytest
from django.contrib.admin.models import LogEntry

from labeling import answers, progress, questions, review, tasks
from labeling.aggregation import binary
from labeling.inference import prevalence, recompute, schedule
from labeling.inference import questions as stored_questions
from labeling.models import Annotator, Answer, Concept, Question, Tile
from tests.cast import distrust, truth

pytestmark = pytest.mark.django_db
State = Question.State


def say(annotator, values: dict[int, bool], reason: str = Answer.Reason.WANTED) -> None:
    answers.record(annotator=annotator, values=values, reasons=dict.fromkeys(values, reason))


@pytest.fixture
def opinions(shapes, alice, bob, mallory) -> dict[int, bool]:
    """Everybody answered every question: Alice always right, Bob mostly, Mallory never."""
    dice = random.Random(1)
    truths = {
        pk: truth(pk) for pk in Question.objects.filter(kind="concept").values_list("pk", flat=True)
    }
    say(alice, truths)
    say(bob, {pk: value ^ (dice.random() < 0.2) for pk, value in truths.items()})
    say(mallory, {pk: not value for pk, value in truths.items()})
    return truths


def test_recomputing_finds_out_who_is_to_be_believed(shapes, opinions, alice, bob, mallory):
    Annotator.objects.update(
        true_positives=0, true_negatives=0, false_positives=0, false_negatives=0
    )
    assert recompute.run(project=shapes) > 0
    for pk, value in opinions.items():
        assert Question.objects.get(pk=pk).label == value
    ratings = [Annotator.objects.get(pk=a.pk).reliability for a in (alice, bob, mallory)]
    assert ratings == sorted(ratings, reverse=True)
    assert ratings[0] > 0.8 and ratings[2] < 0.5


def test_recomputing_twice_changes_nothing_more(shapes, opinions):
    recompute.run(project=shapes)
    before = list(Question.objects.order_by("pk").values())
    assert recompute.run(project=shapes) == 0
    assert list(Question.objects.order_by("pk").values()) == before


def test_it_counts_anew_what_annotators_did(shapes, opinions, alice):
    Annotator.objects.update(answers_count=7, gold_count=0, gold_right=0)
    recompute.run(project=shapes)
    alice.refresh_from_db()
    gold = Question.objects.filter(state=State.GOLD).count()
    assert (alice.answers_count, alice.gold_count, alice.gold_right) == (len(opinions), gold, gold)


def test_it_keeps_answers_that_arrive_meanwhile(shapes, opinions, monkeypatch):
    late = Annotator.objects.create(pseudonym="late")
    question = Question.objects.filter(kind="concept", state=State.SETTLED).first()
    question = question or Question.objects.filter(kind="concept").exclude(state="gold").first()
    aggregate = binary.aggregate

    def while_it_thinks(*columns, **known):
        say(late, {question.pk: True})
        return aggregate(*columns, **known)

    monkeypatch.setattr(binary, "aggregate", while_it_thinks)
    recompute.run(project=shapes)
    question.refresh_from_db()
    assert question.answers_count == 4
    monkeypatch.undo()
    recompute.run(project=shapes)
    question.refresh_from_db()
    assert question.answers_count == 4


def test_it_leaves_gold_and_verdicts_alone(shapes, opinions, ada):
    question = Question.objects.filter(kind="concept").exclude(state=State.GOLD).first()
    review.decide(question=question, value=not opinions[question.pk], by=ada)
    recompute.run(project=shapes)
    question.refresh_from_db()
    assert question.label != opinions[question.pk] and question.state == State.SETTLED
    for gold in Question.objects.filter(state=State.GOLD):
        assert gold.probability == gold.verdict == opinions[gold.pk]


def test_a_project_without_answers_can_be_recomputed(shapes):
    assert recompute.run(project=shapes) == 0


def test_a_concept_that_turns_out_rare_moves_what_nobody_answered(shapes, alice):
    tiles = list(Tile.objects.all())
    rare = Concept.objects.create(project=shapes, name="cat", phrase="a cat", prevalence=0.5)
    questions.ask_concepts(tiles=tiles, concepts=[rare])
    first, *rest = Question.objects.filter(concept=rare).order_by("pk")
    say(alice, {question.pk: False for question in rest}, Answer.Reason.RANDOM)
    prevalence.MIN_QUESTIONS, before = 10, prevalence.MIN_QUESTIONS
    try:
        recompute.run(project=shapes)
    finally:
        prevalence.MIN_QUESTIONS = before
    rare.refresh_from_db()
    first.refresh_from_db()
    assert rare.prevalence < 0.3
    assert first.prior == first.probability == pytest.approx(rare.prevalence)
    assert 0 < first.priority < 0.9


def test_what_was_chosen_for_its_belief_says_nothing_about_prevalence(shapes, alice):
    tiles = list(Tile.objects.all())
    rare = Concept.objects.create(project=shapes, name="cat", phrase="a cat", prevalence=0.5)
    questions.ask_concepts(tiles=tiles, concepts=[rare])
    say(alice, {question.pk: False for question in Question.objects.filter(concept=rare)})
    recompute.run(project=shapes)
    rare.refresh_from_db()
    assert rare.prevalence == 0.5


@pytest.mark.parametrize("value", [True, False])
def test_a_reviewer_has_the_last_word(shapes, ada, value):
    question = Question.objects.filter(kind="concept", state=State.OPEN).first()
    question = review.decide(question=question, value=value, by=ada)
    question.refresh_from_db()
    assert (question.probability, question.verdict) == (float(value), value)
    assert question.state == State.SETTLED and question.decided_by == ada
    assert question.settled_at is not None and question.priority == 0
    assert LogEntry.objects.get().get_change_message() == f"Decided: {'yes' if value else 'no'}."


def test_a_reopened_question_is_asked_again_however_certain_it_looks(
    shapes, alice, bob, mallory, ada
):
    question = Question.objects.filter(kind="concept", state=State.OPEN).first()
    for annotator in (alice, bob):
        say(annotator, {question.pk: True})
    question = review.reopen(question=question, by=ada)
    assert question.state == State.OPEN and question.priority == 1.0
    assert question.settled_at is None
    recompute.run(project=shapes)
    question.refresh_from_db()
    assert question.state == State.OPEN
    for annotator in (mallory, Annotator.objects.create(), Annotator.objects.create()):
        say(annotator, {question.pk: True})
    question.refresh_from_db()
    assert question.state == State.SETTLED
    assert "Reopened." in {entry.get_change_message() for entry in LogEntry.objects.all()}


def test_a_decision_can_be_withdrawn(shapes, alice, ada):
    question = Question.objects.filter(kind="concept", state=State.OPEN).first()
    say(alice, {question.pk: True})
    believed = Question.objects.get(pk=question.pk).probability
    review.decide(question=question, value=False, by=ada)
    question = review.reopen(question=question, by=ada)
    assert question.verdict is None and question.decided_by is None
    assert question.probability == pytest.approx(believed, abs=0.05)


def test_blocking_changes_labels_at_once_and_unblocking_brings_them_back(
    shapes, alice, mallory, ada
):
    asked = Question.objects.filter(kind="concept", state=State.OPEN)[:6]
    say(mallory, {question.pk: True for question in asked})
    before = {question.pk: Question.objects.get(pk=question.pk).probability for question in asked}
    assert all(probability > 0.5 for probability in before.values())
    review.block(annotator=mallory, by=ada)
    for question in asked:
        question.refresh_from_db()
        assert question.probability == 0.5 and question.answers_count == 0
    review.unblock(annotator=mallory, by=ada)
    for question in asked:
        question.refresh_from_db()
        assert question.probability == pytest.approx(before[question.pk], abs=0.05)
        assert question.answers_count == 1
    messages = [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]
    assert messages == ["Blocked.", "Unblocked."]


def test_blocking_somebody_busy_changes_the_newest_at_once_and_the_rest_soon(
    shapes, opinions, mallory, ada, monkeypatch
):
    monkeypatch.setattr(review, "AT_ONCE", 5)
    recompute.run(project=shapes)
    review.block(annotator=mallory, by=ada)
    mine = Question.objects.filter(kind="concept")
    assert mine.filter(answers_count=2).count() == 5
    assert schedule.due() == [shapes]
    tasks.aggregate_due()
    assert mine.filter(answers_count=2).count() == len(opinions)
    review.unblock(annotator=mallory, by=ada)
    tasks.aggregate_due()
    assert mine.filter(answers_count=3).count() == len(opinions)
    assert schedule.due() == []


def test_blocking_is_finished_later_if_it_dies_in_the_middle(
    shapes, opinions, mallory, ada, monkeypatch
):
    recompute.run(project=shapes)
    with monkeypatch.context() as patch, pytest.raises(ConnectionError):
        patch.setattr(stored_questions, "recompute", die)
        review.block(annotator=mallory, by=ada)
    assert schedule.due() == [shapes]
    tasks.aggregate_due()
    asked = Question.objects.filter(kind="concept")
    assert asked.filter(answers_count=2).count() == len(opinions)


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
    say(mallory, {question.pk: True})
    question.refresh_from_db()
    assert question.probability == question.prior
    review.block(annotator=mallory, by=ada)
    review.unblock(annotator=mallory, by=ada)
    mallory.refresh_from_db()
    assert not mallory.suspect and mallory.drift_score == 0
    (other,) = Question.objects.filter(kind="concept", state=State.OPEN)[1:2]
    say(mallory, {other.pk: True})
    other.refresh_from_db()
    assert other.probability > 0.6


def test_a_blocked_annotator_is_left_out_of_everything(shapes, opinions, mallory, ada):
    review.block(annotator=mallory, by=ada)
    recompute.run(project=shapes)
    assert set(Question.objects.filter(kind="concept").values_list("answers_count", flat=True)) == {
        2
    }


def test_recomputing_forgets_what_only_blocked_people_said(shapes, mallory):
    question = Question.objects.filter(kind="concept", state=State.OPEN).first()
    say(mallory, {question.pk: True})
    Annotator.objects.filter(pk=mallory.pk).update(blocked=True)
    assert recompute.run(project=shapes) == 1
    question.refresh_from_db()
    assert (question.probability, question.answers_count) == (question.prior, 0)
    assert recompute.run(project=shapes) == 0


def test_the_summary_counts_questions_by_state(shapes, alice):
    (first,) = Question.objects.filter(kind="concept", state=State.OPEN)[:1]
    say(alice, {first.pk: True})
    summary = progress.measure(project=shapes)
    assert (summary.images, summary.questions, summary.gold) == (24, 72, 12)
    assert (summary.open, summary.settled, summary.ambiguous) == (60, 0, 0)
    assert (summary.answers, summary.annotators) == (1, 1)


def test_one_project_says_nothing_about_another(shapes, opinions, alice):
    other = type(shapes).objects.create(slug="other", name="Other")
    assert recompute.run(project=other) == 0
    assert progress.measure(project=other).answers == 0
