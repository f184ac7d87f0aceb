"""What is proposed as gold, and which pictures a session shows."""

import pytest

from labeling import gold, merging, review
from labeling.gold.session import DOUBT
from labeling.models import Comment, Concept, ConceptExample, GoldMark, Image, Question, Tile
from tests.cast import answer, distrust, truth

pytestmark = pytest.mark.django_db
State = Question.State


@pytest.fixture
def circle(shapes) -> Concept:
    return shapes.concepts.get(name="circle")


@pytest.fixture
def settled(circle, alice, bob) -> list[Question]:
    """Alice and Bob agree on all questions about circles, rightly."""
    asked = Question.objects.filter(concept=circle, state=State.OPEN)
    truths = {pk: truth(pk) for pk in asked.values_list("pk", flat=True)}
    for annotator in (alice, bob):
        answer(annotator, truths)
    Question.objects.filter(pk__in=truths).update(state=State.SETTLED)
    return list(Question.objects.filter(pk__in=truths))


def test_proposals_are_settled_agreed_and_balanced(circle, settled):
    proposed = gold.propose(circle, 8)
    assert len(proposed) == 8 and {q.pk for q in proposed} <= {q.pk for q in settled}
    assert sum(question.label for question in proposed) == 4
    assert all(question.label == truth(question.pk) for question in proposed)


def test_where_one_truth_is_rare_the_other_fills_up(circle, settled):
    yes = [question for question in settled if truth(question.pk)]
    Question.objects.filter(pk__in=[q.pk for q in yes[1:]]).update(state=State.OPEN)
    proposed = gold.propose(circle, 6)
    assert [question.label for question in proposed].count(True) == 1 and len(proposed) == 6


def test_what_anybody_disputes_flags_or_set_aside_is_not_proposed(circle, settled, mallory, ada):
    disputed, flagged, aside, reopened, kept, *rest = settled
    answer(mallory, {disputed.pk: not truth(disputed.pk)})
    Comment.objects.create(project=circle.project, tile=flagged.tile, kind="broken")
    gold.set_aside(tile=aside.tile, concept=circle, by=ada, origin=GoldMark.Origin.PROPOSAL)
    review.reopen(question=reopened, by=ada)
    Question.objects.filter(pk__in=[disputed.pk, reopened.pk]).update(state=State.SETTLED)
    Question.objects.filter(pk__in=[q.pk for q in rest]).update(state=State.OPEN)
    assert gold.propose(circle) == [kept]


def test_answers_that_weigh_nothing_are_no_agreement(circle, settled, bob):
    distrust(bob)
    assert gold.propose(circle) == []


def test_of_near_duplicates_and_generated_pictures_none_is_proposed(circle, settled):
    known = Question.objects.filter(concept=circle, state=State.GOLD).first().tile.image
    near, generated, kept, *rest = settled
    Image.objects.filter(pk=near.tile.image_id).update(near_duplicate_of=known)
    Image.objects.filter(pk=generated.tile.image_id).update(generated=True)
    Question.objects.filter(pk__in=[q.pk for q in rest]).update(state=State.OPEN)
    assert gold.propose(circle) == [kept]


def test_a_session_is_half_likely_yes_and_half_likely_no(circle, settled):
    chosen = gold.session(circle, 8)
    assert len({picture.image for picture in chosen}) == 8
    assert sum(picture.probability >= 0.5 for picture in chosen) == 4


def test_some_of_a_session_are_hard(circle, settled):
    hard = {question.pk for question in settled[:3]}
    Question.objects.filter(pk__in=hard).update(probability=0.55)
    shown = {picture.tile for picture in gold.session(circle, 10)}
    assert len(shown & {q.tile_id for q in settled[:3]}) >= 2
    assert DOUBT[0] < 0.55 < DOUBT[1]


def test_of_a_rare_concept_what_imports_state_is_found(circle, shapes):
    star = Concept.objects.create(project=shapes, name="star", phrase="a star", prevalence=0.01)
    rare = list(Image.objects.filter(project=shapes)[:2])
    for image in rare:
        image.stated_keys = ["star"]
        image.save()
    chosen = gold.session(star, 6)
    assert {image.pk for image in rare} <= {picture.image for picture in chosen}
    assert len(chosen) == 6


def test_where_nothing_is_known_the_pictures_are_drawn_at_random(shapes):
    star = Concept.objects.create(project=shapes, name="star", phrase="a star")
    draws = {frozenset(each.tile for each in gold.session(star, 5)) for _ in range(8)}
    assert len(draws) > 1


def test_a_session_shows_no_gold_nothing_set_aside_and_no_twins(circle, ada):
    known = set(circle.questions.filter(state=State.GOLD).values_list("tile", flat=True))
    first, second, third, example, *_ = Tile.objects.filter(image__project=circle.project).exclude(
        pk__in=known
    )
    gold.set_aside(tile=first, concept=circle, by=ada, origin=GoldMark.Origin.SESSION)
    Image.objects.filter(pk=third.image_id).update(near_duplicate_of=second.image)
    ConceptExample.objects.create(concept=circle, tile=example, kind="yes")
    shown = [picture.tile for picture in gold.session(circle, 100)]
    assert not {*known, first.pk, example.pk} & set(shown)
    assert len({second.pk, third.pk} & set(shown)) == 1
    assert len(shown) == len(set(shown)) == 24 - len(known) - 3


def test_pictures_come_from_many_folders(shapes):
    star = Concept.objects.create(project=shapes, name="star", phrase="a star")
    for number, image in enumerate(Image.objects.filter(project=shapes)):
        image.source = f"{'rare' if number < 3 else 'common'}/{number}.png"
        image.save()
    sources = Image.objects.in_bulk([each.image for each in gold.session(star, 6)]).values()
    assert sum(image.source.startswith("rare") for image in sources) == 3


def test_gold_that_most_people_miss_comes_first_and_is_suspect(circle, alice, bob, mallory):
    missed, kept = circle.questions.filter(state=State.GOLD).order_by("pk")[:2]
    for annotator in (alice, bob, mallory):
        answer(annotator, {missed.pk: not missed.verdict, kept.pk: kept.verdict})
    page, total = gold.wall(circle)
    assert total == 6
    assert (page[0].question, page[0].missed, page[0].share) == (missed, 3, 1.0)
    assert [each.suspect for each in page] == [True] + 5 * [False]
    newest, _ = gold.wall(circle, order="newest", limit=2)
    assert newest[0].question.pk > newest[1].question.pk


def test_a_pair_of_a_concept_that_was_merged_is_one_of_the_survivor(shapes, circle, ada):
    disc = Concept.objects.create(project=shapes, name="disc", phrase="a disc")
    tile = Tile.objects.filter(image__project=shapes).last()
    gold.mark(tile=tile, concept=disc, value=True, by=ada)
    merging.merge(concept=disc, into=circle, by=ada)
    assert GoldMark.objects.get().concept == circle
    question = Question.objects.get(tile=tile, concept=circle)
    assert question.state == State.GOLD
    again = gold.mark(tile=tile, concept=Concept.objects.get(pk=disc.pk), value=False, by=ada)
    assert again.pk == question.pk and again.verdict is False


def test_questions_that_are_asked_keep_to_the_whole(scenes):
    chosen = gold.session(scenes.concept, 40)
    assert set(Tile.objects.filter(pk__in=[e.tile for e in chosen]).values_list("grid")) == {(1,)}
