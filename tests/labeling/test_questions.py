"""What may be asked, and what a model thinks of it."""

import pytest

from labeling import questions
from labeling.models import Concept, Question, Tile

pytestmark = pytest.mark.django_db
Source = Question.Source


def test_asking_twice_asks_once(shapes):
    tiles, concepts = Tile.objects.all(), Concept.objects.all()
    before = Question.objects.count()
    assert questions.ask_concepts(tiles=tiles, concepts=concepts) == 0
    more = Concept.objects.create(project=shapes, name="blob", phrase="a blob", prevalence=0.2)
    assert questions.ask_concepts(tiles=tiles, concepts=[*concepts, more]) == len(tiles)
    assert Question.objects.count() == before + len(tiles)
    new = Question.objects.filter(concept=more)
    assert {(q.prior, q.probability, q.state) for q in new} == {(0.2, 0.2, "open")}
    assert len(set(new.values_list("random_key", flat=True))) == len(tiles)


def test_gold_knows_its_truth_and_wants_no_answers(shapes):
    for question in Question.objects.filter(state="gold").select_related("tile__image", "concept"):
        assert question.verdict == (question.concept.name in question.tile.image.source)
        assert question.probability == question.verdict and question.priority == 0


def test_a_caption_is_asked_once_a_tile(shapes):
    tile = Tile.objects.first()
    captions = [(tile, "a spot"), (tile, "a spot"), (tile, "a dot")]
    assert questions.ask_captions(captions=captions, source=Source.IMPORT, prior=0.9) == 2
    assert questions.ask_captions(captions=captions, source=Source.IMPORT, prior=0.9) == 0
    question = Question.objects.get(text="a spot")
    assert question.probability == 0.9 and question.project == shapes


def test_nothing_to_ask_is_fine(shapes):
    assert questions.ask_concepts(tiles=[], concepts=Concept.objects.all()) == 0
    assert questions.ask_concepts(tiles=Tile.objects.all(), concepts=[]) == 0
    assert questions.ask_captions(captions=[], source=Source.IMPORT, prior=0.9) == 0


def test_an_opinion_moves_what_is_believed_and_wanted(shapes):
    question = Question.objects.filter(kind="concept", state="open").first()
    assert questions.store_opinions({question.pk: 0.9}) == 1
    question.refresh_from_db()
    assert question.opinion == 0.9
    assert 0.7 < question.probability < 0.9 and question.prior == question.probability
    assert 0 < question.priority < 1


def test_an_opinion_never_settles_a_question_alone(shapes):
    question = Question.objects.filter(kind="concept", state="open").first()
    questions.store_opinions({question.pk: 1.0})
    question.refresh_from_db()
    assert question.state == "open" and question.probability < shapes.settle_at


def test_a_new_opinion_takes_the_place_of_the_old(shapes):
    question = Question.objects.filter(kind="concept", state="open").first()
    for opinion in (0.99, 0.01, 0.5):
        questions.store_opinions({question.pk: opinion})
    question.refresh_from_db()
    assert question.opinion == 0.5 and question.probability == pytest.approx(0.5)


def test_an_opinion_leaves_known_truths_alone(shapes):
    gold = Question.objects.filter(state="gold", verdict=False).first()
    questions.store_opinions({gold.pk: 0.99})
    gold.refresh_from_db()
    assert gold.opinion == 0.99 and gold.probability == 0 and gold.state == "gold"


def test_opinions_of_questions_that_are_gone_are_left_out(shapes):
    assert questions.store_opinions({10**12: 0.3}) == 0


@pytest.mark.parametrize("opinion", [-0.1, 1.1, float("nan"), float("inf")])
def test_it_refuses_an_opinion_that_is_no_probability(shapes, opinion):
    question = Question.objects.filter(state="open").first()
    with pytest.raises(ValueError, match="between 0 and 1"):
        questions.store_opinions({question.pk: opinion})
