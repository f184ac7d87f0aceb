"""Deciding many questions at once, beside another reviewer, and undoing it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection

from labeling import decisions, review
from labeling.decisions import DecisionError
from labeling.models import Concept, DecisionBatch, Event, GoldMark, Project, Question
from tests.cast import answer

pytestmark = pytest.mark.django_db
State = Question.State


@pytest.fixture
def chosen(shapes: Project) -> list[Question]:
    """Six open questions about circles."""
    return list(Question.objects.filter(kind="concept", state="open", concept__name="circle")[:6])


def decide(project: Project, questions: list[Question], choice: str, by: User):
    standings = {question.pk: question.standing for question in questions}
    return decisions.decide_many(project=project, choice=choice, seen=standings, by=by)


def verdicts(questions: list[Question]) -> list[bool | None]:
    rows = Question.objects.in_bulk([question.pk for question in questions])
    return [rows[question.pk].verdict for question in questions]


@pytest.mark.parametrize(("choice", "value"), [("yes", True), ("no", False)])
def test_all_that_are_selected_are_decided(shapes, chosen, ada, choice, value):
    outcome = decide(shapes, chosen, choice, ada)
    assert (outcome.changed, outcome.unchanged, outcome.refused) == (6, 0, {})
    assert verdicts(chosen) == [value] * 6
    for question in Question.objects.filter(decided_by=ada):
        assert (question.state, question.probability) == (State.SETTLED, float(value))
    assert decide(shapes, list(Question.objects.filter(decided_by=ada)), choice, ada).unchanged == 6


def test_the_history_has_one_event_and_each_question_a_line(shapes, chosen, ada):
    decide(shapes, chosen, "yes", ada)
    event = Event.objects.get()
    assert (event.message, event.kind, event.user) == ("Decided yes: 6 questions.", "decision", ada)
    assert LogEntry.objects.filter(object_id__in=[each.pk for each in chosen]).count() == 6


def test_what_somebody_decided_meanwhile_is_left_as_it_is(shapes, chosen, ada, bea):
    for question, value in zip(chosen[:2], (True, False), strict=True):
        review.decide(question=Question.objects.get(pk=question.pk), value=value, by=bea)
    outcome = decide(shapes, chosen, "yes", ada)
    assert outcome.changed == 4
    assert outcome.reasons() == [
        ("decided yes by bea since you looked", 1),
        ("decided no by bea since you looked", 1),
    ]
    assert verdicts(chosen) == [True, False, True, True, True, True]


def test_merged_gold_foreign_and_missing_questions_are_refused(shapes, chosen, ada):
    square = Concept.objects.get(name="square")
    merged = Question.objects.filter(concept=square, state="open")[0]
    Concept.objects.filter(pk=square.pk).update(merged_into=chosen[0].concept, active=False)
    gold = Question.objects.filter(concept__name="circle", state="gold")[0]
    elsewhere = Project.objects.create(slug="elsewhere", name="Elsewhere")
    ids = [merged.pk, gold.pk, 10**9, chosen[0].pk]
    seen = dict.fromkeys(ids)
    outcome = decisions.decide_many(project=shapes, choice="no", seen=seen, by=ada)
    assert outcome.refused == {
        merged.pk: decisions.MERGED,
        gold.pk: decisions.GOLD,
        10**9: decisions.GONE,
    }
    assert (outcome.changed, outcome.unchanged) == (1, 0)
    foreign = decisions.decide_many(project=elsewhere, choice="no", seen=seen, by=ada)
    assert set(foreign.refused.values()) == {decisions.GONE} and foreign.batch is None


def test_what_is_settled_or_decided_is_used_as_gold(shapes, chosen, ada, alice, bob, mallory):
    review.decide(question=chosen[0], value=False, by=ada)
    Project.objects.update(settle_at=0.8)
    for annotator in (alice, bob, mallory):
        answer(annotator, {chosen[1].pk: True})
    rows = list(Question.objects.filter(pk__in=[each.pk for each in chosen[:3]]))
    assert [row.state for row in rows] == ["settled", "settled", "open"]
    outcome = decide(shapes, rows, "gold", ada)
    assert (outcome.changed, outcome.refused) == (2, {chosen[2].pk: decisions.UNDECIDED})
    assert verdicts(chosen[:3]) == [False, True, None]
    assert GoldMark.objects.filter(ended_at=None).count() == 2
    assert [event.kind for event in Event.objects.all()] == ["gold", "decision"]
    decisions.undo(batch=outcome.batch, by=ada)
    rows = list(Question.objects.filter(pk__in=[each.pk for each in chosen[:3]]))
    assert [(row.state, row.verdict) for row in rows] == [
        ("settled", False),
        ("settled", None),
        ("open", None),
    ]
    assert not GoldMark.objects.filter(ended_at=None).exists()


def test_undoing_puts_back_what_held_before(shapes, chosen, ada, bea, alice):
    answer(alice, {chosen[1].pk: True})
    review.decide(question=chosen[0], value=False, by=bea)
    rows = list(Question.objects.filter(pk__in=[each.pk for each in chosen]))
    before = [(row.state, row.verdict, row.decided_by, row.answers_wanted) for row in rows]
    probabilities = [row.probability for row in rows]
    for choice in ("yes", "reopen"):
        outcome = decide(shapes, rows, choice, ada)
        undone = decisions.undo(batch=outcome.batch, by=ada)
        assert undone.changed == outcome.changed and undone.refused == {}
        rows = list(Question.objects.filter(pk__in=[each.pk for each in chosen]))
        after = [(row.state, row.verdict, row.decided_by, row.answers_wanted) for row in rows]
        assert after == before
        assert [row.probability for row in rows] == pytest.approx(probabilities, abs=0.01)


def test_undoing_leaves_what_somebody_changed_since(shapes, chosen, ada, bea):
    batch = decide(shapes, chosen, "yes", ada).batch
    review.decide(question=Question.objects.get(pk=chosen[0].pk), value=False, by=bea)
    outcome = decisions.undo(batch=batch, by=ada)
    assert (outcome.changed, outcome.refused) == (5, {chosen[0].pk: decisions.UNDONE_BEFORE})
    assert verdicts(chosen) == [False] + [None] * 5


def test_only_the_last_of_ones_own_is_undone_and_only_once(shapes, chosen, ada, bea):
    first = decide(shapes, chosen[:2], "yes", ada).batch
    second = decide(shapes, chosen[2:], "no", ada).batch
    assert decisions.undoable(project=shapes, by=ada) == second != first
    assert decisions.undoable(project=shapes, by=bea) is None
    decisions.undo(batch=second, by=ada)
    assert decisions.undoable(project=shapes, by=ada) is None
    for batch in (first, second):
        with pytest.raises(DecisionError, match="cannot be undone any more"):
            decisions.undo(batch=batch, by=ada)
    DecisionBatch.objects.filter(pk=second.pk).update(undone_at=None)
    old = second.created_at - decisions.UNDO_TIME
    DecisionBatch.objects.filter(pk=second.pk).update(created_at=old)
    assert decisions.undoable(project=shapes, by=ada) is None


@pytest.mark.parametrize("choice", ["", "maybe", "gold-yes"])
def test_an_unknown_choice_changes_nothing(shapes, chosen, ada, choice):
    with pytest.raises(DecisionError, match="nothing was changed"):
        decide(shapes, chosen, choice, ada)


def test_a_batch_has_a_size(shapes, ada):
    for ids in ([], range(1, decisions.AT_ONCE + 2)):
        with pytest.raises(DecisionError, match="from 1 to 500"):
            decisions.decide_many(project=shapes, choice="yes", seen=dict.fromkeys(ids), by=ada)


@pytest.mark.django_db(transaction=True)
def test_of_two_reviewers_at_once_the_second_is_told(shapes, chosen, ada, bea):
    seen = dict.fromkeys((question.pk for question in chosen), "")

    def act(choice: str, by: User) -> decisions.Outcome:
        try:
            return decisions.decide_many(project=shapes, choice=choice, seen=seen, by=by)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(act, ("yes", "no"), (ada, bea)))
    assert sorted(outcome.changed for outcome in outcomes) == [0, 6]
    assert sorted(len(outcome.refused) for outcome in outcomes) == [0, 6]
    assert len(set(verdicts(chosen))) == 1
