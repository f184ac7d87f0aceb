"""Blocking an annotator, and seeing labels change."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from labeling import answers, question_posteriors, review
from labeling.models import Annotator, Answer, Project, Question
from tests.cast import allow, distrust


@pytest.fixture
def swayed(shapes: Project, alice: Annotator, bob: Annotator) -> Question:
    """A question that Alice alone has turned to yes."""
    question = Question.objects.filter(project=shapes, state="open", kind="concept")[0]
    answers.record(annotator=alice, values={question.pk: True}, reasons={question.pk: "wanted"})
    Question.objects.filter(pk=question.pk).update(prior=0.2)
    question_posteriors.recompute([question.pk])
    question.refresh_from_db()
    assert question.label
    return question


def block(annotator: Annotator, act: str = "block") -> str:
    return f"/admin/labeling/annotator/{annotator.pk}/{act}/"


def test_blocking_changes_labels_and_says_how_many(
    ada_client: Client, alice: Annotator, bea: User, swayed: Question
) -> None:
    page = ada_client.post(block(alice), follow=True)
    assert b"Blocked alice: 1 label changed." in page.content
    swayed.refresh_from_db()
    assert not swayed.label


def test_blocking_somebody_busy_says_that_the_rest_follows(
    ada_client: Client, alice: Annotator, bea: User, swayed: Question
) -> None:
    Annotator.objects.filter(pk=alice.pk).update(answers_count=review.AT_ONCE + 1)
    page = ada_client.post(block(alice), follow=True)
    assert b"1 label changed by the newest 1,000 answers, the others follow" in page.content


def test_unblocking_brings_their_labels_back(
    ada_client: Client, alice: Annotator, bea: User, swayed: Question
) -> None:
    ada_client.post(block(alice))
    page = ada_client.post(block(alice, "unblock"), follow=True)
    assert b"Unblocked alice: 1 label changed." in page.content
    swayed.refresh_from_db()
    assert swayed.label


def test_several_are_blocked_from_the_list(
    ada_client: Client, alice: Annotator, bob: Annotator, swayed: Question
) -> None:
    data = {"action": "block_selected", "_selected_action": [alice.pk, bob.pk]}
    page = ada_client.post("/admin/labeling/annotator/", data, follow=True)
    assert b"Blocked bob: no label changed." in page.content
    assert Annotator.objects.filter(blocked=True).count() == 2


def test_it_goes_back_to_where_the_button_was(
    ada_client: Client, alice: Annotator, bea: User, swayed: Question
) -> None:
    there = f"/projects/shapes/questions/{swayed.pk}/?kind=concept"
    assert ada_client.post(block(alice), {"next": there})["Location"] == there


def test_it_never_leaves_the_site(ada_client: Client, alice: Annotator) -> None:
    for there in ("https://evil.example/", "//evil.example", "javascript:1", ""):
        response = ada_client.post(block(alice), {"next": there})
        assert response["Location"] == f"/admin/labeling/annotator/{alice.pk}/change/"


def test_blocking_takes_permission_and_a_post(
    client: Client, ada_client: Client, alice: Annotator, bea: User
) -> None:
    assert ada_client.get(block(alice)).status_code == 405
    allow(bea, "view_annotator")
    client.force_login(bea)
    assert client.post(block(alice)).status_code == 403
    page = client.get(f"/admin/labeling/annotator/{alice.pk}/change/")
    assert b"Block:" not in page.content
    alice.refresh_from_db()
    assert not alice.blocked


def test_the_list_tells_how_reliable_they_are(
    ada_client: Client, alice: Annotator, bob: Annotator
) -> None:
    page = ada_client.get("/admin/labeling/annotator/").content.decode()
    assert "50 of 50 right" in page
    assert "tessera-interval" in page


def test_the_list_tells_what_they_mistake_and_how_long_they_take(
    ada_client: Client, alice: Annotator, bea: User, swayed: Question
) -> None:
    other = Question.objects.filter(state="gold", kind="concept", verdict=True)[0]
    answers.record(
        annotator=alice, values={other.pk: True}, reasons={other.pk: "gold"}, seconds=3.0
    )
    page = ada_client.get("/admin/labeling/annotator/").content.decode()
    assert "100 % ·" in page
    assert "3.0 (n 1)" in page


def test_the_list_looks_records_up_at_once(
    ada_client: Client,
    alice: Annotator,
    bob: Annotator,
    mallory: Annotator,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_max_num_queries(8):
        ada_client.get("/admin/labeling/annotator/")


def test_the_list_can_be_sorted(ada_client: Client, alice: Annotator, bob: Annotator) -> None:
    for column in range(1, 8):
        for order in (column, -column):
            assert ada_client.get(f"/admin/labeling/annotator/?o={order}").status_code == 200
    page = ada_client.get("/admin/labeling/annotator/?o=-4")  # the share of gold that is right
    assert [one.pk for one in page.context["cl"].result_list] == [alice.pk, bob.pk]


def test_whom_to_look_at_is_flagged_and_can_be_filtered(
    ada_client: Client, alice: Annotator, mallory: Annotator
) -> None:
    distrust(mallory)
    page = ada_client.get("/admin/labeling/annotator/?suspect=yes")
    assert [one.pk for one in page.context["cl"].result_list] == [mallory.pk]
    assert b"tessera-wrong" in page.content


def test_an_annotators_page_tells_every_suspect_spell(
    ada_client: Client, mallory: Annotator
) -> None:
    distrust(mallory, start=3)
    mallory.end_suspect_spell(stop=7, now=timezone.now())
    distrust(mallory, start=9)
    page = ada_client.get(f"/admin/labeling/annotator/{mallory.pk}/change/").content.decode()
    assert "(answers from 3 to before 7)" in page and "(answers from 9 on)" in page


def test_one_annotators_page_shows_answers_against_the_truth(
    ada_client: Client, alice: Annotator, bea: User, swayed: Question
) -> None:
    gold = Question.objects.filter(state="gold", kind="concept", verdict=True)[0]
    answers.record(annotator=alice, values={gold.pk: False}, reasons={gold.pk: "gold"})
    page = ada_client.get(f"/admin/labeling/annotator/{alice.pk}/change/")
    assert page.context["record"].gold.false_negatives == 1
    assert [row["right"] for row in page.context["answers"]] == [False, True]
    text = page.content.decode()
    assert text.count('class="confusion"') == 2 and "differs" in text


def test_the_answers_of_an_annotator_take_permission(
    client: Client, alice: Annotator, bea: User, swayed: Question
) -> None:
    allow(bea, "view_annotator")
    client.force_login(bea)
    page = client.get(f"/admin/labeling/annotator/{alice.pk}/change/")
    assert b"Answers against the truth" in page.content
    assert b"Their answers</h2>" not in page.content


def test_their_course_is_drawn_from_their_answers(
    ada_client: Client, alice: Annotator, shapes: Project
) -> None:
    asked = Question.objects.filter(kind="concept", state="open")[:12]
    for number, question in enumerate(asked):
        answers.record(annotator=alice, values={question.pk: True}, reasons={question.pk: "wanted"})
        Answer.objects.filter(annotator=alice, question=question).update(
            created_at=timezone.now() - timedelta(hours=50 - number)
        )
    page = ada_client.get(f"/admin/labeling/annotator/{alice.pk}/change/")
    assert b'class="tessera-plot history"' in page.content
