"""A cat is no dog: what people say of one concept tells of others on the same picture."""

import numpy as np
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from labeling import (
    beliefs,
    concepts,
    excluding,
    exclusion_rules,
    gold,
    image_beliefs,
    merging,
    project_annotators,
    questions,
    reported_changes,
    review,
)
from labeling import exclusions as exclusions_of
from labeling.aggregation.exclusions import Group
from labeling.beliefs import Beliefs
from labeling.concepts import ConceptError
from labeling.inference import exclusions, recompute
from labeling.models import (
    Annotator,
    Concept,
    Event,
    ExclusiveGroup,
    Project,
    Question,
    Recomputation,
    Tile,
)
from labeling.question_state import ASKED_ANYWAY
from labeling.selection import candidates
from tests.cast import answer
from tests.labeling.meadow import add_pictures

pytestmark = pytest.mark.django_db
State = Question.State
NAMES = "cat", "dog", "horse", "shiny"


@pytest.fixture
def zoo(db: None, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Forty pictures, and four concepts of which three rule each other out."""
    project = Project.objects.create(state="open", slug="zoo", name="Zoo")
    group = ExclusiveGroup.objects.create(project=project, overlap=0.03)
    for name in NAMES:
        concept = Concept.objects.create(
            project=project,
            name=name,
            phrase=f"a {name}",
            prevalence=0.2,
            exclusive=name != "shiny",
        )
        if concept.exclusive:
            group.concepts.add(concept)
    add_pictures(project, 40)
    Recomputation.objects.create(project=project, learned_from=1_000)  # that is how it is known …
    monkeypatch.setattr(exclusions, "CHANGE", 1)  # … however few have answered here
    return project


@pytest.fixture
def tile(zoo: Project) -> Tile:
    return Tile.objects.order_by("pk")[0]


@pytest.fixture
def people(alice: Annotator) -> list[Annotator]:
    """Alice, and three who are as careful."""
    counts = {"true_positives": 20, "true_negatives": 30}
    others = [Annotator.objects.create(pseudonym=f"careful {n}", **counts) for n in range(3)]
    return [alice, *others]


def ask(tile: Tile, *names: str) -> list[Question]:
    """Ask about these concepts of a tile; return the questions, of which none is asked anyway."""
    concepts = Concept.objects.filter(name__in=names)
    questions.ask_concepts(tiles=[tile], concepts=concepts)
    asked = Question.objects.filter(tile=tile, concept__in=concepts)
    asked.update(random_key=0.5)
    return [asked.get(concept__name=name) for name in names]


def prior(tile: Tile, name: str) -> float:
    """Return what is believed of a tile and a concept before anybody is asked about them."""
    project = tile.image.project
    concepts = [project.concepts.get(name=name)]
    return float(Beliefs(project, concepts).priors(beliefs.facts([tile.pk])).probability[0, 0])


def settle(question: Question, people: list[Annotator], value: bool = True) -> None:
    for annotator in people:
        answer(annotator, {question.pk: value})
    question.refresh_from_db()
    assert question.state == State.SETTLED and question.label == value


def test_what_is_a_cat_settles_as_no_dog_without_an_answer(
    zoo, tile, people, django_capture_on_commit_callbacks
):
    cat, dog, shiny = ask(tile, "cat", "dog", "shiny")
    with django_capture_on_commit_callbacks(execute=True):
        settle(cat, people)
    dog.refresh_from_db()
    assert (dog.state, dog.answers_count, dog.excluded) == (State.SETTLED, 0, True)
    assert dog.probability < 0.03
    shiny.refresh_from_db()
    assert (shiny.state, shiny.probability) == (State.OPEN, 0.2)


def test_a_pair_that_is_not_stored_is_believed_in_the_same_way(zoo, tile, people):
    (cat,) = ask(tile, "cat")
    assert prior(tile, "dog") == pytest.approx(0.2)
    settle(cat, people)
    believed = prior(tile, "dog")
    assert believed < 0.03 and prior(tile, "shiny") == pytest.approx(0.2)
    (dog,) = ask(tile, "dog")
    assert (dog.state, dog.probability) == (State.SETTLED, pytest.approx(believed))
    concepts = list(zoo.concepts.order_by("pk"))
    image = image_beliefs.Reader(zoo, concepts).of([tile.image])
    assert image.probability[0, 1] == pytest.approx(believed)
    assert image.evidence[0].tolist() == [True, True, True, False]
    assert image.answers[0].tolist() == [len(people), 0, 0, 0]


def test_it_is_asked_again_where_the_cat_turns_out_to_be_none(
    zoo, tile, ada, django_capture_on_commit_callbacks
):
    cat, dog = ask(tile, "cat", "dog")
    for value, state in ((True, State.SETTLED), (False, State.OPEN)):
        with django_capture_on_commit_callbacks(execute=True):
            review.decide(question=cat, value=value, by=ada)
        dog.refresh_from_db()
        assert dog.state == state
    assert not dog.excluded and dog.probability > 0.2


def test_people_who_see_both_are_asked_further(
    zoo, tile, people, django_capture_on_commit_callbacks
):
    cat, dog = ask(tile, "cat", "dog")
    answer(people[0], {dog.pk: True})
    with django_capture_on_commit_callbacks(execute=True):
        settle(cat, people)
    dog.refresh_from_db()
    assert dog.state == State.OPEN  # as somebody sees one
    for annotator in people[1:]:
        answer(annotator, {dog.pk: True})
    recompute.run(project=zoo)
    for question in (cat, dog):
        question.refresh_from_db()
        assert question.state == State.OPEN and question.probability > 0.4


def test_a_small_share_is_asked_all_the_same(zoo, tile, ada):
    cat, dog = ask(tile, "cat", "dog")
    Question.objects.filter(pk=dog.pk).update(random_key=ASKED_ANYWAY / 2)
    review.decide(question=cat, value=True, by=ada)
    recompute.run(project=zoo)
    dog.refresh_from_db()
    assert (dog.state, dog.excluded) == (State.OPEN, True)


def test_what_a_reviewer_reopens_is_asked(zoo, tile, people, ada):
    cat, dog = ask(tile, "cat", "dog")
    review.decide(question=cat, value=True, by=ada)
    recompute.run(project=zoo)
    dog.refresh_from_db()
    review.reopen(question=dog, by=ada)
    recompute.run(project=zoo)
    dog.refresh_from_db()
    assert dog.state == State.OPEN


def test_one_strangers_yes_settles_nothing(zoo, tile, mallory):
    cat, dog = ask(tile, "cat", "dog")
    answer(mallory, {cat.pk: True})
    recompute.run(project=zoo)
    cat.refresh_from_db()
    dog.refresh_from_db()
    said = np.log(cat.probability / (1 - cat.probability)) - np.log(0.2 / 0.8)
    assert dog.state == State.OPEN and abs(dog.exclusion_shift) <= abs(said)


def test_parts_and_generated_pictures_are_left_alone(zoo, ada):
    (tile,) = add_pictures(zoo, 1, generated=True)
    cat, dog = ask(tile, "cat", "dog")
    review.decide(question=cat, value=True, by=ada)
    recompute.run(project=zoo)
    dog.refresh_from_db()
    assert (dog.state, dog.exclusion_shift) == (State.OPEN, 0)


def test_recomputing_again_changes_nothing(zoo, tile, ada):
    cat, *_ = ask(tile, *NAMES)
    review.decide(question=cat, value=True, by=ada)
    recompute.run(project=zoo)
    before = list(Question.objects.order_by("pk").values())
    assert sum(row["excluded"] for row in before) == 2
    Recomputation.objects.update(excluded_all=False)
    assert recompute.run(project=zoo) == 0
    assert list(Question.objects.order_by("pk").values()) == before


def test_what_a_killed_recomputation_left_is_finished(zoo, tile, ada):
    cat, dog = ask(tile, "cat", "dog")
    review.decide(question=cat, value=True, by=ada)
    recompute.run(project=zoo)
    Question.objects.filter(pk=dog.pk).update(
        exclusion_shift=0, excluded=False, prior=0.2, probability=0.2, state=State.OPEN
    )
    Recomputation.objects.update(excluded_all=False)
    recompute.run(project=zoo)
    dog.refresh_from_db()
    assert dog.state == State.SETTLED and dog.excluded


def test_a_project_learns_what_rules_what_out(zoo, alice, bob):
    """Of a hundred and sixty pictures each shows one animal, and every third is shiny."""
    ExclusiveGroup.objects.all().delete()
    Recomputation.objects.update(learned_from=0)
    add_pictures(zoo, 120)
    tiles = list(Tile.objects.order_by("pk"))
    questions.ask_concepts(tiles=tiles, concepts=zoo.concepts.all())
    number = {tile.pk: place for place, tile in enumerate(tiles)}
    values = {
        pk: name == NAMES[number[tile] % 3] if name != "shiny" else number[tile] % 7 < 2
        for pk, tile, name in Question.objects.values_list("pk", "tile", "concept__name")
    }
    for annotator in (alice, bob):
        answer(annotator, values)
    recompute.run(project=zoo)
    (group,) = ExclusiveGroup.objects.all()
    assert {concept.name for concept in group.concepts.all()} == {"cat", "dog", "horse"}
    assert group.overlap < 0.2
    (new,) = add_pictures(zoo, 1)
    cat, horse = ask(new, "cat", "horse")
    answer(alice, {cat.pk: True})
    recompute.run(project=zoo)
    horse.refresh_from_db()
    assert horse.exclusion_shift < -0.1


def test_concepts_are_locked_in_the_order_of_whoever_asks(zoo):
    """Else a visitor's grid and a recomputation wait for each other, until one is broken off."""
    rows = list(zoo.concepts.order_by("pk"))
    groups = [Group((2, 3), 0.1), Group((0, 1), 0.1)]
    with CaptureQueriesContext(connection) as queries, transaction.atomic():
        assert exclusions._store(zoo, rows, groups)
    about = [each["sql"] for each in queries if '"labeling_concept"' in each["sql"]]
    first = next(sql for sql in about if sql.startswith("UPDATE") or "FOR NO KEY UPDATE" in sql)
    assert "ORDER BY" in first and first.endswith("FOR NO KEY UPDATE")


def test_nothing_is_learned_anew_while_little_more_is_known(zoo, tile, ada, monkeypatch):
    (cat,) = ask(tile, "cat")
    review.decide(question=cat, value=True, by=ada)
    Recomputation.objects.update(learned_from=1)
    monkeypatch.setattr(exclusions, "_read", None)
    recompute.run(project=zoo)
    assert ExclusiveGroup.objects.exists()


def test_it_is_learned_anew_where_answers_count_no_more(zoo, alice, bob, ada, monkeypatch):
    """Mallory's crowd says of every picture that it shows a cat or a dog, never both."""
    monkeypatch.setattr(exclusions, "CHANGE", 0.1)
    Concept.objects.exclude(name__in=["cat", "dog"]).delete()
    Recomputation.objects.update(learned_from=0)
    tiles = list(Tile.objects.order_by("pk"))
    questions.ask_concepts(tiles=tiles, concepts=zoo.concepts.all())
    number = {tile.pk: place for place, tile in enumerate(tiles)}
    values = {
        pk: (name == "cat") == (number[tile] % 2 == 0)
        for pk, tile, name in Question.objects.values_list("pk", "tile", "concept__name")
    }
    for annotator in (alice, bob):
        answer(annotator, values)
    recompute.run(project=zoo)
    assert ExclusiveGroup.objects.exists()
    for annotator in (alice, bob):
        project_annotators.set_blocked(project=zoo, annotator=annotator, blocked=True, by=ada)
    recompute.run(project=zoo)
    assert not ExclusiveGroup.objects.exists()
    assert not Question.objects.exclude(exclusion_shift=0, excluded=False).exists()


def test_what_a_deleted_concept_ruled_out_is_asked_again(
    zoo, tile, ada, django_capture_on_commit_callbacks
):
    cat, dog = ask(tile, "cat", "dog")
    values = {(tile.pk, dog.concept_id): True}
    with django_capture_on_commit_callbacks(execute=True):
        gold.mark_pairs(project=zoo, values=values, by=ada, origin="question")
    cat.refresh_from_db()
    assert (cat.state, cat.excluded) == (State.SETTLED, True)
    concepts.delete(dog.concept, by=ada)
    assert Recomputation.objects.get().requested
    recompute.run(project=zoo)
    cat.refresh_from_db()
    assert (cat.state, cat.excluded, cat.exclusion_shift) == (State.OPEN, False, 0)


def test_it_is_learned_anew_after_a_merge(zoo, tile, ada):
    """Until then it was believed on the word of a thousand; here it is known of one picture."""
    cat, dog = ask(tile, "cat", "dog")
    review.decide(question=dog, value=True, by=ada)
    recompute.run(project=zoo)
    cat.refresh_from_db()
    assert cat.excluded and ExclusiveGroup.objects.exists()
    merging.merge(concept=dog.concept, into=zoo.concepts.get(name="shiny"), by=ada)
    recompute.run(project=zoo)
    cat.refresh_from_db()
    assert not cat.excluded and not ExclusiveGroup.objects.exists()


def test_gold_that_seems_to_settle_takes_as_long_as_what_does(
    zoo, tile, alice, ada, monkeypatch, django_capture_on_commit_callbacks
):
    (cat,) = ask(tile, "cat")
    values = {(tile.pk, cat.concept_id): True}
    gold.mark_pairs(project=zoo, values=values, by=ada, origin="question")
    told = [reported_changes.ReportedChange(settled=True)]
    monkeypatch.setattr(reported_changes, "reported", lambda *_, **__: told)
    looked_at = []
    monkeypatch.setattr(excluding, "update", lambda _, tiles: looked_at.extend(tiles))
    with django_capture_on_commit_callbacks(execute=True):
        answer(alice, {cat.pk: True})
    assert looked_at == [tile.pk]


def test_gold_that_is_ruled_out_is_shown_as_seldom_as_what_is_open(zoo, tile, alice, ada):
    cat, dog = ask(tile, "cat", "dog")
    gold.mark_pairs(
        project=zoo, values={(tile.pk, dog.concept_id): False}, by=ada, origin="question"
    )
    window = candidates.gold(dog.concept_id, 1, False, "no")

    def shown() -> list[int]:
        read = candidates.read(window, annotator=alice, project=zoo, exclude=[])
        return [candidate.question for candidate in read]

    assert shown() == [dog.pk]
    review.decide(question=cat, value=True, by=ada)
    recompute.run(project=zoo)
    assert shown() == []
    Question.objects.update(random_key=ASKED_ANYWAY / 2)
    assert shown() == [dog.pk]


def test_the_questions_page_says_why_it_settled(zoo, tile, ada, ada_client):
    cat, dog = ask(tile, "cat", "dog")
    review.decide(question=cat, value=True, by=ada)
    recompute.run(project=zoo)
    page = ada_client.get(reverse("project-question", args=["zoo", dog.pk])).content.decode()
    link = reverse("project-question", args=["zoo", cat.pk])
    assert f'since the picture shows <a href="{link}">a cat</a>' in page
    concept = reverse("project-concept", args=["zoo", cat.concept_id])
    assert "never in one picture, as answers have shown" in ada_client.get(concept).content.decode()


def said(zoo: Project, first: str, second: str, together: bool, by=None) -> None:
    one, other = (zoo.concepts.get(name=name) for name in (first, second))
    exclusion_rules.state(concept=one, other=other, together=together, by=by)


def test_an_owner_lets_two_be_in_one_picture(zoo, tile, ada, learned):
    """The dog is asked about again, wherever a cat was seen; a horse is not."""
    cat, dog, horse = ask(tile, "cat", "dog", "horse")
    Question.objects.update(random_key=0.9)
    review.decide(question=cat, value=True, by=ada)
    recompute.run(project=zoo)
    assert [row.excluded for row in fresh(cat, dog, horse)] == [False, True, True]
    said(zoo, "dog", "cat", True, by=ada)
    recompute.run(project=zoo)
    dog, horse = fresh(dog, horse)
    assert (dog.excluded, dog.exclusion_shift, dog.state) == (False, 0, State.OPEN)
    assert horse.excluded and horse.state == State.SETTLED
    (event,) = Event.objects.filter(kind="concept")
    assert event.message == (
        "Said that “cat” and “dog” can be in one picture, whatever answers show."
    )
    assert event.actor == "ada"
    exclusion_rules.take_back(concept=dog.concept, other=cat.concept, by=ada)
    recompute.run(project=zoo)
    (dog,) = fresh(dog)
    assert dog.excluded and dog.state == State.SETTLED
    assert Event.objects.filter(message__startswith="Took back that “cat” and “dog”").exists()


def test_an_owner_says_that_two_never_are_in_one(zoo, tile, ada, learned):
    cat, shiny, horse = ask(tile, "cat", "shiny", "horse")
    Question.objects.update(random_key=0.9)
    review.decide(question=shiny, value=True, by=ada)
    said(zoo, "shiny", "cat", False, by=ada)
    recompute.run(project=zoo)
    cat, horse = fresh(cat, horse)
    assert cat.excluded and cat.state == State.SETTLED
    assert exclusions_of.ruled_out_by(cat)[0].concept == shiny.concept
    assert not horse.excluded and horse.state == State.OPEN
    names = {(each.concept.name, each.together) for each in exclusion_rules.stated(cat.concept)}
    assert names == {("dog", False), ("horse", False), ("shiny", False)}
    said(zoo, "cat", "shiny", True, by=ada)  # the last word counts
    recompute.run(project=zoo)
    (cat,) = fresh(cat)
    assert not cat.excluded and cat.state == State.OPEN
    assert not ExclusiveGroup.objects.filter(by_hand=True).exists()


def test_rules_follow_what_becomes_of_concepts(zoo, ada, learned):
    said(zoo, "shiny", "cat", False, by=ada)
    said(zoo, "shiny", "dog", False, by=ada)
    said(zoo, "horse", "shiny", True, by=ada)
    recompute.run(project=zoo)
    cat, dog, shiny = (zoo.concepts.get(name=name) for name in ("cat", "dog", "shiny"))
    zoo.concepts.get(name="horse").delete()
    merging.merge(concept=dog, into=cat, by=ada)
    recompute.run(project=zoo)
    assert [
        (each.concept.name, each.rule is not None) for each in exclusion_rules.stated(shiny)
    ] == [("cat", True)]


@pytest.mark.parametrize(
    ("other", "message"),
    [("cat", "Choose another concept"), ("elsewhere", "of another project"), ("dog", "Nobody has")],
)
def test_what_cannot_be_said_is_refused(zoo, other, message):
    cat = zoo.concepts.get(name="cat")
    if other == "elsewhere":
        project = Project.objects.create(slug="other", name="Other", state="open")
        partner = Concept.objects.create(project=project, name="elsewhere", phrase="elsewhere")
    else:
        partner = zoo.concepts.get(name=other)
    do = exclusion_rules.take_back if other == "dog" else exclusion_rules.state
    options = {} if other == "dog" else {"together": True}
    with pytest.raises(ConceptError, match=message):
        do(concept=cat, other=partner, by=None, **options)


@pytest.fixture
def learned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three animals are learned to rule each other out, each time."""
    group = Group((0, 1, 2), 0.03)
    monkeypatch.setattr(exclusions.exclusions, "learn", lambda *columns, **options: [group])


def fresh(*rows: Question) -> list[Question]:
    return [Question.objects.select_related("concept__project").get(pk=row.pk) for row in rows]
