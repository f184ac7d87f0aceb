"""A concept is created, renamed and switched off, and people are asked accordingly."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from labeling import challenges, concepts, examples, pools, tasks
from labeling.aggregation import online
from labeling.challenges import issuing
from labeling.concepts import Conflict, statements
from labeling.models import Annotator, ClassSet, Concept, Question
from tests.cast import answer
from tests.labeling.garden import add, add_many

pytestmark = pytest.mark.django_db


def leave(challenge) -> None:
    """Skip a challenge, without the wait that many skips cost."""
    challenges.skip(challenge=challenge)
    Annotator.objects.update(skip_debt=0)


def asked_about(annotator, project, times: int = 20) -> set[str]:
    """Look at some grids and skip them; return the names of the concepts that they are about."""
    names = set()
    for _ in range(times):
        grid = challenges.issue(annotator=annotator, project=project, kind="grid")
        if grid is not None:
            names.add(grid.concept.name)
            leave(grid)
    return names


@pytest.fixture
def tagged(garden):
    """Ten pictures; the first four have the keyword "bike"."""
    add_many(garden, range(4), keywords=["Bike"])
    add_many(garden, range(4, 10), keywords=["tree"])
    return garden


@pytest.mark.django_db(transaction=True)
def test_a_new_concept_is_asked_about_at_once(shapes, alice):
    assert "ring" not in asked_about(alice, shapes)
    concepts.create(project=shapes, name="ring")
    assert "ring" in asked_about(alice, shapes)


def test_what_imports_state_of_it_is_taken_over(tagged):
    concept = concepts.create(project=tagged, name="bicycle", aliases=["bike"])
    stated = concept.questions.filter(reason="stated")
    assert [(q.tile.image.source, q.stated) for q in stated] == [
        (f"{number}.png", 0.9) for number in range(4)
    ]
    assert concept.prevalence == pytest.approx(0.4)
    assert concept.unfinished_from is None


def test_each_of_a_list_has_the_prevalence_that_imports_state(tagged):
    added = concepts.add_lines(project=tagged, text="bike\ncloud\nTree").concepts
    assert {each.name: each.prevalence for each in added} == {
        "bike": pytest.approx(0.4),
        "cloud": pytest.approx(0.1),
        "Tree": pytest.approx(0.6),
    }


def test_without_keywords_its_prevalence_is_a_tenth(tagged):
    assert concepts.create(project=tagged, name="cloud").prevalence == pytest.approx(0.1)


@pytest.mark.django_db(transaction=True)
def test_a_project_without_pictures_takes_concepts(garden, alice):
    concept = concepts.create(project=garden, name="bicycle")
    assert concept.prevalence == pytest.approx(0.1)
    assert asked_about(alice, garden) == set()
    add(garden, 1)
    assert challenges.issue(annotator=alice, project=garden, kind="grid") is not None


def test_of_many_pictures_a_worker_takes_over_the_rest(tagged, monkeypatch):
    monkeypatch.setattr(statements, "AT_ONCE", 2)
    concept = concepts.create(project=tagged, name="bike")
    assert concept.unfinished_from is not None
    assert concept.questions.filter(stated__isnull=False).count() >= 2
    tasks.finish_concepts()
    concept.refresh_from_db()
    assert concept.unfinished_from is None
    stated = concept.questions.filter(stated__gt=0.5).values_list("tile__image__source", flat=True)
    assert sorted(stated) == ["0.png", "1.png", "2.png", "3.png"]


def test_a_worker_that_dies_goes_on_where_it_stopped(tagged, monkeypatch):
    monkeypatch.setattr(statements, "BATCH", 1)
    concept = Concept.objects.create(project=tagged, name="bike", unfinished_from=0)
    ask_pairs, taken = statements.questions.ask_pairs, []

    def dies_at_the_third(**arguments) -> int:
        taken.append(arguments["pairs"])
        if len(taken) == 3:
            raise KeyboardInterrupt
        return ask_pairs(**arguments)

    with monkeypatch.context() as patch:
        patch.setattr(statements.questions, "ask_pairs", dies_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            concepts.take_over(concept)
    assert concept.questions.count() == 2
    assert concepts.take_over(concept) == 2
    assert concept.questions.filter(reason="stated").count() == 4


def test_a_name_that_is_added_states_what_its_keywords_say(tagged):
    concept = concepts.create(project=tagged, name="bicycle")
    pools.prepare(concept)
    stored = concept.questions.get(tile__image__source="0.png")
    assert (stored.reason, stored.stated) == ("random", None)
    concepts.edit(concept=concept, aliases=["bike"])
    stored.refresh_from_db()
    assert (stored.reason, stored.stated) == ("random", 0.9)
    assert stored.probability == pytest.approx(0.9)


def test_what_keywords_state_by_a_name_that_is_removed_is_taken_back(tagged, alice):
    concept = concepts.create(project=tagged, name="bicycle", aliases=["bike"])
    asked, other = concept.questions.order_by("pk")[:2]
    answer(alice, {asked.pk: True})
    asked.refresh_from_db()
    before = asked.probability
    concepts.edit(concept=concept, aliases=[])
    asked.refresh_from_db()
    other.refresh_from_db()
    assert (asked.stated, other.stated) == (None, None)
    assert other.prior == other.probability == pytest.approx(concept.prevalence)
    assert online.log_odds(before) - online.log_odds(asked.probability) == pytest.approx(
        online.log_odds(0.9) - online.log_odds(concept.prevalence)
    )


def test_what_somebody_else_stated_stays_when_a_name_is_removed(tagged):
    concept = concepts.create(project=tagged, name="bicycle", aliases=["bike"])
    Question.objects.filter(concept=concept).update(stated=0.7)
    concepts.edit(concept=concept, aliases=[])
    assert set(concept.questions.values_list("stated", flat=True)) == {0.7}


def test_a_keyword_comes_before_what_the_other_classes_of_an_import_say(tagged):
    bicycle = concepts.create(project=tagged, name="bicycle")
    car = concepts.create(project=tagged, name="car")
    classes = ClassSet.objects.create(project=tagged, concepts=[bicycle.pk, car.pk])
    tagged.images.update(class_set=classes)
    pools.prepare(bicycle)
    stored = bicycle.questions.get(tile__image__source="0.png")
    assert stored.stated == pytest.approx(0.1)
    concepts.edit(concept=bicycle, aliases=["bike"])
    stored.refresh_from_db()
    assert (stored.stated, stored.prior) == (0.9, pytest.approx(0.9))
    other = bicycle.questions.get(tile__image__source="5.png")
    assert other.stated == pytest.approx(0.1)


@pytest.mark.django_db(transaction=True)
def test_switched_off_it_is_asked_no_more_and_nothing_is_lost(shapes, alice):
    square = shapes.concepts.get(name="square")
    pending = challenges.issue(annotator=alice, project=shapes, kind="grid")
    while pending.concept != square:
        leave(pending)
        pending = challenges.issue(annotator=alice, project=shapes, kind="grid")
    labels = square.questions.count()
    concepts.edit(concept=square, active=False)
    assert asked_about(alice, shapes) == {"circle"}
    assert challenges.answer(challenge=pending, selected=[]).recorded == len(pending.questions)
    assert square.questions.count() == labels
    concepts.edit(concept=square, active=True)
    concepts.edit(concept=shapes.concepts.get(name="circle"), active=False)
    assert asked_about(alice, shapes) == {"square"}


def test_a_renamed_concept_keeps_its_old_name_as_an_alias(shapes):
    circle = shapes.concepts.get(name="circle")
    renamed = concepts.edit(concept=circle, name="orb")
    assert (renamed.name, renamed.phrase, renamed.aliases) == ("orb", "an orb", ["circle"])
    again = concepts.edit(concept=renamed, name="disc", keep_name=False)
    assert (again.name, again.aliases) == ("disc", ["circle"])
    back = concepts.edit(concept=again, name="circle")
    assert (back.name, back.aliases) == ("circle", ["disc"])


def test_a_name_that_is_respelled_is_no_alias(shapes):
    circle = concepts.edit(concept=shapes.concepts.get(name="circle"), name="Circle")
    assert (circle.name, circle.phrase, circle.aliases) == ("Circle", "a Circle", [])


def test_a_phrase_of_its_own_outlives_a_new_name(shapes):
    circle = concepts.edit(concept=shapes.concepts.get(name="circle"), phrase="something round")
    renamed = concepts.edit(concept=circle, name="disc")
    assert renamed.phrase == "something round"
    assert concepts.edit(concept=renamed, phrase="").phrase == "a disc"


def test_predictions_go_with_the_phrase_that_they_were_made_for(
    shapes, django_capture_on_commit_callbacks, settings, tmp_path
):
    settings.MEDIA_ROOT = tmp_path
    file = tmp_path / "predictions" / "a" / "1.npy"
    file.parent.mkdir(parents=True)
    file.touch()
    circle = shapes.concepts.get(name="circle")
    Concept.objects.filter(pk=circle.pk).update(predictions="predictions/a/1.npy")
    kept = concepts.edit(concept=circle, name="disc", phrase="a circle")
    assert kept.predictions.name and not kept.priors_stale
    with django_capture_on_commit_callbacks(execute=True):
        changed = concepts.edit(concept=circle, phrase="a disc")
    assert not changed.predictions.name and changed.priors_stale
    assert not file.exists()


def test_a_concept_with_answers_is_never_deleted(shapes, alice):
    circle = shapes.concepts.get(name="circle")
    answer(alice, {circle.questions.first().pk: True})
    with pytest.raises(Conflict, match="“circle” has 1 answer, which are never deleted: switch"):
        concepts.delete(circle)
    assert shapes.concepts.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_concept_without_answers_goes_with_its_questions_and_challenges(shapes, alice):
    circle = shapes.concepts.get(name="circle")
    pending = challenges.issue(annotator=alice, project=shapes, kind="grid")
    while pending.concept != circle:
        leave(pending)
        pending = challenges.issue(annotator=alice, project=shapes, kind="grid")
    token = challenges.token(pending)
    concepts.delete(circle)
    assert not Question.objects.filter(concept__name="circle").exists()
    with pytest.raises(challenges.Expired, match="ask for a new one"):
        challenges.find(token, alice)
    assert asked_about(alice, shapes) == {"square"}


@pytest.mark.django_db(transaction=True)
def test_a_concept_that_is_deleted_while_it_is_chosen_is_not_asked(shapes, mallory, monkeypatch):
    Annotator.objects.update(blocked=True)  # whose challenges reserve nothing
    create, deleted = issuing._create, []

    def create_while_somebody_deletes(selection, *arguments, **more):
        challenge = create(selection, *arguments, **more)
        if not deleted:
            deleted.append(challenge.concept)
            with ThreadPoolExecutor(1) as threads:
                threads.submit(delete_elsewhere, challenge.concept).result()
        return challenge

    monkeypatch.setattr(issuing, "_create", create_while_somebody_deletes)
    challenge = challenges.issue(annotator=mallory, project=shapes, kind="grid")
    assert challenge.concept == shapes.concepts.get() != deleted[0]


def delete_elsewhere(concept: Concept) -> None:
    concepts.delete(concept)
    connection.close()


def test_an_answer_to_questions_that_are_gone_asks_for_a_new_challenge(shapes, alice):
    challenge = challenges.issue(annotator=alice, project=shapes, kind="grid")
    Question.objects.filter(pk__in=challenge.questions).delete()
    with pytest.raises(challenges.Expired, match="ask for a new one"):
        challenges.answer(challenge=challenge, selected=[])
    challenge.refresh_from_db()
    assert challenge.answered_at is None


def test_a_concept_that_was_deleted_meanwhile_is_not_changed(shapes, ada):
    concept = concepts.create(project=shapes, name="triangle", by=ada)
    Concept.objects.filter(pk=concept.pk).delete()
    with pytest.raises(Conflict, match="deleted meanwhile"):
        concepts.edit(concept=concept, name="three corners", by=ada)
    tile = shapes.images.first().tiles.first()
    with pytest.raises(Conflict, match="deleted meanwhile"):
        examples.choose(concept=concept, tile=tile, kind="yes", by=ada)
