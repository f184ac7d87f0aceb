"""The history of a project tells every change that matters, by whom and when."""

import csv
import io

import pytest
from django.contrib.auth.models import User
from django.test import Client

from labeling import audit, review
from labeling.models import Event, Project
from tests.cast import answer, member

pytestmark = pytest.mark.django_db
HISTORY = "/projects/shapes/history/"


@pytest.fixture
def viewer(shapes, carol) -> Client:
    return member(shapes, carol, "viewer")


@pytest.fixture
def reviewer(shapes) -> Client:
    return member(shapes, User.objects.create_user("rita"), "reviewer")


def messages(client: Client, **query) -> list[str]:
    return [event.message for event, _ in client.get(HISTORY, query).context["events"]]


def note(project: Project | None, message: str, **fields) -> Event:
    return audit.record(project=project, message=message, **{"kind": Event.Kind.PROJECT, **fields})


def test_it_is_filtered_by_kind_and_person(viewer, shapes, ada):
    note(shapes, "Published.", by=ada)
    note(shapes, "A run failed.", kind=Event.Kind.RUN)
    note(Project.objects.create(slug="other", name="Other"), "Elsewhere.")
    assert messages(viewer) == ["A run failed.", "Published."]
    assert messages(viewer, kind="run") == ["A run failed."]
    assert messages(viewer, actor="ada") == ["Published."]
    assert messages(viewer, actor="Tessera") == ["A run failed."]


def test_a_page_goes_on_where_the_last_one_ended(viewer, shapes, monkeypatch):
    from labeling.project_pages import history

    monkeypatch.setattr(history, "PAGE", 2)
    for number in range(5):
        note(shapes, f"Change {number}.")
    seen, before = [], ""
    while before is not None:
        context = viewer.get(HISTORY, {"before": before}).context
        seen += [event.message for event, _ in context["events"]]
        before = context["next"]
    assert seen == [f"Change {number}." for number in (4, 3, 2, 1, 0)]


@pytest.mark.parametrize("before", ["x", "-1", "9" * 30, "9" * 5_000, "²"])
def test_a_made_up_position_is_the_beginning(viewer, shapes, before):
    note(shapes, "Published.")
    assert messages(viewer, before=before) == ["Published."]


def test_a_block_is_in_the_history_of_each_project_that_the_annotator_answered_in(
    viewer, reviewer, shapes, alice, bob, ada
):
    answer(alice, {shapes.questions.first().pk: True})
    for annotator in (alice, bob):
        review.block(annotator=annotator, by=ada)
    (message,) = messages(reviewer)
    assert "alice" in message
    assert messages(viewer) == []  # who answers is shown to reviewers only


def test_an_event_leads_to_what_it_is_about_while_that_exists(viewer, shapes, ada):
    question = shapes.questions.first()
    note(shapes, "Decided.", row=question, by=ada)
    gone = note(shapes, "Decided too.", row=question)
    Event.objects.filter(pk=gone.pk).update(object_id="987654321")
    links = {event.message: link for event, link in viewer.get(HISTORY).context["events"]}
    assert links == {
        "Decided.": f"/projects/shapes/questions/{question.pk}/",
        "Decided too.": "",
    }


def test_it_is_downloaded_without_formulas(viewer, shapes):
    user = User.objects.create(username="+1")
    note(shapes, '=HYPERLINK("https://evil.example")', by=user)
    note(shapes, "Published, at last.")
    body = b"".join(viewer.get(f"{HISTORY}history.csv")).decode()
    header, newest, oldest = csv.reader(io.StringIO(body))
    assert header == ["when", "kind", "who", "what", "object", "object id"]
    assert newest[2:4] == ["Tessera", "Published, at last."]
    assert oldest[2:4] == ["+1", '\'=HYPERLINK("https://evil.example")']


def test_a_message_is_text_and_no_markup(viewer, shapes):
    note(shapes, "<script>alert(1)</script>")
    assert "<script>alert" not in viewer.get(HISTORY).content.decode()
