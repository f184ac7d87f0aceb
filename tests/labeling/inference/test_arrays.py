"""A project's answers and questions are read as arrays."""

import numpy as np
import pytest

from labeling import answers, gold, review
from labeling.inference import arrays
from labeling.models import Answer, GoldMark, Question

pytestmark = pytest.mark.django_db


@pytest.fixture
def votes(shapes, alice, bob) -> dict[int, bool]:
    questions = Question.objects.filter(kind="concept").values_list("pk", flat=True)[:20]
    values = {pk: bool(pk % 3) for pk in questions}
    for annotator in (alice, bob):
        answers.record(annotator=annotator, values=values, reasons=dict.fromkeys(values, "wanted"))
    return values


def newest() -> int:
    return Answer.objects.order_by("-pk").values_list("pk", flat=True)[0]


@pytest.mark.parametrize("chunk", [1, 7, 40, 50_000])
def test_all_is_read_however_it_is_cut(shapes, votes, alice, bob, monkeypatch, chunk):
    monkeypatch.setattr(arrays, "CHUNK", chunk)
    questions, stored = arrays.read(shapes, newest=newest())
    assert questions.id.tolist() == sorted(votes) and (np.diff(stored.id) > 0).all()
    assert set(stored.annotators.tolist()) == {alice.pk, bob.pk}
    rows = zip(
        stored.question.tolist(), stored.annotator.tolist(), stored.value.tolist(), strict=True
    )
    read = {(questions.id[q], stored.annotators[a], value) for q, a, value in rows}
    assert read == {
        (pk, annotator.pk, value) for pk, value in votes.items() for annotator in (alice, bob)
    }
    for row in Question.objects.filter(pk__in=votes):
        at = np.searchsorted(questions.id, row.pk)
        assert (questions.prior[at], questions.probability[at]) == (row.prior, row.probability)
        assert (questions.answers_count[at], questions.yes_count[at]) == (2, 2 * votes[row.pk])
        assert questions.verdict[at] == (-1 if row.verdict is None else row.verdict)
        assert questions.gold[at] == (row.state == "gold")


def test_answers_after_the_newest_are_left_for_the_next_time(shapes, votes, alice):
    until = newest()
    (late,) = Question.objects.filter(kind="concept").exclude(pk__in=votes)[:1]
    answers.record(annotator=alice, values={late.pk: True}, reasons={late.pk: "wanted"})
    questions, stored = arrays.read(shapes, newest=until)
    assert len(stored.id) == 2 * len(votes)
    assert late.pk in questions.id, "but the question is there, since it is answered"


def test_blocked_annotators_are_left_out(shapes, votes, alice, bob, ada):
    review.block(annotator=bob, by=ada)
    _, stored = arrays.read(shapes, newest=newest())
    assert stored.annotators.tolist() == [alice.pk]


def test_where_nobody_answered_there_is_nothing(shapes):
    questions, stored = arrays.read(shapes, newest=0)
    assert len(questions.id) == len(stored.id) == len(stored.annotators) == 0
    assert stored.value.dtype == bool and questions.gold.dtype == bool


def test_gold_that_was_chosen_by_its_answers_calibrates_nothing(shapes, votes, ada):
    """Reviewers accept what people agree on, and look up what they dispute."""
    first, second, third = Question.objects.filter(pk__in=votes, state="open")[:3]
    origins = GoldMark.Origin.SESSION, GoldMark.Origin.PROPOSAL, GoldMark.Origin.QUESTION
    for question, origin in zip((first, second, third), origins, strict=True):
        pair = {"tile": question.tile, "concept": question.concept}
        gold.mark(**pair, value=True, by=ada, origin=origin)
    questions, _ = arrays.read(shapes, newest=newest())
    rows = np.searchsorted(questions.id, [first.pk, second.pk, third.pk])
    assert questions.verdict[rows].tolist() == [1, 1, 1]
    assert questions.gold[rows].tolist() == [True, False, False]
