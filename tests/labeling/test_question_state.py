"""A question's state by its posterior and answers."""

import pytest

from labeling import question_state
from labeling.models import Question

pytestmark = pytest.mark.django_db
State = Question.State


@pytest.fixture
def question(shapes) -> Question:
    open_questions = Question.objects.filter(kind="concept", state=State.OPEN)
    return open_questions.select_related("project", "concept").first()


def state_after(
    question: Question, probability: float, yes: int, no: int, weight: float | None = None
) -> str:
    question.probability = probability
    question.yes_count, question.answers_count = yes, yes + no
    question.answers_weight = yes + no if weight is None else weight
    question_state.update_state(question)
    return question.state


def test_it_settles_at_the_certainty_that_the_project_sets(question):
    assert state_after(question, 0.949, 2, 0) == State.OPEN
    assert state_after(question, 0.951, 2, 0) == State.SETTLED and question.settled_at
    question.project.settle_at = 0.99
    question.state = State.OPEN
    assert state_after(question, 0.951, 2, 0) == State.OPEN and question.settled_at is None


def test_no_question_settles_on_fewer_answers_than_the_project_wants(question):
    assert state_after(question, 0.999, 1, 0) == State.OPEN


def test_answers_that_weigh_nothing_settle_nothing_however_certain_it_looks(question):
    assert state_after(question, 0.999, 4, 0, weight=1.5) == State.OPEN
    assert state_after(question, 0.999, 4, 0, weight=1.8) == State.SETTLED


def test_bots_cannot_have_a_question_given_up_but_people_are_not_asked_for_ever(question):
    assert state_after(question, 0.6, 6, 6, weight=1.0) == State.OPEN
    most = question.project.answers_cap * question_state.PEOPLE_PER_ANSWER
    assert state_after(question, 0.6, most, 0, weight=1.0) == State.AMBIGUOUS


def test_it_is_ambiguous_at_the_cap(question):
    question.project.answer_cost = 0
    assert state_after(question, 0.8, 5, 3) == State.OPEN
    assert state_after(question, 0.8, 5, 4) == State.AMBIGUOUS and question.priority == 0


def test_it_is_given_up_when_no_answer_is_worth_its_cost(question):
    assert state_after(question, 0.5, 2, 2) == State.OPEN
    assert state_after(question, 0.5, 3, 3) == State.AMBIGUOUS
    question.project.answer_cost, question.state = 0, State.OPEN
    assert state_after(question, 0.5, 3, 3) == State.OPEN


def test_a_late_answer_does_not_put_it_before_people_again(question):
    assert state_after(question, 0.5, 3, 3) == State.AMBIGUOUS
    assert state_after(question, 0.65, 4, 3) == State.AMBIGUOUS
    assert state_after(question, 0.97, 5, 3) == State.SETTLED


def test_what_was_settled_opens_again_only_in_earnest(question):
    assert state_after(question, 0.96, 2, 0) == State.SETTLED
    assert state_after(question, 0.92, 2, 1) == State.SETTLED
    assert state_after(question, 0.85, 2, 1) == State.OPEN


def test_a_reviewer_may_want_more_answers_than_the_cap(question):
    question.answers_wanted = 11
    assert state_after(question, 0.5, 5, 5) == State.OPEN
    assert question.priority == question.concept.value
    assert state_after(question, 0.5, 6, 5) == State.AMBIGUOUS
