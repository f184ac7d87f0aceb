"""What may be asked."""

import pytest
from django.core.exceptions import ValidationError

from labeling import answers, bulk_insert, merging, questions
from labeling.models import Annotator, Concept, Question, Tile
from tests.concurrency import meanwhile

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


@pytest.mark.parametrize(("certain", "vote"), [(1.0, False), (0.0, True)])
def test_a_crowd_can_move_an_import_that_was_believed_with_certainty(shapes, certain, vote):
    tile = Tile.objects.first()
    caption, concept = "a certain spot", Concept.objects.create(project=shapes, name="spot")
    questions.ask_captions(captions=[(tile, caption)], source=Source.IMPORT, prior=certain)
    questions.ask_concepts(
        tiles=[tile], concepts=[concept], stated={(tile.pk, concept.pk): certain}
    )
    for asked in (Question.objects.get(text=caption), Question.objects.get(concept=concept)):
        for number in range(9):
            name, proof = f"worker {number}", {"gold_count": 40, "gold_right": 40}
            proof |= {"true_positives": 20, "true_negatives": 20}
            worker, _ = Annotator.objects.get_or_create(pseudonym=name, defaults=proof)
            answers.record(annotator=worker, values={asked.pk: vote}, reasons={asked.pk: "wanted"})
        asked.refresh_from_db()
        assert asked.label == vote


@pytest.mark.parametrize("certain", [0.0, 1.0])
def test_a_project_cannot_believe_its_imports_with_certainty(shapes, certain):
    shapes.import_confidence = certain
    with pytest.raises(ValidationError, match="import_confidence"):
        shapes.full_clean()


def test_many_questions_take_few_queries(shapes, django_assert_max_num_queries):
    Question.objects.all().delete()
    tiles = list(Tile.objects.filter(image__project=shapes))
    with django_assert_max_num_queries(30):
        questions.ask_concepts(tiles=tiles, concepts=Concept.objects.filter(project=shapes))
        questions.ask_captions(
            captions=[(tile, "a shape") for tile in tiles], source="import", prior=0.9
        )
    assert Question.objects.count() > 60


def test_nothing_to_ask_is_fine(shapes):
    assert questions.ask_concepts(tiles=[], concepts=Concept.objects.all()) == 0
    assert questions.ask_concepts(tiles=Tile.objects.all(), concepts=[]) == 0
    assert questions.ask_captions(captions=[], source=Source.IMPORT, prior=0.9) == 0


@pytest.mark.django_db(transaction=True)
def test_a_statement_counts_though_somebody_else_stores_its_question_first(shapes, monkeypatch):
    blob = Concept.objects.create(project=shapes, name="blob", phrase="a blob", prevalence=0.2)
    pair = Tile.objects.latest("pk").pk, blob.pk
    insert = bulk_insert.insert

    def late(rows) -> int:
        monkeypatch.setattr(bulk_insert, "insert", insert)
        meanwhile(lambda: questions.ask_pairs(project=shapes, pairs=[pair]))
        return insert(rows)

    monkeypatch.setattr(bulk_insert, "insert", late)
    assert questions.ask_pairs(project=shapes, pairs=[pair], stated={pair: 0.9}) == 0
    question = Question.objects.get(concept=blob)
    assert question.stated == 0.9 and question.prior == pytest.approx(0.9)


def test_what_is_asked_of_a_merged_concept_is_asked_of_the_one_that_took_over(shapes, ada):
    """So an import that began before the merge loses nothing."""
    blob = Concept.objects.create(project=shapes, name="blob", phrase="a blob")
    dot = Concept.objects.create(project=shapes, name="dot", phrase="a dot", prevalence=0.2)
    merging.merge(concept=blob, into=dot, by=ada)
    tile = Tile.objects.latest("pk").pk
    stated, gold = {(tile, blob.pk): 0.9}, {(tile, blob.pk): True}
    assert questions.ask_pairs(project=shapes, pairs=stated, stated=stated, gold=gold) == 1
    question = Question.objects.get(concept__in=[blob, dot])
    assert (question.concept, question.stated, question.verdict) == (dot, 0.9, True)
