"""Synonyms are merged: one concept takes over the questions, answers and names of another."""

import random
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest
from django.db import OperationalError, connection, transaction

from labeling import (
    challenges,
    concepts,
    merging,
    pools,
    question_posteriors,
    question_state,
    questions,
    tasks,
)
from labeling.concepts import ConceptError, Conflict
from labeling.images import tiles
from labeling.inference import priors
from labeling.merging import batches
from labeling.models import Answer, ClassSet, Concept, Pool, Project, Question
from labeling.question_posteriors import recompute as recompute_few
from tests.cast import answer
from tests.concurrency import meanwhile
from tests.labeling.garden import add, add_many
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db


@pytest.fixture
def bikes(garden) -> Project:
    """Twenty pictures, and two words for one thing."""
    add_many(garden, range(20))
    for name in ("bicycle", "bike"):
        Concept.objects.create(project=garden, name=name, phrase=f"a {name}", prevalence=0.3)
    return garden


@pytest.fixture
def bicycle(bikes) -> Concept:
    return bikes.concepts.get(name="bicycle")


@pytest.fixture
def bike(bikes) -> Concept:
    return bikes.concepts.get(name="bike")


def ask(concept: Concept, number: int, **more) -> Question:
    """Ask about the picture of that number."""
    tile = tiles.whole(concept.project.images.get(source=f"{number}.png"))
    gold = {(tile.pk, concept.pk): more.pop("gold")} if "gold" in more else None
    stated = {(tile.pk, concept.pk): more.pop("stated")} if "stated" in more else None
    questions.ask_concepts(tiles=[tile], concepts=[concept], gold=gold, stated=stated, **more)
    return Question.objects.get(concept=concept, tile=tile)


def votes(question: Question) -> dict[str, bool]:
    return dict(question.answers.values_list("annotator__pseudonym", "value"))


def test_questions_and_answers_are_moved(bicycle, bike, alice, bob, ada):
    only_bike, both, other = ask(bike, 1), ask(bike, 2), ask(bicycle, 2)
    answer(alice, {only_bike.pk: True, both.pk: True})
    answer(bob, {only_bike.pk: True, other.pk: False})
    merged = merging.merge(concept=bike, into=bicycle, by=ada)
    assert str(merged) == (
        "Merged “bike” into “bicycle”: 2 questions, 3 answers moved, 0 kept beside."
    )
    only_bike.refresh_from_db()
    assert only_bike.concept == bicycle and votes(only_bike) == {"alice": True, "bob": True}
    other.refresh_from_db()
    assert votes(other) == {"alice": True, "bob": False}
    assert (other.answers_count, other.yes_count) == (2, 1)
    assert not Question.objects.filter(pk=both.pk).exists()


def test_who_answered_both_counts_once_and_loses_nothing(bicycle, bike, alice, bob, ada):
    theirs, other = ask(bike, 1), ask(bicycle, 1)
    answer(alice, {theirs.pk: True, other.pk: False})
    answer(bob, {theirs.pk: True})
    merged = merging.merge(concept=bike, into=bicycle, by=ada)
    assert merged.counts == merging.Counts(questions=1, answers=1, kept=1)
    theirs.refresh_from_db()
    assert (theirs.concept, theirs.reason, votes(theirs)) == (bike, "merged", {"alice": True})
    assert votes(other) == {"alice": False, "bob": True}
    assert Answer.objects.count() == 3


def test_posteriors_are_those_of_all_answers(bicycle, bike, alice, bob, ada):
    theirs, other, alone = ask(bike, 1), ask(bicycle, 1), ask(bike, 2)
    reference = ask(bicycle, 3)
    answer(alice, {theirs.pk: True, alone.pk: False, reference.pk: True})
    answer(bob, {other.pk: True, reference.pk: True})
    merging.merge(concept=bike, into=bicycle, by=ada)
    recompute_few([reference.pk])  # by what is known of Alice and Bob since
    for question in (other, alone, reference):
        question.refresh_from_db()
    assert other.probability == pytest.approx(reference.probability)
    assert other.state == reference.state and other.prior == pytest.approx(0.3)
    assert alone.probability < 0.3


@pytest.mark.parametrize(
    ("of_bicycle", "of_bike", "after"),
    [(None, True, True), (False, True, False), (True, None, True)],
)
def test_a_verdict_of_the_survivor_comes_first(bicycle, bike, ada, of_bicycle, of_bike, after):
    for concept, verdict in ((bicycle, of_bicycle), (bike, of_bike)):
        ask(concept, 1, **({} if verdict is None else {"gold": verdict}))
    merging.merge(concept=bike, into=bicycle, by=ada)
    question = bicycle.questions.get()
    assert (question.state, question.verdict, question.probability) == ("gold", after, after)
    kept = bike.questions.filter(verdict=of_bike)
    assert kept.exists() == (None not in (of_bicycle, of_bike))


def test_a_decision_and_its_reviewer_are_taken_over(bicycle, bike, ada):
    ask(bicycle, 1)
    decided = ask(bike, 1)
    Question.objects.filter(pk=decided.pk).update(verdict=True, decided_by=ada, state="settled")
    merging.merge(concept=bike, into=bicycle, by=ada)
    question = bicycle.questions.get()
    assert (question.verdict, question.decided_by, question.state) == (True, ada, "settled")


def test_names_become_aliases_and_keywords_count(bicycle, bike, ada):
    concepts.edit(concept=bike, aliases=["velo"])
    image = add(bicycle.project, 30, keywords=["VELO"])
    merged = merging.merge(concept=bike, into=bicycle, by=ada)
    assert merged.into.aliases == ["bike", "velo"]
    assert bicycle.questions.get(tile__image=image).stated == 0.9
    with pytest.raises(Conflict, match="“bike” is taken: it was merged into “bicycle”"):
        concepts.create(project=bicycle.project, name="bike")
    with pytest.raises(Conflict, match="“bike” was merged into it, and stays an alias"):
        concepts.edit(concept=bicycle, aliases=["velo"])
    renamed = concepts.edit(concept=bicycle, name="bike")
    assert (renamed.name, renamed.aliases) == ("bike", ["velo", "bicycle"])


def test_the_higher_statement_is_the_prior(bicycle, bike, ada):
    ask(bicycle, 1, stated=0.05)
    ask(bike, 1, stated=0.9)
    ask(bicycle, 2)
    ask(bike, 2, stated=0.8)
    merging.merge(concept=bike, into=bicycle, by=ada)
    by_number = dict(bicycle.questions.values_list("tile__image__source", "prior"))
    assert by_number["1.png"] == pytest.approx(0.9) and by_number["2.png"] == pytest.approx(0.8)


def test_class_sets_hold_the_survivor(bicycle, bike, ada):
    project = bicycle.project
    car = Concept.objects.create(project=project, name="car", phrase="a car")
    first = ClassSet.objects.create(project=project, concepts=sorted([bike.pk, car.pk]))
    same = ClassSet.objects.create(project=project, concepts=sorted([bicycle.pk, car.pk]))
    both = ClassSet.objects.create(project=project, concepts=sorted([bicycle.pk, bike.pk]))
    project.images.update(class_set=first)
    merging.merge(concept=bike, into=bicycle, by=ada)
    sets = {row.pk: row.concepts for row in ClassSet.objects.all()}
    assert sets == {same.pk: sorted([bicycle.pk, car.pk]), both.pk: [bicycle.pk, bicycle.pk]}
    assert set(project.images.values_list("class_set", flat=True)) == {same.pk}


def test_beliefs_about_other_classes_stay_whether_they_are_stored_or_not(bicycle, bike, ada):
    project = bicycle.project
    car = Concept.objects.create(project=project, name="car", phrase="a car")
    classes = ClassSet.objects.create(project=project, concepts=[bicycle.pk, bike.pk, car.pk])
    project.images.update(class_set=classes)
    stored = ask(car, 1)
    assert stored.prior == pytest.approx(0.05)
    merging.merge(concept=bike, into=bicycle, by=ada)
    stored.refresh_from_db()
    assert ask(car, 2).prior == stored.prior == pytest.approx(0.05)


def test_what_class_sets_state_of_the_survivor_by_now_holds_for_its_stored_questions(
    bicycle, bike, ada
):
    project = bicycle.project
    car = Concept.objects.create(project=project, name="car", phrase="a car")
    classes = ClassSet.objects.create(project=project, concepts=sorted([bike.pk, car.pk]))
    stored = ask(bicycle, 1)
    project.images.update(class_set=classes)
    merging.merge(concept=bike, into=bicycle, by=ada)
    bicycle.refresh_from_db()
    priors.update(bicycle)
    stored.refresh_from_db()
    assert ask(bicycle, 2).prior == stored.prior == pytest.approx(0.1)


def test_what_was_predicted_of_the_merged_concept_is_not_believed_of_the_survivor(
    bicycle, bike, alice, ada
):
    moved = ask(bike, 1)
    answer(alice, {moved.pk: True})
    Question.objects.filter(pk=moved.pk).update(model_probability=0.9, prior_shift=1.0, prior=0.5)
    merging.merge(concept=bike, into=bicycle, by=ada)
    moved.refresh_from_db()
    assert (moved.model_probability, moved.prior_shift) == (None, 0)
    assert moved.prior == pytest.approx(0.3)


def test_the_survivors_random_slice_stays_a_uniform_sample(bicycle, bike, alice, ada, settings):
    settings.POOL_RANDOM, settings.POOL_DOUBTFUL, settings.POOL_LIKELY = 6, 0, 0
    pools.prepare(bicycle)
    pools.prepare(bike)
    answer(alice, dict.fromkeys(bike.questions.values_list("pk", flat=True), True), "random")
    pool = Pool.objects.get(concept=bicycle)
    before = set(bicycle.questions.values_list("tile", "slice_key"))
    merging.merge(concept=bike, into=bicycle, by=ada)
    sliced = bicycle.questions.filter(slice_key__isnull=False)
    assert set(sliced.values_list("tile", "slice_key")) == before
    assert not bicycle.questions.filter(reason="random", slice_key=None).exists()
    answer(alice, dict.fromkeys(sliced.values_list("pk", flat=True), True), "random")
    pools.fill(bicycle, 1)
    for question in sliced.select_related("tile__image"):
        position = (question.tile.image.random_key - pool.start) % 1
        assert question.slice_key == pytest.approx(position)
    pool.refresh_from_db()
    passed = [
        image
        for image in bicycle.project.images.all()
        if (image.random_key - pool.start) % 1 < pool.frontier
    ]
    assert sliced.count() == len(passed) > len(before)


def test_nominations_that_nobody_used_are_given_up(bicycle, bike, ada):
    pools.prepare(bike)
    stated = ask(bike, 1, stated=0.9)
    merged = merging.merge(concept=bike, into=bicycle, by=ada)
    assert merged.counts.questions == 1
    stated.refresh_from_db()
    assert stated.concept == bicycle and not bike.questions.exists()


def test_a_pending_challenge_about_it_asks_for_a_new_one(bicycle, bike, alice, ada):
    pools.prepare(bike)
    concepts.edit(concept=bicycle, active=False)
    pending = challenges.issue(annotator=alice, project=bike.project, kind="grid")
    concepts.edit(concept=bicycle, active=True)
    merging.merge(concept=bike, into=bicycle, by=ada)
    with pytest.raises(challenges.Expired, match="ask for a new one"):
        challenges.find(challenges.token(pending), alice)
    with pytest.raises(challenges.Expired, match="ask for a new one"):
        challenges.answer(challenge=pending, selected=[])


def test_a_worker_moves_what_is_left(bicycle, bike, alice, ada, monkeypatch):
    asked = [ask(bike, number) for number in range(5)]
    answer(alice, dict.fromkeys([question.pk for question in asked], True))
    monkeypatch.setattr(merging.service, "AT_ONCE", 2)
    merged = merging.merge(concept=bike, into=bicycle, by=ada)
    assert str(merged).endswith(
        "2 answers moved, 0 kept beside. 3 more questions follow within minutes."
    )
    tasks.finish_concepts()
    assert bicycle.questions.count() == 5 and not bike.questions.exists()
    bike.refresh_from_db()
    assert bike.unfinished_from is None


def test_a_merge_that_dies_goes_on_where_it_stopped(bicycle, bike, alice, ada, monkeypatch):
    asked = [ask(bike, number) for number in range(6)]
    answer(alice, dict.fromkeys([question.pk for question in asked], True))
    monkeypatch.setattr(question_state, "BATCH", 2)
    recomputed, recompute_locked = [], question_posteriors.recompute_locked

    def dies_at_the_second(batch) -> int:
        recomputed.append(batch)
        if len(recomputed) == 2:
            raise KeyboardInterrupt
        return recompute_locked(batch)

    with monkeypatch.context() as patch:
        patch.setattr(question_posteriors, "recompute_locked", dies_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            merging.merge(concept=bike, into=bicycle, by=ada)
    assert (bicycle.questions.count(), bike.questions.count()) == (2, 4)
    tasks.finish_concepts()
    assert (bicycle.questions.count(), bike.questions.count()) == (6, 0)
    assert Answer.objects.count() == 6


def test_what_was_merged_before_follows_the_survivor(bicycle, bike, ada):
    cycle = Concept.objects.create(project=bicycle.project, name="cycle", phrase="a cycle")
    merging.merge(concept=bike, into=bicycle, by=ada)
    merging.merge(concept=bicycle, into=cycle, by=ada)
    bike.refresh_from_db()
    cycle.refresh_from_db()
    assert bike.merged_into == cycle and cycle.aliases == ["bicycle", "bike"]


def test_what_cannot_be_merged_is_refused(bicycle, bike, shapes, ada):
    with pytest.raises(ConceptError, match="into itself"):
        merging.merge(concept=bike, into=bike, by=ada)
    with pytest.raises(ConceptError, match="different projects"):
        merging.merge(concept=bike, into=shapes.concepts.first(), by=ada)
    merging.merge(concept=bike, into=bicycle, by=ada)
    with pytest.raises(Conflict, match="“bike” was merged into “bicycle”: choose that one"):
        merging.merge(concept=bicycle, into=bike, by=ada)
    with pytest.raises(Conflict, match="change that one"):
        concepts.edit(concept=bike, active=True)


@pytest.mark.django_db(transaction=True)
def test_two_who_merge_each_into_the_other_merge_once(bicycle, bike, alice, ada):
    answer(alice, {ask(bike, 1).pk: True, ask(bicycle, 2).pk: False})

    def merge(pair) -> str:
        try:
            return str(merging.merge(concept=pair[0], into=pair[1], by=ada))
        except ConceptError as error:
            return str(error)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        messages = list(threads.map(merge, [(bike, bicycle), (bicycle, bike)]))
    assert sorted(message.startswith("Merged") for message in messages) == [False, True]
    survivor = Concept.objects.get(merged_into=None, project=bike.project)
    assert survivor.questions.count() == Answer.objects.count() == 2


@pytest.mark.parametrize("seed", range(3))
def test_whatever_was_answered_each_annotator_counts_once_and_no_answer_is_lost(
    bicycle, bike, alice, bob, mallory, ada, seed
):
    draw = random.Random(seed)
    given: dict[tuple[str, str, str], bool] = {}
    for number, concept in product(range(8), (bicycle, bike)):
        if draw.random() < 0.3:
            continue
        question = ask(concept, number)
        for annotator in (alice, bob, mallory):
            if draw.random() < 0.5:
                vote = given[f"{number}.png", annotator.pseudonym, concept.name] = (
                    draw.random() < 0.5
                )
                answer(annotator, {question.pk: vote})
    merged = merging.merge(concept=bike, into=bicycle, by=ada)
    rows = bicycle.questions.exclude(answers=None).values_list(
        "tile__image__source", "answers__annotator__pseudonym", "answers__value"
    )
    of_bike = {key[:2]: vote for key, vote in given.items() if key[2] == "bike"}
    of_bicycle = {key[:2]: vote for key, vote in given.items() if key[2] == "bicycle"}
    assert {(source, name): vote for source, name, vote in rows} == of_bike | of_bicycle
    assert merged.counts.kept == len(of_bike.keys() & of_bicycle.keys())
    assert merged.counts.answers + merged.counts.kept == len(of_bike)
    assert Answer.objects.count() == len(given)
    moved = {source for source, _ in of_bike}
    for question in bicycle.questions.filter(tile__image__source__in=moved):
        before = question.answers_count, question.yes_count, question.probability
        recompute_few([question.pk])
        question.refresh_from_db()
        after = question.answers_count, question.yes_count, question.probability
        assert after == pytest.approx(before)


@pytest.mark.django_db(transaction=True)
def test_an_answer_that_is_being_recorded_is_moved_as_well(bicycle, bike, alice, ada):
    pools.prepare(bike)
    concepts.edit(concept=bicycle, active=False)
    pending = challenges.issue(annotator=alice, project=bike.project, kind="grid")

    def merge_elsewhere() -> str:
        try:
            return str(merging.merge(concept=bike, into=bicycle, by=ada))
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            challenges.answer(challenge=pending, selected=[1])
            merged = threads.submit(merge_elsewhere)
            wait_until(somebody_waits)
        assert f"{len(pending.questions)} answers moved" in merged.result()
    assert bicycle.questions.exclude(answers=None).count() == len(pending.questions)


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_no_prevalence_is_learned_while_questions_are_moved_that_rest_on_it(bicycle, bike, ada):
    """Whoever learns one waits, and then finds the moved questions."""
    theirs = ask(bike, 1)
    Concept.objects.filter(pk=bike.pk).update(merged_into=bicycle, active=False)
    with transaction.atomic():
        batches.Batch(bike.pk, [theirs.pk])
        with pytest.raises(OperationalError, match="could not obtain lock"):
            meanwhile(lambda: hold_at_once(bicycle))


@transaction.atomic
def hold_at_once(concept: Concept) -> None:
    list(Concept.objects.filter(pk=concept.pk).select_for_update(nowait=True, no_key=True))
