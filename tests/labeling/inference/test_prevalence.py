"""How frequent concepts are, learned from the random slice without bias."""

import random
import statistics

import pytest

from labeling import pools, questions
from labeling.inference import prevalence, schedule
from labeling.inference.prevalence import Sample
from labeling.models import Answer, Concept, Image, NewPictures, Pool, Project, Question, Tile
from labeling.pools import random_slice
from tests.cast import answer, distrust
from tests.labeling.field import pictures

pytestmark = pytest.mark.django_db


@pytest.fixture
def rare(shapes, monkeypatch) -> Concept:
    """A concept that nothing shows, in a project of twenty-four pictures."""
    monkeypatch.setattr(prevalence, "MIN_QUESTIONS", 5)
    rare = Concept.objects.create(project=shapes, name="cat", phrase="a cat", prevalence=0.5)
    pools.prepare(rare)
    return rare


def in_slice(concept: Concept) -> list[Question]:
    questions = Question.objects.filter(concept=concept, slice_key__isnull=False)
    return list(questions.order_by("slice_key"))


def known(concept: Concept) -> list[Sample]:
    return prevalence.read([concept.pk])[concept.pk]


def learn(project: Project) -> int:
    with schedule.claim(project) as recomputation:
        return prevalence.update(recomputation)


def test_it_is_learned_and_marks_the_priors_that_follow(shapes, rare, alice):
    answer(alice, {question.pk: False for question in in_slice(rare)[:12]}, Answer.Reason.RANDOM)
    assert learn(shapes) == 1
    rare.refresh_from_db()
    assert rare.prevalence < 0.3 and rare.priors_stale
    assert learn(shapes) == 0


def test_only_what_lies_before_the_first_gap_counts(rare, alice):
    slice_ = in_slice(rare)
    answer(alice, {q.pk: False for n, q in enumerate(slice_) if n not in (7, 12)})
    ((grid, count, _),) = known(rare)
    assert (grid, count) == (1, 7)
    answer(alice, {slice_[7].pk: True})
    assert known(rare)[0].questions == 12


def test_known_truths_count_by_their_truth(rare, ada):
    slice_ = in_slice(rare)
    gold, decided = slice_[:2]
    Question.objects.filter(pk=gold.pk).update(state="gold", verdict=True, probability=0.5)
    Question.objects.filter(pk=decided.pk).update(verdict=False, probability=0.5)
    assert known(rare) == [Sample(1, 2, 1.0)]


def test_imported_answers_count_where_the_slice_is_too_short(rare, alice, bob):
    first, second, *_, last = in_slice(rare)
    answer(alice, {first.pk: False, last.pk: False}, Answer.Reason.IMPORTED)
    answer(bob, {second.pk: False}, Answer.Reason.WANTED)
    assert known(rare)[0].questions == 3, "two of the slice, and one behind its gap"
    answer(bob, {question.pk: False for question in in_slice(rare)[2:6]})
    assert known(rare)[0].questions == 6, "the slice is long enough by itself"


def test_with_too_few_answers_it_stays(shapes, rare, alice):
    answer(alice, {question.pk: False for question in in_slice(rare)[:4]}, Answer.Reason.RANDOM)
    assert learn(shapes) == 0


def test_generated_pictures_say_nothing(rare):
    Question.objects.filter(concept=rare).update(source="model", answers_count=1)
    assert prevalence.read([rare.pk]) == {}


def test_grids_count_by_their_tiles(scenes):
    tiles = prevalence.tiles_by_grid(scenes.project)
    assert tiles == {1: 24, 4: 32}
    wholes, parts = Sample(1, 98, 49), Sample(4, 98, 9)
    mixed = (24 * 0.5 + 32 * 0.1) / 56
    assert prevalence.estimate(0.9, [wholes, parts], tiles) == pytest.approx(mixed)
    few = Sample(4, 7, 0)
    assert prevalence.estimate(0.9, [wholes, few], tiles) == pytest.approx(0.5)
    assert prevalence.estimate(0.9, [few], tiles) == 0.9
    assert prevalence.estimate(0.9, [], tiles) == 0.9


def test_a_change_that_nobody_would_notice_is_none():
    assert prevalence.estimate(0.5, [Sample(1, 98, 51)], {1: 1000}) == 0.5


def test_it_stays_unbiased_while_likely_pictures_are_asked_about_first(db):
    """A simulation: a fifth of three hundred pictures show it, and the model knows most of these.

    The likely ones are nominated and answered first, and a reviewer has chosen some as gold. What
    was drawn at random and answered for that reason, as it was estimated before, misses them all.
    """
    random.seed(1)
    project = Project.objects.create(state="open", slug="meadow", name="Meadow")
    tiles = [tile.pk for tile in pictures(project, 300)]
    truth = {tile: number % 5 == 0 for number, tile in enumerate(tiles)}
    shown = [tile for tile in tiles if truth[tile]]
    estimates, earlier = [], []
    for number in range(30):
        concept = Concept.objects.create(project=project, name=f"{number}", prevalence=0.5)
        pool = Pool.objects.create(concept=concept, start=random.random())
        places = random_slice.draw(pool, 100)
        pool.save()
        in_place = [(tile, concept.pk) for tile in places]
        questions.ask_pairs(
            project=project, pairs=in_place, reason=Question.Reason.RANDOM, slice_keys=places
        )
        nominated = [(tile, concept.pk) for tile in random.sample(shown, 40)]
        questions.ask_pairs(project=project, pairs=nominated, reason=Question.Reason.LIKELY)
        reveal(concept, [tile for tile, _ in nominated], truth)
        gold = Question.objects.filter(concept=concept, tile__in=shown, answers_count=0)[:8]
        Question.objects.filter(pk__in=[q.pk for q in gold]).update(state="gold", verdict=True)
        unknown = [q for q in in_slice(concept) if not q.answers_count and q.verdict is None]
        reveal(concept, [question.tile_id for question in unknown[:50]], truth)
        ((_, count, yes),) = known(concept)
        estimates.append(yes / count)
        earlier.append(sum(truth[question.tile_id] for question in unknown[:50]) / 50)
    assert statistics.mean(estimates) == pytest.approx(0.2, abs=0.02)
    assert statistics.stdev(estimates) < 0.08
    assert statistics.mean(earlier) < 0.1


def test_pictures_that_are_imported_later_count_as_all_others_do(db, alice):
    """They lie in the slice where their keys put them, and close a gap once they are answered."""
    project = Project.objects.create(state="open", slug="meadow", name="Meadow")
    pictures(project, 40)
    concept = Concept.objects.create(project=project, name="cat", prevalence=0.5)
    pools.prepare(concept)
    answer(alice, {question.pk: False for question in in_slice(concept)})
    assert known(concept)[0].questions == 40
    pictures(project, 40)
    keys = list(Image.objects.order_by("pk").values_list("random_key", flat=True)[40:])
    NewPictures.objects.create(project=project, grid=1, random_keys=keys)
    pools.notice()
    assert not known(concept) or known(concept)[0].questions < 40, "their frontier went back"
    pools.prepare(concept)
    assert not known(concept) or known(concept)[0].questions < 40
    rest = [question for question in in_slice(concept) if not question.answers_count]
    answer(alice, {question.pk: True for question in rest})
    assert known(concept) == [Sample(1, 80, pytest.approx(40, abs=16))]
    assert Image.objects.count() == Tile.objects.count() == 80


def reveal(concept: Concept, tiles: list[int], truth: dict[int, bool]) -> None:
    """Somebody who is always right, and known for it, has answered about these tiles."""
    for value in (True, False):
        revealed = [tile for tile in tiles if truth[tile] == value]
        asked = Question.objects.filter(concept=concept, tile__in=revealed)
        asked.update(answers_count=1, probability=float(value), state="settled")


def test_what_suspect_annotators_alone_have_answered_is_not_known_yet(field, mallory, alice):
    """Else the prevalence would be held where it is: such questions are believed at their prior."""
    distrust(mallory)
    goose = Concept.objects.create(project=field, name="goose", phrase="a goose", prevalence=0.1)
    pools.fill(goose, 1)
    drawn = list(Question.objects.filter(concept=goose).order_by("slice_key"))
    answer(mallory, {question.pk: True for question in drawn}, "random")
    assert prevalence.read([goose.pk]) == {}
    answer(alice, {question.pk: False for question in drawn[:7]}, "random")
    ((sample,),) = prevalence.read([goose.pk]).values()
    assert sample.questions == 7 and sample.yes < 0.7
