"""The random slice is a uniform sample of all pictures, whatever else is asked."""

import random
from collections import Counter

import numpy as np
import pytest
from django.db import connection

from labeling import pools, questions
from labeling.images import tiles
from labeling.models import Concept, Image, NewPictures, Pool, Project, Question, Tile
from labeling.pools import random_slice
from tests.labeling.meadow import add_cut_pictures, add_pictures

pytestmark = pytest.mark.django_db
Reason = Question.Reason


def in_slice(concept: Concept) -> list[Question]:
    """Return the questions before the frontier, in the order of their places."""
    pool = Pool.objects.get(concept=concept, grid=1)
    members = Question.objects.filter(concept=concept, grid=1, slice_key__lt=pool.frontier)
    return list(members.select_related("tile__image").order_by("slice_key"))


def places(concept: Concept) -> dict[int, float]:
    """Return the place of each picture on the circle of a concept."""
    pool = Pool.objects.get(concept=concept, grid=1)
    keys = Image.objects.filter(generated=False, cut_into=0).values_list("pk", "random_key")
    return {pk: random_slice.position(key, pool.start) for pk, key in keys}


def assert_it_is_whole(concept: Concept) -> None:
    """Before the frontier, all pictures are in the slice, and each at its place."""
    frontier = Pool.objects.get(concept=concept, grid=1).frontier
    before = {pk: place for pk, place in places(concept).items() if place < frontier}
    members = {question.tile.image_id: question.slice_key for question in in_slice(concept)}
    assert members == before


def use_up(concept: Concept) -> None:
    Question.objects.filter(concept=concept).update(answers_count=1)
    pools.fill(concept, 1)


@pytest.mark.parametrize("start", [0.0, 0.3, 0.999999])
def test_it_goes_round_once_in_the_order_of_the_pictures_keys(sheep: Concept, start: float) -> None:
    Pool.objects.create(concept=sheep, grid=1, start=start)
    pools.fill(sheep, 1)
    while Pool.objects.get(grid=1).frontier < 1:
        assert_it_is_whole(sheep)
        use_up(sheep)
    assert_it_is_whole(sheep)
    assert len(in_slice(sheep)) == 60


def test_what_is_stored_already_belongs_to_it_too(sheep: Concept) -> None:
    wholes = Tile.objects.order_by("pk")
    questions.ask_concepts(tiles=wholes[::2], concepts=[sheep], reason=Reason.ANSWERED)
    Question.objects.update(answers_count=1)
    pools.fill(sheep, 1)
    assert_it_is_whole(sheep)
    assert Question.objects.filter(answers_count=0).count() == 8  # to be asked about
    assert len(in_slice(sheep)) > 8


def test_its_frontier_lies_behind_all_of_it(sheep: Concept) -> None:
    """Also where as many pictures were read as it takes, one of which was answered."""
    Pool.objects.create(concept=sheep, grid=1, start=0.0)
    first = Tile.objects.order_by("image__random_key").first()
    questions.ask_concepts(tiles=[first], concepts=[sheep], reason=Reason.ANSWERED)
    Question.objects.update(answers_count=1)
    pools.fill(sheep, 1)
    assert_it_is_whole(sheep)
    assert len(in_slice(sheep)) == 9


def test_pictures_that_come_later_are_taken_in_where_they_lie(sheep: Concept) -> None:
    for _ in range(3):
        use_up(sheep)
    reached = Pool.objects.get(grid=1).frontier
    add_pictures(sheep.project, 60)
    assert pools.notice() == 1 and not NewPictures.objects.exists()
    assert Pool.objects.get(grid=1).frontier < reached
    assert_it_is_whole(sheep)
    while Pool.objects.get(grid=1).frontier < reached:
        use_up(sheep)
        assert_it_is_whole(sheep)


def test_an_exhausted_pool_goes_on_with_new_pictures(sheep: Concept) -> None:
    while not Pool.objects.filter(frontier=1).exists():
        use_up(sheep)
    add_pictures(sheep.project, 300)  # of which not all are to be asked about at once
    pools.notice()
    assert (sheep.pk, 1) in pools.due()
    use_up(sheep)
    assert Question.objects.filter(answers_count=0).count() == 8
    assert_it_is_whole(sheep)


def test_pictures_behind_the_frontier_change_nothing(sheep: Concept) -> None:
    pools.fill(sheep, 1)
    pool = Pool.objects.get(grid=1)
    behind = (pool.start + pool.frontier + 0.5 * (1 - pool.frontier)) % 1
    add_pictures(sheep.project, 3, random_keys=[behind] * 3)
    assert pools.notice(sheep.project) == 0
    assert Pool.objects.get(grid=1).frontier == pool.frontier


def test_those_taken_in_before_they_were_noticed_cost_no_place(sheep: Concept) -> None:
    add_pictures(sheep.project, 60)
    pools.fill(sheep, 1)
    reached = Pool.objects.get(grid=1).frontier
    assert pools.notice() == 1 and Pool.objects.get(grid=1).frontier < reached
    assert pools.fill(sheep, 1) == 0
    assert Pool.objects.get(grid=1).frontier == reached


def test_cut_and_generated_pictures_are_none_of_the_whole_ones(sheep: Concept) -> None:
    pools.fill(sheep, 1)
    add_pictures(sheep.project, 20, generated=True)
    cut = add_cut_pictures(sheep.project, 3)
    tiles.cut(in_slice(sheep)[0].tile.image)
    pools.notice()
    while not Pool.objects.filter(grid=1, frontier=1).exists():
        use_up(sheep)
        assert_it_is_whole(sheep)
    assert len(in_slice(sheep)) == 59
    pools.fill(sheep, 4)
    assert Question.objects.filter(grid=4, tile__image__in=cut, slice_key=None).count() == 0


def test_where_pictures_are_deleted_the_rest_is_whole(sheep: Concept) -> None:
    use_up(sheep)
    Image.objects.filter(pk__in=[q.tile.image_id for q in in_slice(sheep)[::2]]).delete()
    for image in Image.objects.order_by("pk")[::3]:
        image.delete()
    while not Pool.objects.filter(frontier=1).exists():
        assert_it_is_whole(sheep)
        use_up(sheep)
    assert len(in_slice(sheep)) == Image.objects.count()


ROUNDS, CIRCLES = 8, 8  # in each round, pictures have other keys; on each circle, another start
PICTURES = 50
SHARE = 0.3  # of the pictures that show a sheep
FIRST = 8  # of the slice


def test_it_is_unbiased_while_what_is_likely_is_asked_and_pictures_come_and_go(
    db: None, settings
) -> None:
    """A simulation: the model's nominees, mostly sheep, are asked beside the slice.

    Of each circle the first eight pictures of the slice are taken. Each picture must be among them
    as often as any other, and the share that shows a sheep must be true on average, which it is not
    among all the questions that are stored.
    """
    settings.POOL_DOUBTFUL, settings.POOL_LIKELY, settings.POOL_RANDOM = 0, 0, FIRST
    drawn: Counter[int] = Counter()
    stored: Counter[int] = Counter()
    for seed in range(ROUNDS):
        simulate(random.Random(seed), drawn, stored)
    left = [number for number in range(PICTURES) if number % 5]
    assert drawn.keys() <= set(left) and drawn.total() == ROUNDS * CIRCLES * FIRST
    expected = drawn.total() / len(left)
    deviations = np.array([drawn[number] - expected for number in left]) / np.sqrt(expected)
    assert abs(deviations).max() < 4
    assert 0.5 < np.mean(deviations**2) < 1.6

    true_share = np.mean([shows_sheep(number) for number in left])
    share_of_slice = np.average([shows_sheep(n) for n in drawn], weights=list(drawn.values()))
    naive_share = np.average([shows_sheep(n) for n in stored], weights=list(stored.values()))
    assert abs(share_of_slice - true_share) < 0.03
    assert naive_share > true_share + 0.1


def tell_the_planner_what_there_is() -> None:
    """Let the database count the rows, as it does by itself where they are committed.

    Taken for empty, tables are read again for each row of another one.
    """
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE labeling_image, labeling_tile, labeling_question")


def shows_sheep(number: int) -> bool:
    return number % 10 < 10 * SHARE


def simulate(dice: random.Random, drawn: Counter[int], stored: Counter[int]) -> None:
    """Ask about pictures on some circles; count the first ones of each slice, and all stored."""
    project = Project.objects.create(state="open", slug=f"meadow-{dice.random()}", name="Meadow")
    numbers: dict[int, int] = {}  # by tile
    kinds = Concept.objects.bulk_create(
        Concept(project=project, name=f"sheep {n}", phrase="a sheep") for n in range(CIRCLES)
    )
    Pool.objects.bulk_create(Pool(concept=kind, grid=1, start=dice.random()) for kind in kinds)

    def arrive(new: range) -> None:
        wholes = add_pictures(project, len(new), random_keys=[dice.random() for _ in new])
        numbers.update(zip((tile.pk for tile in wholes), new, strict=True))

    def ask_what_is_likely(count: int) -> None:
        likely = [tile for tile, number in numbers.items() if shows_sheep(number)]
        pairs = [(tile, kind.pk) for kind in kinds for tile in dice.sample(likely, count)]
        questions.ask_pairs(project=project, pairs=pairs, reason=Reason.LIKELY)
        Question.objects.filter(project=project, reason=Reason.LIKELY).update(answers_count=1)

    arrive(range(PICTURES // 2))
    ask_what_is_likely(4)
    tell_the_planner_what_there_is()
    for kind in kinds:
        pools.fill(kind, 1)
    arrive(range(PICTURES // 2, PICTURES))
    gone = [tile for tile, number in numbers.items() if number % 5 == 0]
    Image.objects.filter(tiles__in=gone).delete()
    numbers = {tile: number for tile, number in numbers.items() if tile not in gone}
    pools.notice()
    ask_what_is_likely(4)
    for kind in kinds:
        use_up(kind)
        members = [numbers[question.tile_id] for question in in_slice(kind)]
        assert len(members) >= FIRST
        drawn.update(members[:FIRST])
    tiles_of_all = Question.objects.filter(project=project).values_list("tile_id", flat=True)
    stored.update(numbers[tile] for tile in tiles_of_all)
