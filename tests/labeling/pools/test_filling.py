"""What pools hold, when they are topped up, and that no pair comes twice."""

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from labeling import pools, predictions
from labeling.images import tiles
from labeling.models import Challenge, ClassSet, Concept, Image, Pool, Project, Question, Tile
from labeling.pools import levels, random_slice
from labeling.pools.levels import Level
from labeling.tasks import fill_due_pools
from tests.concurrency import meanwhile
from tests.labeling.meadow import add_cut_pictures, add_pictures, answered, predict

pytestmark = pytest.mark.django_db
Reason = Question.Reason


def probabilities(project: Project) -> dict[int, float]:
    """Return the model's probability by tile: ascending from .01 to .99."""
    whole = Tile.objects.filter(image__project=project, grid=1).order_by("pk")
    ids = list(whole.values_list("pk", flat=True))
    return {pk: 0.01 + 0.98 * n / (len(ids) - 1) for n, pk in enumerate(ids)}


@pytest.fixture
def predicted(sheep: Concept) -> dict[int, float]:
    by_tile = probabilities(sheep.project)
    predict(sheep, by_tile)
    return by_tile


def npy(header: str) -> bytes:
    """Return the beginning of a .npy file, without its numbers."""
    return b"\x93NUMPY\x01\x00v\x00" + header.ljust(117).encode() + b"\n"


def held(concept: Concept, reason: str) -> list[Question]:
    return list(Question.objects.filter(concept=concept, reason=reason).order_by("pk"))


def test_without_predictions_all_of_it_is_drawn_at_random(sheep: Concept) -> None:
    assert pools.fill(sheep, 1) == 8
    assert len(held(sheep, Reason.RANDOM)) == 8
    assert not Question.objects.filter(slice_key=None).exists()


def test_it_holds_what_the_model_doubts_what_is_likely_and_some_at_random(
    sheep: Concept, predicted: dict[int, float]
) -> None:
    pools.fill(sheep, 1)
    assert levels.measure(sheep.pk, 1) == Level(random=2, doubtful=4, likely=2)
    doubtful = [predicted[question.tile_id] for question in held(sheep, Reason.DOUBTFUL)]
    assert all(0.45 < probability < 0.55 for probability in doubtful)
    assert all(predicted[q.tile_id] > 0.95 for q in held(sheep, Reason.LIKELY))
    for question in held(sheep, Reason.LIKELY):
        assert question.probability > 0.5 and question.model_probability is not None


def test_a_part_is_topped_up_once_half_of_it_is_used(
    sheep: Concept, predicted: dict[int, float]
) -> None:
    pools.fill(sheep, 1)
    first, second, *_ = Question.objects.filter(reason=Reason.DOUBTFUL, slice_key=None)
    answered(first)
    assert pools.due() == [] and pools.fill(sheep, 1) == 0
    answered(second)
    assert (sheep.pk, 1) in pools.due() and pools.fill(sheep, 1) == 2
    assert levels.measure(sheep.pk, 1) == Level(random=2, doubtful=4, likely=2)
    assert (sheep.pk, 1) not in pools.due()


def test_only_what_is_used_is_due(sheep: Concept) -> None:
    fill_due_pools()
    assert pools.due() == []
    for question in Question.objects.all()[:4]:
        answered(question)
    assert pools.due() == [(sheep.pk, 1)]
    Concept.objects.update(active=False)
    assert pools.due() == [] and pools.fill(sheep, 1) == 0


def test_a_project_that_is_switched_off_is_not_filled(sheep: Concept) -> None:
    Project.objects.update(state="archived")
    assert pools.due() == [] and pools.fill(sheep, 1) == 0


def test_no_pair_comes_twice_until_there_are_none(
    sheep: Concept, predicted: dict[int, float]
) -> None:
    nominated: list[int] = []
    while not Pool.objects.filter(frontier=1).exists():
        new = pools.fill(sheep, 1)
        fresh = Question.objects.filter(answers_count=0, concept=sheep)
        assert fresh.count() <= 8 + new
        nominated += fresh.values_list("tile_id", flat=True)
        fresh.update(answers_count=1)
    assert max(Counter(nominated).values()) == 1
    assert sorted(nominated) == sorted(predicted)
    assert Question.objects.filter(slice_key=None).count() == 0
    fill_due_pools()
    assert pools.due() == []


def test_what_cannot_be_nominated_is_drawn_instead_and_not_again_and_again(sheep: Concept) -> None:
    few = list(probabilities(sheep.project))[:3]
    predict(sheep, dict.fromkeys(few, 0.5))
    for _ in range(9):
        pools.fill(sheep, 1)
        Pool.objects.update(filled_at=None)
    pools.fill(sheep, 1)
    assert Question.objects.count() == 8
    assert (sheep.pk, 1) not in pools.due()


def test_of_near_duplicates_one_is_nominated_at_a_time(sheep: Concept) -> None:
    by_tile = probabilities(sheep.project)
    original, *copies = Tile.objects.filter(pk__in=list(by_tile)[:10]).select_related("image")
    for copy in copies:
        Image.objects.filter(pk=copy.image_id).update(near_duplicate_of=original.image)
    similar = {original.pk, *(copy.pk for copy in copies)}
    predict(sheep, {pk: 0.99 if pk in similar else 0.3 for pk in by_tile})
    pools.fill(sheep, 1)
    likely = held(sheep, Reason.LIKELY)
    assert len({question.tile_id for question in likely} & similar) == 1
    answered(next(question for question in likely if question.tile_id in similar))
    pools.fill(sheep, 1)
    assert len({question.tile_id for question in held(sheep, Reason.LIKELY)} & similar) == 2


def test_generated_pictures_are_not_nominated(sheep: Concept) -> None:
    generated = add_pictures(sheep.project, 5, generated=True)
    predict(sheep, probabilities(sheep.project) | {tile.pk: 0.999 for tile in generated})
    while pools.fill(sheep, 1):
        Question.objects.update(answers_count=1)
    assert not Question.objects.filter(tile__in=generated).exists()


def test_a_cut_picture_is_asked_about_by_all_its_parts(sheep: Concept, settings) -> None:
    settings.POOL_DOUBTFUL = settings.POOL_LIKELY = settings.POOL_RANDOM = 16
    images = add_cut_pictures(sheep.project, 6)
    parts = Tile.objects.filter(image__in=images, grid=4)
    predict(sheep, {tile.pk: 0.9 if tile.position == 5 else 0.1 for tile in parts})
    assert pools.fill(sheep, 4) == 48
    by_image = Counter(Question.objects.filter(grid=4).values_list("tile__image", flat=True))
    assert list(by_image.values()) == [16, 16, 16]
    while pools.fill(sheep, 1):
        Question.objects.filter(grid=1).update(answers_count=1)
    assert not Question.objects.filter(grid=1, tile__image__in=images).exists()


def test_a_picture_that_is_cut_leaves_the_slice_of_whole_pictures(sheep: Concept) -> None:
    pools.fill(sheep, 1)
    image = Question.objects.earliest("slice_key").tile.image
    tiles.cut(image)
    assert Question.objects.get(tile__image=image).slice_key is None
    fill_due_pools()
    places = Question.objects.filter(tile__image=image, grid=4).values_list("slice_key", flat=True)
    assert len(places) == 16 and None not in places


def test_what_an_import_states_of_other_classes_is_not_doubted(sheep: Concept) -> None:
    goat = Concept.objects.create(project=sheep.project, name="goat", phrase="a goat")
    classes = ClassSet.objects.create(project=sheep.project, concepts=[sheep.pk, goat.pk])
    ids = list(probabilities(sheep.project))
    goats, others = ids[:10], ids[10:]
    images = Image.objects.filter(tiles__in=goats)
    images.update(class_set=classes, import_confidence=0.99)
    predict(sheep, dict.fromkeys(goats, 0.5) | dict.fromkeys(others, 0.35))
    pools.fill(sheep, 1)
    assert {question.tile_id for question in held(sheep, Reason.DOUBTFUL)} <= set(others)


def test_new_predictions_put_others_in_the_place_of_what_nobody_was_asked(
    sheep: Concept, predicted: dict[int, float]
) -> None:
    pools.fill(sheep, 1)
    old = {question.pk for question in Question.objects.filter(slice_key=None)}
    predict(sheep, {pk: 0.99 - p + 0.01 for pk, p in predicted.items()} | {max(predicted): 0.51})
    assert pools.renew(sheep) > 0
    assert not Question.objects.filter(pk__in=old, reason=Reason.LIKELY).exists()
    for question in held(sheep, Reason.LIKELY):
        assert predicted[question.tile_id] < 0.05 and question.probability > 0.8
    assert levels.measure(sheep.pk, 1) == Level(random=2, doubtful=4, likely=2)


@pytest.mark.django_db(transaction=True)
def test_whoever_renews_holds_no_retired_question_while_waiting_for_another(
    sheep: Concept, predicted: dict[int, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others lock all questions of a concept, in the order of their ids: none waits in a circle."""
    pools.fill(sheep, 1)
    stored = set(Question.objects.values_list("pk", flat=True))
    predict(sheep, dict.fromkeys(predicted, 0.2))
    mark, remaining = random_slice.mark, []

    def lock_all() -> None:
        with transaction.atomic():
            rows = Question.objects.filter(pk__in=stored).order_by("pk")
            remaining.extend(rows.select_for_update(nowait=True))

    def mark_after_others(*arguments: Any) -> None:
        meanwhile(lock_all)
        mark(*arguments)

    monkeypatch.setattr(random_slice, "mark", mark_after_others)
    pools.renew(sheep)
    assert 0 < len(remaining) < len(stored)


@pytest.mark.parametrize(
    "change",
    [
        {"answers_count": 1},
        {"reservations": [timezone.now() + timedelta(days=1)]},
        {"stated": 0.9},
        {"answers_wanted": 2},
        {"state": "settled", "verdict": True},
        {"slice_key": 0.5},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_nominee_that_somebody_was_asked_about_is_kept(
    sheep: Concept, predicted: dict[int, float], change: dict[str, object]
) -> None:
    pools.fill(sheep, 1)
    kept = Question.objects.filter(reason=Reason.LIKELY, slice_key=None)[0]
    Question.objects.filter(pk=kept.pk).update(**change)
    predict(sheep, dict.fromkeys(predicted, 0.2))
    pools.renew(sheep)
    assert Question.objects.filter(pk=kept.pk).exists()


@pytest.mark.parametrize(("seconds", "kept"), [(300, True), (-10, True), (-120, False)])
def test_a_nominee_of_a_challenge_stays_until_its_answer_can_no_longer_come(
    sheep: Concept, predicted: dict[int, float], alice, seconds: int, kept: bool
) -> None:
    pools.fill(sheep, 1)
    shown = Question.objects.filter(reason=Reason.LIKELY, slice_key=None)[0]
    Challenge.objects.create(
        project=sheep.project,
        annotator=alice,
        kind=Challenge.Kind.VERIFY,
        questions=[shown.pk],
        expires_at=timezone.now() + timedelta(seconds=seconds),
    )
    predict(sheep, dict.fromkeys(predicted, 0.2))
    pools.renew(sheep)
    assert Question.objects.filter(pk=shown.pk).exists() == kept


def test_what_is_reserved_counts_as_used(sheep: Concept) -> None:
    pools.fill(sheep, 1)
    soon = timezone.now() + timedelta(minutes=1)
    Question.objects.update(reservations=[soon])
    assert pools.fill(sheep, 1) == 8
    Question.objects.update(reservations=[timezone.now() - timedelta(minutes=1)])
    assert pools.fill(sheep, 1) == 0


def test_predictions_of_another_shape_are_logged_and_all_is_drawn_at_random(
    sheep: Concept, predicted: dict[int, float], caplog
) -> None:
    other = Project.objects.create(state="open", slug="other", name="Other")
    goat = Concept.objects.create(project=other, name="goat", phrase="a goat")
    predict(goat, {tile.pk: 0.5 for tile in add_pictures(other, 7)})
    for name in (goat.predictions.name, "predictions/gone/1-0.npy"):
        Concept.objects.filter(pk=sheep.pk).update(predictions=name)
        Question.objects.all().delete()
        caplog.clear()
        assert pools.fill(Concept.objects.get(pk=sheep.pk), 1) == 8
        assert len(held(sheep, Reason.RANDOM)) == 8
        assert "cannot be used" in caplog.text


HEADER = "{'descr': '<f2', 'fortran_order': False, 'shape': "


@pytest.mark.parametrize(
    "data",
    [b"", b"PK\3\4", *(npy(HEADER + rest) for rest in ("(60,), }", "(3,", f"({10**30},), }}"))],
    ids=["empty", "zip", "cut off", "broken", "huge"],
)
def test_predictions_that_were_damaged_are_logged_and_all_is_drawn_at_random(
    sheep: Concept, predicted: dict[int, float], caplog, data: bytes
) -> None:
    Path(default_storage.path(sheep.predictions.name)).write_bytes(data)
    assert pools.fill(sheep, 1) == 8
    assert len(held(sheep, Reason.RANDOM)) == 8
    assert "cannot be used" in caplog.text


def test_features_that_could_not_be_read_once_are_read_again(
    sheep: Concept, predicted: dict[int, float]
) -> None:
    path = Path(default_storage.path(sheep.project.features.name))
    path.rename(path.with_suffix(".away"))
    assert not len(predictions.tile_ids(sheep.project))
    path.with_suffix(".away").rename(path)
    assert predictions.tile_ids(sheep.project).tolist() == sorted(predicted)


def test_a_model_that_deserves_no_weight_nominates_nothing(
    sheep: Concept, predicted: dict[int, float]
) -> None:
    Concept.objects.update(model_weight=0.0)
    pools.fill(sheep, 1)
    assert len(held(sheep, Reason.RANDOM)) == 8


def test_a_merged_concept_is_not_filled(sheep: Concept) -> None:
    goat = Concept.objects.create(project=sheep.project, name="goat", phrase="a goat")
    Concept.objects.filter(pk=sheep.pk).update(merged_into=goat, active=False)
    assert pools.fill(sheep, 1) == 0
    assert {concept for concept, _ in pools.due()} == {goat.pk}


@pytest.mark.parametrize("count", [0, 1])
def test_a_project_of_hardly_any_pictures_is_done_at_once(db: None, count: int) -> None:
    project = Project.objects.create(state="open", slug="bare", name="Bare")
    Concept.objects.create(project=project, name="sheep", phrase="a sheep")
    add_pictures(project, count)
    fill_due_pools()
    assert Question.objects.count() == count
    assert pools.due() == []
    assert all(pool.exhausted for pool in Pool.objects.all())
