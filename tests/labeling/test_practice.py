"""Newcomers practise on a few gold questions, which then measure nobody."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from labeling import challenges, examples, guides, practice, skip_debts
from labeling.models import (
    Annotator,
    Answer,
    Concept,
    Membership,
    Practice,
    PracticeQuestion,
    Project,
    Question,
)
from tests.cast import answer, truth

pytestmark = pytest.mark.django_db
JSON = "application/json"
URL = "/api/v1/projects/shapes/practice/"


@pytest.fixture
def training(shapes: Project) -> Project:
    """Return the shapes, with three practice questions."""
    shapes.practice_questions = 3
    shapes.save()
    return shapes


def reply(client: Client, number: int, yes: bool):
    return client.post(f"{URL}{number}/", {"yes": yes}, content_type=JSON)


def test_a_newcomer_is_told_what_is_right_and_nothing_is_recorded(
    client: Client, training: Project
) -> None:
    training.concepts.update(definition="Drawn by Ada.")
    for number in (1, 2, 3):
        shown = client.get(URL).json()
        assert (shown["number"], shown["total"]) == (number, 3)
        assert client.get(shown["url"])["Content-Type"] == "image/webp"
        question = practice.get(training, number)
        right = truth(question.pk) if number != 2 else not truth(question.pk)
        result = reply(client, number, right).json()
        assert result["right"] is (number != 2) and result["shows"] is truth(question.pk)
        assert result["phrase"] == question.concept.phrase
        assert (result["definition"], result["left"]) == ("Drawn by Ada.", 3 - number)
    assert client.get(URL).status_code == 204
    assert not Answer.objects.exists()
    assert Annotator.objects.get().gold_count == 0


def test_the_picture_of_a_question_that_takes_anothers_place_is_not_the_one_that_is_kept(
    client: Client, training: Project
) -> None:
    kept = client.get(URL).json()["url"]
    first = practice.get(training, 1)
    Question.objects.filter(pk=first.pk).update(state="settled")
    assert practice.get(training, 1) != first
    assert client.get(URL).json()["url"] != kept


def test_yes_and_no_are_mixed(training: Project) -> None:
    verdicts = [question.verdict for question in practice.questions(training)]
    assert verdicts[0] is True and False in verdicts and len(verdicts) == 3


def test_all_newcomers_get_the_same_few_whatever_they_ask_for(training: Project) -> None:
    shown = set()
    for _ in range(5):
        client = Client()
        shown |= {client.get(f"{URL}{number}/picture/").status_code for number in (1, 2, 3)}
        assert client.get(f"{URL}4/picture/").status_code == 404
        assert reply(client, 4, True).status_code == 404
        assert reply(client, 0, True).status_code == 404
        assert reply(client, 1, True).status_code == 200
    assert shown == {200} and PracticeQuestion.objects.count() == 3


def test_practice_questions_measure_nobody_any_more(
    training: Project, alice: Annotator, monkeypatch
) -> None:
    monkeypatch.setattr(skip_debts, "FREE", 100)
    given_away = {question.pk for question in practice.questions(training)}
    for kind in ("grid", "verify") * 10:
        challenge = challenges.issue(annotator=alice, project=training, kind=kind)
        assert challenge is not None and given_away.isdisjoint(challenge.questions)
        challenges.skip(challenge=challenge)


def test_without_practice_all_gold_measures(
    training: Project, alice: Annotator, monkeypatch
) -> None:
    monkeypatch.setattr(skip_debts, "FREE", 100)
    given_away = {question.pk for question in practice.questions(training)}
    Project.objects.update(practice_questions=0)
    training.refresh_from_db()
    assert practice.questions(training) == []
    asked: set[int] = set()
    for _ in range(30):
        challenge = challenges.issue(annotator=alice, project=training, kind="grid")
        assert challenge is not None
        asked |= set(challenge.questions)
        challenges.skip(challenge=challenge)
    assert not given_away.isdisjoint(asked)


def test_too_little_gold_is_left_alone(client: Client, training: Project) -> None:
    for concept in training.concepts.all():
        extra = concept.questions.filter(state="gold").first()
        extra.state = "settled"
        extra.save()
    assert practice.questions(training) == []
    assert client.get(URL).status_code == 204


def test_half_of_a_concepts_gold_is_the_most(training: Project) -> None:
    training.practice_questions = 20
    questions = practice.questions(training)
    assert [q.concept.name for q in questions].count("circle") == 3 and len(questions) == 6


def test_gold_that_is_gold_no_longer_is_replaced(training: Project) -> None:
    first, *others = practice.questions(training)
    Question.objects.filter(pk=first.pk).update(state="open", verdict=None)
    again = practice.questions(training)
    assert len(again) == 3 and first not in again and again[:2] == others
    assert PracticeQuestion.objects.count() == 3


def test_an_example_is_no_practice_question(training: Project, ada: User) -> None:
    for concept in training.concepts.all():
        for question in concept.questions.filter(state="gold")[:4]:
            kind = "yes" if question.verdict else "no"
            examples.choose(concept=concept, tile=question.tile, kind=kind, by=ada)
    shown = {(q.concept_id, q.tile_id) for q in practice.questions(training)}
    chosen = {
        each for c in training.concepts.all() for each in c.examples.values_list("concept", "tile")
    }
    assert shown and shown.isdisjoint(chosen)


def test_who_has_answered_before_does_not_practise(
    client: Client, training: Project, carol: User
) -> None:
    client.force_login(carol)
    assert client.get(URL).status_code == 200
    annotator = Annotator.objects.create(user=carol)
    answer(annotator, {Question.objects.filter(state="open")[0].pk: True})
    assert client.get(URL).status_code == 204


def test_practice_can_be_skipped(client: Client, training: Project) -> None:
    assert client.post(f"{URL}skip/", content_type=JSON).status_code == 204
    assert client.get(URL).status_code == 204
    assert Practice.objects.get().skipped


def test_a_private_projects_practice_is_for_those_who_may_take_part(
    client: Client, training: Project, carol: User
) -> None:
    Project.objects.update(private=True)
    addresses = (URL, f"{URL}1/picture/")
    client.force_login(carol)
    assert [client.get(address).status_code for address in addresses] == [404, 404]
    assert reply(client, 1, True).status_code == 404
    assert not Annotator.objects.exists()
    Membership.objects.create(project=training, user=carol, role="annotator")
    assert [client.get(address).status_code for address in addresses] == [200, 200]


def test_a_concept_that_is_deleted_just_then_is_no_fault(
    client: Client, training: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def summary(concept: int) -> guides.Summary:
        raise Concept.DoesNotExist

    monkeypatch.setattr(guides, "summary", summary)
    assert client.get(URL).status_code == 404
    assert reply(client, 1, True).status_code == 404
