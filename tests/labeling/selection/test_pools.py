"""What is asked when pools are new, short, or empty."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from labeling import challenges, concepts, pools, review
from labeling.challenges import supply
from labeling.models import Annotator, Answer, Challenge, Concept, Image, Pool, Project, Question
from labeling.pools.tasks import fill_pool
from labeling.selection.reader import PoolKey
from labeling.selection.reservations import RESERVATION_TIME
from tests.labeling.meadow import add_pictures

pytestmark = pytest.mark.django_db


@pytest.fixture
def meadow(db: None, settings) -> Project:
    settings.POOL_DOUBTFUL = settings.POOL_LIKELY = 0
    settings.POOL_RANDOM = 12
    return Project.objects.create(state="open", slug="meadow", name="Meadow")


@pytest.fixture
def sheep(meadow: Project) -> Concept:
    return Concept.objects.create(project=meadow, name="sheep", phrase="a sheep", prevalence=0.4)


def ask(annotator: Annotator, project: Project) -> Challenge | None:
    return challenges.issue(annotator=annotator, project=project, kind="grid")


def answer_all(annotator: Annotator, project: Project) -> int:
    """Answer grids until there is nothing to ask; return their number."""
    count = 0
    while challenge := ask(annotator, project):
        challenges.answer(challenge=challenge, selected=[])
        count += 1
    return count


def test_a_pool_that_was_never_filled_is_filled_for_who_asks(
    alice: Annotator, sheep: Concept
) -> None:
    add_pictures(sheep.project, 100)
    challenge = ask(alice, sheep.project)
    assert challenge is not None and len(challenge.tiles) == 9
    assert Question.objects.count() == 12


def test_without_pictures_there_is_nothing_to_ask(alice: Annotator, sheep: Concept) -> None:
    assert challenges.issue(annotator=alice, project=sheep.project) is None
    assert challenges.issue(annotator=alice, project=sheep.project) is None
    assert not Question.objects.exists()


def test_of_one_picture_everybody_is_asked_once(
    alice: Annotator, bob: Annotator, sheep: Concept
) -> None:
    add_pictures(sheep.project, 1)
    for annotator in (alice, bob):
        challenge = ask(annotator, sheep.project)
        assert challenge is not None and len(challenge.questions) == 1
        challenges.answer(challenge=challenge, selected=[1])
        assert ask(annotator, sheep.project) is None


def test_who_has_answered_all_pairs_is_asked_nothing_and_others_are(
    alice: Annotator, bob: Annotator, sheep: Concept
) -> None:
    add_pictures(sheep.project, 30)
    assert answer_all(alice, sheep.project) >= 4
    answered = Answer.objects.filter(annotator=alice, question__kind="concept")
    assert answered.count() == Question.objects.filter(kind="concept").count() == 30
    assert ask(alice, sheep.project) is None
    assert ask(bob, sheep.project) is not None


def test_where_all_pairs_are_settled_nobody_is_asked_and_nothing_is_stored(
    alice: Annotator, sheep: Concept, django_assert_max_num_queries
) -> None:
    add_pictures(sheep.project, 10)
    pools.fill(sheep, 1)
    Question.objects.update(state="settled", answers_count=2)
    with django_assert_max_num_queries(12):
        assert ask(alice, sheep.project) is None
    assert Question.objects.count() == 10
    add_pictures(sheep.project, 1)
    pools.notice()
    assert ask(alice, sheep.project) is not None


def test_a_pool_that_is_soon_used_up_wakes_a_worker_once(
    alice: Annotator,
    bob: Annotator,
    sheep: Concept,
    monkeypatch,
    django_capture_on_commit_callbacks,
) -> None:
    add_pictures(sheep.project, 100)
    pools.fill(sheep, 1)
    Question.objects.filter(pk__in=list(Question.objects.values_list("pk", flat=True)[4:])).update(
        state="settled", answers_count=2
    )
    sent: list[tuple[object, ...]] = []
    monkeypatch.setattr(fill_pool, "apply_async", lambda arguments, **_: sent.append(arguments))
    with django_capture_on_commit_callbacks(execute=True):
        for annotator in (alice, bob):
            ask(annotator, sheep.project)
    assert sent == [(sheep.pk, 1)]


def test_a_concept_that_is_added_is_asked_about_next(alice: Annotator, sheep: Concept) -> None:
    add_pictures(sheep.project, 100)
    for _ in range(3):
        ask(alice, sheep.project)
    goat = concepts.create(project=sheep.project, name="goat")
    pools.prepare(goat)
    pools.forget_priorities(sheep.project)
    cache.clear()
    challenge = ask(alice, sheep.project)
    assert challenge is not None and challenge.concept_id == goat.pk


def test_a_concept_switched_off_while_asked_keeps_its_answers_and_is_not_asked_again(
    alice: Annotator, bob: Annotator, sheep: Concept
) -> None:
    add_pictures(sheep.project, 100)
    challenge = ask(alice, sheep.project)
    assert challenge is not None
    concepts.edit(concept=sheep, active=False)
    before = Question.objects.count()
    cache.clear()
    pending = challenges.find(challenges.token(challenge), alice)
    assert challenges.answer(challenge=pending, selected=[1]).recorded == 9
    assert Answer.objects.count() == 9
    assert ask(bob, sheep.project) is None and pools.due() == []
    assert Question.objects.count() == before


def test_a_concept_deleted_while_asked_leaves_a_clear_state(
    alice: Annotator, sheep: Concept
) -> None:
    add_pictures(sheep.project, 100)
    challenge = ask(alice, sheep.project)
    assert challenge is not None
    token = challenges.token(challenge)
    concepts.delete(sheep)
    with pytest.raises(challenges.Expired, match="gone: ask for a new one"):
        challenges.find(token, alice)
    assert ask(alice, sheep.project) is None


def test_of_a_picture_deleted_while_asked_the_other_answers_are_kept(
    alice: Annotator, sheep: Concept
) -> None:
    add_pictures(sheep.project, 100)
    challenge = ask(alice, sheep.project)
    assert challenge is not None
    Image.objects.filter(tiles=challenge.tiles[0]).delete()
    assert challenges.answer(challenge=challenge, selected=[2]).recorded == 8


def test_those_drawn_at_random_come_in_the_order_of_the_slice(
    alice: Annotator, sheep: Concept
) -> None:
    Project.objects.update(random_share=1.0)
    sheep.project.refresh_from_db()
    add_pictures(sheep.project, 100)
    challenge = ask(alice, sheep.project)
    assert challenge is not None and set(challenge.reasons) == {"random"}
    members = Question.objects.exclude(slice_key=None).order_by("slice_key")
    assert set(challenge.questions) == {question.pk for question in members[:9]}


def test_who_is_blocked_makes_no_questions(mallory: Annotator, sheep: Concept, ada) -> None:
    add_pictures(sheep.project, 100)
    pools.fill(sheep, 1)
    review.block(annotator=mallory, by=ada)
    mallory.refresh_from_db()
    answer_all(mallory, sheep.project)
    assert Question.objects.filter(kind="concept").count() == 12


def test_who_comes_too_late_again_and_again_is_asked_in_the_end(
    alice: Annotator, sheep: Concept, monkeypatch
) -> None:
    """Eight times others reserve all that a pool was filled with; the ninth time nobody does."""
    add_pictures(sheep.project, 400)
    fill, others = supply.fill, iter(range(8))

    def fill_for_others(short: Sequence[PoolKey]) -> None:
        fill(short)
        if next(others, None) is not None:
            Question.objects.update(reservations=[timezone.now() + RESERVATION_TIME] * 9)

    monkeypatch.setattr(supply, "fill", fill_for_others)
    challenge = ask(alice, sheep.project)
    assert challenge is not None and len(challenge.questions) == 9
    assert Pool.objects.get().fillings == 9


@pytest.mark.django_db(transaction=True)
def test_thirty_who_ask_at_once_are_all_asked_while_there_are_pictures(
    sheep: Concept,
) -> None:
    """More than the pool holds: whoever finds all of it reserved has it filled."""
    add_pictures(sheep.project, 400)
    people = [Annotator.objects.create(pseudonym=f"person {n}") for n in range(30)]

    def take_part(annotator: Annotator) -> int | None:
        try:
            challenge = ask(annotator, Project.objects.get(pk=sheep.project_id))
            return len(challenge.questions) if challenge else None
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        asked = list(pool.map(take_part, people))
    assert None not in asked
    assert Pool.objects.get().fillings > 1
