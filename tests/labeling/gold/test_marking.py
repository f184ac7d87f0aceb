"""Gold is marked, unmarked and replaced, also while people answer."""

import pytest

from labeling import gold, questions
from labeling.gold import GoldError
from labeling.inference import recompute, schedule
from labeling.models import (
    Annotator,
    Concept,
    Event,
    GoldMark,
    Image,
    Import,
    Question,
    Recomputation,
    Tile,
)
from tests.cast import answer
from tests.concurrency import meanwhile

pytestmark = pytest.mark.django_db
State, Origin = Question.State, GoldMark.Origin


def open_question(shapes) -> Question:
    return Question.objects.filter(project=shapes, kind="concept", state=State.OPEN).first()


def mark(question, value, by):
    return gold.mark(tile=question.tile, concept=question.concept, value=value, by=by)


def test_marking_makes_a_question_gold_and_says_who_did_it(shapes, ada):
    question = mark(open_question(shapes), True, ada)
    assert (question.state, question.verdict, question.probability) == (State.GOLD, True, 1.0)
    assert question.decided_by == ada and question.priority == 0
    event = Event.objects.get(kind="gold")
    assert event.actor == "ada" and event.message == f"“{question.wording}” is gold: yes."
    assert GoldMark.objects.get(tile=question.tile).value is True


def test_a_pair_that_nobody_stored_becomes_gold_and_other_concepts_of_it_do_not(shapes, ada):
    star = Concept.objects.create(project=shapes, name="star", phrase="a star")
    tile = Tile.objects.filter(image__project=shapes).first()
    question = gold.mark(tile=tile, concept=star, value=False, by=ada)
    assert question.state == State.GOLD and question.reason == Question.Reason.DECIDED
    assert set(tile.questions.exclude(concept=star).values_list("verdict", flat=True)) != {False}


def test_a_generated_picture_a_foreign_one_and_a_merged_record_are_no_gold(shapes, garden, ada):
    concept = shapes.concepts.first()
    tile = Tile.objects.filter(image__project=shapes).first()
    Image.objects.filter(pk=tile.image_id).update(generated=True)
    with pytest.raises(GoldError, match="a model generated the picture"):
        gold.mark(tile=tile, concept=concept, value=True, by=ada)
    lily = Concept.objects.create(project=garden, name="lily", phrase="a lily")
    outcome = gold.mark_pairs(
        project=garden, values={(tile.pk, lily.pk): True}, by=ada, origin=Origin.FILE
    )
    assert list(outcome.refused.values()) == ["the project has no such picture"]
    assert not GoldMark.objects.exists()


def test_answers_to_what_becomes_gold_teach_about_those_who_gave_them(shapes, ada, mallory):
    questions = list(Question.objects.filter(kind="concept", state=State.OPEN)[:12])
    answer(mallory, {question.pk: True for question in questions})
    recompute.run(project=shapes)
    before = Annotator.objects.get(pk=mallory.pk)
    for question in questions:
        mark(question, False, ada)
    assert Recomputation.objects.get(project=shapes).requested
    assert shapes in schedule.due()
    recompute.run(project=shapes)
    after = Annotator.objects.get(pk=mallory.pk)
    assert (after.gold_count, after.gold_right) == (12, 0)
    assert after.reliability < before.reliability - 0.1


def test_a_question_without_answers_calls_for_no_recomputation(shapes, ada):
    recompute.run(project=shapes)
    mark(open_question(shapes), True, ada)
    assert not Recomputation.objects.get(project=shapes).requested


def test_retired_gold_stays_a_decided_label_with_its_answers(shapes, ada, alice):
    question = mark(open_question(shapes), True, ada)
    answer(alice, {question.pk: True})
    retired = gold.unmark(question=question, by=ada, settle=True)
    retired.refresh_from_db()
    assert (retired.state, retired.verdict, retired.answers_count) == (State.SETTLED, True, 1)
    assert retired.settled_at is not None and retired.decided_by == ada
    assert GoldMark.objects.get(tile=question.tile).ended_at is not None
    with pytest.raises(GoldError, match="not gold"):
        gold.unmark(question=question, by=ada, settle=True)


def test_withdrawn_gold_is_asked_again_and_believed_by_its_answers(shapes, ada, alice, bob):
    question = open_question(shapes)
    for annotator in (alice, bob):
        answer(annotator, {question.pk: True})
    believed = Question.objects.get(pk=question.pk).probability
    mark(question, False, ada)
    again = gold.unmark(question=Question.objects.get(pk=question.pk), by=ada, settle=False)
    assert again.verdict is None and again.decided_by is None
    assert again.probability == pytest.approx(believed, abs=0.01)
    assert again.state != State.GOLD


def test_replacing_retires_one_and_marks_another_or_does_neither(shapes, ada):
    old = mark(open_question(shapes), True, ada)
    tile = Question.objects.filter(concept=old.concept, state=State.OPEN).first().tile
    new = gold.replace(old=old, tile=tile, value=False, by=ada)
    old.refresh_from_db()
    assert (old.state, new.state, new.verdict) == (State.SETTLED, State.GOLD, False)
    Image.objects.filter(pk=old.tile.image_id).update(generated=True)
    with pytest.raises(GoldError):
        gold.replace(old=new, tile=old.tile, value=True, by=ada)
    new.refresh_from_db()
    assert new.state == State.GOLD
    with pytest.raises(GoldError, match="another picture"):
        gold.replace(old=new, tile=new.tile, value=True, by=ada)


def test_a_caption_can_be_gold(shapes, ada):
    caption = Question.objects.filter(kind="caption", state=State.OPEN).first()
    marked = gold.mark_caption(question=caption, value=False, by=ada)
    marked.refresh_from_db()
    assert (marked.state, marked.verdict) == (State.GOLD, False)
    gold.unmark(question=marked, by=ada, settle=False)
    assert not GoldMark.objects.filter(ended_at=None).exists()


def test_what_somebody_is_unsure_of_is_set_aside_and_no_gold(shapes, ada):
    question = mark(open_question(shapes), True, ada)
    gold.set_aside(tile=question.tile, concept=question.concept, by=ada, origin=Origin.SESSION)
    question.refresh_from_db()
    assert question.state == State.OPEN and question.verdict is None
    (held,) = GoldMark.objects.filter(ended_at=None)
    assert held.value is None


def test_an_import_changes_neither_gold_nor_decisions_of_people(shapes, ada):
    imported_by = Import.objects.create(project=shapes)
    first, second, third = Question.objects.filter(kind="concept", state=State.OPEN)[:3]
    mark(first, True, ada)
    values = {(q.tile_id, q.concept_id): False for q in (first, second, third)}
    outcome = gold.mark_pairs(
        project=shapes, values=values, by=None, origin=Origin.IMPORT, imported_by=imported_by
    )
    assert (outcome.marked, outcome.gold, len(outcome.refused)) == (2, 2, 1)
    again = gold.mark_pairs(
        project=shapes, values=values, by=None, origin=Origin.IMPORT, imported_by=imported_by
    )
    assert (again.marked, again.unchanged) == (0, 2)


def test_the_gold_of_an_import_is_taken_back_unless_somebody_marked_it_since(shapes, ada):
    imported_by = Import.objects.create(project=shapes)
    first, second = Question.objects.filter(kind="concept", state=State.OPEN)[:2]
    gold.mark_pairs(
        project=shapes,
        values={(q.tile_id, q.concept_id): False for q in (first, second)},
        by=None,
        origin=Origin.IMPORT,
        imported_by=imported_by,
    )
    mark(second, True, ada)
    assert gold.take_back(imported_by) == 1
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, first.verdict) == (State.OPEN, None)
    assert (second.state, second.verdict) == (State.GOLD, True)
    assert gold.take_back(imported_by) == 0


@pytest.mark.django_db(transaction=True)
def test_an_answer_on_its_way_waits_for_the_mark_and_none_is_lost(shapes, ada, alice, monkeypatch):
    question = open_question(shapes)
    ask_pairs = questions.ask_pairs

    def answered_meanwhile(**asked):
        ask_pairs(**asked)
        meanwhile(lambda: answer(alice, {question.pk: True}))

    monkeypatch.setattr(questions, "ask_pairs", answered_meanwhile)
    marked = mark(question, False, ada)
    marked.refresh_from_db()
    assert (marked.state, marked.answers_count, marked.yes_count) == (State.GOLD, 1, 1)
    answer(Annotator.objects.create(), {question.pk: False})
    marked.refresh_from_db()
    assert (marked.state, marked.probability, marked.answers_count) == (State.GOLD, 0.0, 2)
