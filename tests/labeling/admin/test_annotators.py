"""Blocking an annotator, and seeing labels change."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from labeling import answers
from labeling.models import Annotator, Project, Question


@pytest.fixture
def swayed(shapes: Project, alice: Annotator, bob: Annotator) -> Question:
    """A question that Alice alone has turned to yes."""
    question = Question.objects.filter(project=shapes, state="open", kind="concept")[0]
    answers.record(annotator=alice, values={question.pk: True}, reasons={question.pk: "wanted"})
    Question.objects.filter(pk=question.pk).update(prior=0.2)
    answers.reconsider(questions=[question.pk])
    question.refresh_from_db()
    assert question.label
    return question


def block(annotator: Annotator, act: str = "block") -> str:
    return f"/admin/labeling/annotator/{annotator.pk}/{act}/"


def test_blocking_changes_labels_and_says_how_many(
    ada_client: Client, alice: Annotator, swayed: Question
) -> None:
    page = ada_client.post(block(alice), follow=True)
    assert b"Blocked alice: 1 label changed." in page.content
    swayed.refresh_from_db()
    assert not swayed.label


def test_unblocking_brings_their_labels_back(
    ada_client: Client, alice: Annotator, swayed: Question
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
    ada_client: Client, alice: Annotator, swayed: Question
) -> None:
    there = f"/admin/labeling/question/{swayed.pk}/review/?kind=concept"
    assert ada_client.post(block(alice), {"next": there})["Location"] == there


def test_it_never_leaves_the_site(ada_client: Client, alice: Annotator) -> None:
    for there in ("https://evil.example/", "//evil.example", "javascript:1", ""):
        response = ada_client.post(block(alice), {"next": there})
        assert response["Location"] == f"/admin/labeling/annotator/{alice.pk}/change/"


def test_blocking_takes_permission_and_a_post(
    client: Client, ada_client: Client, alice: Annotator
) -> None:
    assert ada_client.get(block(alice)).status_code == 405
    bea = User.objects.create_user("bea", is_staff=True)
    bea.user_permissions.add(Permission.objects.get(codename="view_annotator"))
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
