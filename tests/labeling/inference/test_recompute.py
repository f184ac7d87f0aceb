"""A whole project is recomputed from all its answers."""

import random

import pytest

from labeling import pools, questions, review
from labeling.aggregation import binary
from labeling.inference import prevalence, recompute
from labeling.models import Annotator, Answer, Concept, Question, Tile
from tests.cast import answer, truth

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


def test_recomputing_finds_out_who_is_accurate(shapes, truths, alice, bob, mallory):
    Annotator.objects.update(
        true_positives=0, true_negatives=0, false_positives=0, false_negatives=0
    )
    assert recompute.run(project=shapes) > 0
    for pk, value in truths.items():
        assert Question.objects.get(pk=pk).label == value
    ratings = [Annotator.objects.get(pk=a.pk).reliability for a in (alice, bob, mallory)]
    assert ratings == sorted(ratings, reverse=True)
    assert ratings[0] > 0.8 and ratings[2] < 0.5


def test_recomputing_again_changes_nothing_more(shapes, truths):
    recompute.run(project=shapes)
    recompute.run(project=shapes)  # with what the first run found of the annotators
    before = list(Question.objects.order_by("pk").values())
    assert recompute.run(project=shapes) == 0
    assert list(Question.objects.order_by("pk").values()) == before


def test_it_recounts_what_annotators_did(shapes, truths, alice):
    Annotator.objects.update(answers_count=7, gold_count=0, gold_right=0)
    recompute.run(project=shapes)
    alice.refresh_from_db()
    gold = Question.objects.filter(state=State.GOLD).count()
    assert (alice.answers_count, alice.gold_count, alice.gold_right) == (len(truths), gold, gold)


def test_it_keeps_answers_that_arrive_meanwhile(shapes, truths, monkeypatch):
    late = Annotator.objects.create(pseudonym="late")
    question = Question.objects.filter(kind="concept", state=State.SETTLED).first()
    question = question or Question.objects.filter(kind="concept").exclude(state="gold").first()
    aggregate = binary.aggregate

    def while_it_thinks(*columns, **known):
        answer(late, {question.pk: True})
        return aggregate(*columns, **known)

    monkeypatch.setattr(binary, "aggregate", while_it_thinks)
    recompute.run(project=shapes)
    question.refresh_from_db()
    assert question.answers_count == 4
    monkeypatch.undo()
    recompute.run(project=shapes)
    question.refresh_from_db()
    assert question.answers_count == 4


def test_it_leaves_gold_and_verdicts_alone(shapes, truths, ada):
    question = Question.objects.filter(kind="concept").exclude(state=State.GOLD).first()
    review.decide(question=question, value=not truths[question.pk], by=ada)
    recompute.run(project=shapes)
    question.refresh_from_db()
    assert question.label != truths[question.pk] and question.state == State.SETTLED
    for gold in Question.objects.filter(state=State.GOLD):
        assert gold.probability == gold.verdict == truths[gold.pk]


def test_a_project_without_answers_can_be_recomputed(shapes):
    assert recompute.run(project=shapes) == 0


def test_a_concept_that_turns_out_rare_moves_what_nobody_answered(shapes, alice, monkeypatch):
    monkeypatch.setattr(prevalence, "MIN_QUESTIONS", 10)
    rare = Concept.objects.create(project=shapes, name="cat", phrase="a cat", prevalence=0.5)
    pools.prepare(rare)
    *asked, last = Question.objects.filter(concept=rare).order_by("slice_key")
    answer(alice, {question.pk: False for question in asked}, Answer.Reason.RANDOM)
    recompute.run(project=shapes)
    rare.refresh_from_db()
    last.refresh_from_db()
    assert rare.prevalence < 0.3 and not rare.priors_stale
    assert last.prior == last.probability == pytest.approx(rare.prevalence)
    assert 0 < last.priority < 0.9


def test_questions_chosen_for_their_posterior_say_nothing_about_prevalence(shapes, alice):
    tiles = list(Tile.objects.all())
    rare = Concept.objects.create(project=shapes, name="cat", phrase="a cat", prevalence=0.5)
    questions.ask_concepts(tiles=tiles, concepts=[rare])
    answer(alice, {question.pk: False for question in Question.objects.filter(concept=rare)})
    recompute.run(project=shapes)
    rare.refresh_from_db()
    assert rare.prevalence == 0.5


def test_a_blocked_annotator_is_left_out_of_everything(shapes, truths, mallory, ada):
    review.block(annotator=mallory, by=ada)
    recompute.run(project=shapes)
    assert set(Question.objects.filter(kind="concept").values_list("answers_count", flat=True)) == {
        2
    }


def test_recomputing_forgets_answers_of_blocked_annotators_alone(shapes, mallory):
    question = Question.objects.filter(kind="concept", state=State.OPEN).first()
    answer(mallory, {question.pk: True})
    Annotator.objects.filter(pk=mallory.pk).update(blocked=True)
    assert recompute.run(project=shapes) == 1
    question.refresh_from_db()
    assert (question.probability, question.answers_count) == (question.prior, 0)
    assert recompute.run(project=shapes) == 0


def test_one_project_says_nothing_about_another(shapes, truths, alice):
    other = type(shapes).objects.create(slug="other", name="Other")
    assert recompute.run(project=other) == 0
