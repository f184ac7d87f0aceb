"""Answers and questions as arrays."""

import numpy as np
import pytest

from labeling import answers, review
from labeling.inference import arrays
from labeling.models import Answer, Question

pytestmark = pytest.mark.django_db


@pytest.fixture
def said(shapes, alice, bob) -> dict[int, bool]:
    asked = Question.objects.filter(kind="concept").values_list("pk", flat=True)[:20]
    values = {pk: bool(pk % 3) for pk in asked}
    for annotator in (alice, bob):
        answers.record(annotator=annotator, values=values, reasons=dict.fromkeys(values, "wanted"))
    return values


def newest() -> int:
    return Answer.objects.order_by("-pk").values_list("pk", flat=True)[0]


@pytest.mark.parametrize("chunk", [1, 7, 40, 50_000])
def test_all_is_read_however_it_is_cut(shapes, said, alice, bob, monkeypatch, chunk):
    monkeypatch.setattr(arrays, "CHUNK", chunk)
    asked, given = arrays.read(shapes, newest=newest())
    assert asked.id.tolist() == sorted(said) and (np.diff(given.id) > 0).all()
    assert set(given.annotators.tolist()) == {alice.pk, bob.pk}
    rows = zip(given.question.tolist(), given.annotator.tolist(), given.value.tolist(), strict=True)
    read = {(asked.id[q], given.annotators[a], value) for q, a, value in rows}
    assert read == {(pk, who.pk, value) for pk, value in said.items() for who in (alice, bob)}
    for row in Question.objects.filter(pk__in=said):
        at = np.searchsorted(asked.id, row.pk)
        assert (asked.prior[at], asked.probability[at]) == (row.prior, row.probability)
        assert (asked.count[at], asked.yes[at]) == (2, 2 * said[row.pk])
        assert asked.verdict[at] == (-1 if row.verdict is None else row.verdict)
        assert asked.gold[at] == (row.state == "gold")


def test_answers_after_the_newest_are_left_for_the_next_time(shapes, said, alice):
    until = newest()
    (late,) = Question.objects.filter(kind="concept").exclude(pk__in=said)[:1]
    answers.record(annotator=alice, values={late.pk: True}, reasons={late.pk: "wanted"})
    asked, given = arrays.read(shapes, newest=until)
    assert len(given.id) == 2 * len(said)
    assert late.pk in asked.id, "but the question is there, since it is answered"


def test_blocked_annotators_are_left_out(shapes, said, alice, bob, ada):
    review.block(annotator=bob, by=ada)
    _, given = arrays.read(shapes, newest=newest())
    assert given.annotators.tolist() == [alice.pk]


def test_where_nobody_answered_there_is_nothing(shapes):
    asked, given = arrays.read(shapes, newest=0)
    assert len(asked.id) == len(given.id) == len(given.annotators) == 0
    assert given.value.dtype == bool and asked.gold.dtype == bool
