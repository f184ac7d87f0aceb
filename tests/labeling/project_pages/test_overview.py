"""The overview: each step of the loop, and the one action that matters most."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from config import urls  # noqa: F401 - it registers the steps of both apps
from labeling import access, gold, projects, svg
from labeling.models import (
    Annotator,
    Comment,
    Image,
    Membership,
    Project,
    Question,
    Role,
    Tile,
)
from labeling.project_pages import loop

pytestmark = pytest.mark.django_db


def next_text(project: Project, user: User) -> str:
    steps = loop.steps(project)
    action = loop.next_action(steps, access.capabilities(user, project))
    return action.text if action else ""


def step(project: Project, name: str) -> loop.Step:
    return next(step for step in loop.steps(project) if step.name == name)


def texts(project: Project, name: str) -> list[str]:
    return [action.text for action in step(project, name).actions]


def test_the_loop_has_five_steps(ada_client: Client, shapes: Project) -> None:
    page = ada_client.get("/projects/shapes/")
    assert page.status_code == 200
    names = [row["step"].name for row in page.context["steps"]]
    assert names == ["pictures", "questions", "labels", "model", "drawings"]
    assert page.context["steps"][0]["step"].number == 24


def test_a_second_look_measures_nothing(ada_client: Client, shapes: Project) -> None:
    ada_client.get("/projects/shapes/")
    with CaptureQueriesContext(connection) as queries:
        ada_client.get("/projects/shapes/")
    texts = [str(query["sql"]) for query in queries]
    assert not [text for text in texts if "labeling_image" in text or "labeling_answer" in text]
    assert len(texts) < 40


def test_gold_shows_as_soon_as_it_is_marked(ada_client: Client, ada: User, shapes: Project) -> None:
    def labels() -> loop.Step:
        steps = ada_client.get("/projects/shapes/").context["steps"]
        return next(row["step"] for row in steps if row["step"].name == "labels")

    before = labels().state
    question = Question.objects.filter(kind="concept", state="open").first()
    assert question and question.concept
    gold.mark(tile=question.tile, concept=question.concept, value=True, by=ada)
    assert labels().state != before


def test_who_may_answer_is_led_to_the_questions(shapes: Project) -> None:
    assert texts(shapes, "questions")[0] == "Answer"


def test_what_matters_most_goes_along_the_loop(ada: User, shapes: Project) -> None:
    empty = projects.create(by=ada, name="Empty")
    assert next_text(empty, ada) == "Add pictures"
    shapes.state = Project.State.DRAFT
    shapes.save()
    shapes.concepts.update(active=False)
    assert next_text(shapes, ada) == "Choose concepts"
    shapes.concepts.update(active=True)
    assert next_text(shapes, ada) == "Preview and publish"


def test_only_what_somebody_may_do_waits_for_them(shapes: Project, carol: User) -> None:
    Membership.objects.create(project=shapes, user=carol, role=Role.VIEWER)
    client = Client()
    client.force_login(carol)
    page = client.get("/projects/shapes/")
    assert page.context["next"] is None
    assert "No next step" in page.content.decode()
    assert "Add pictures" not in page.content.decode()


def test_disputes_and_flags_wait_for_a_reviewer(shapes: Project) -> None:
    questions = list(Question.objects.filter(kind="concept", state="open")[:3])
    Question.objects.filter(pk__in=[q.pk for q in questions]).update(state="ambiguous")
    Comment.objects.create(project=shapes, tile=questions[0].tile, kind=Comment.Kind.BROKEN)
    assert {"3 to decide", "1 flagged"} <= set(texts(shapes, "labels"))
    addresses = {action.text: action.url for action in step(shapes, "labels").actions}
    assert addresses["3 to decide"] == "/projects/shapes/labels/?state=ambiguous"
    assert addresses["1 flagged"] == "/projects/shapes/flags/"


def test_the_flags_of_blocked_annotators_do_not_wait(shapes: Project) -> None:
    tile = Tile.objects.filter(image__project=shapes)[0]
    mallory = Annotator.objects.create(blocked=True)
    kind = Comment.Kind.BROKEN
    Comment.objects.create(project=shapes, tile=tile, kind=kind, annotator=mallory)
    assert not [text for text in texts(shapes, "labels") if "flagged" in text]


def test_trends_are_of_this_week(shapes: Project) -> None:
    old = Image.objects.filter(pk__in=Image.objects.values("pk")[:20])
    old.update(created_at=timezone.now() - timedelta(days=10))
    Question.objects.filter(pk=Question.objects.first().pk).update(settled_at=timezone.now())
    pictures = step(shapes, "pictures")
    assert pictures.trend == "+4 this week" and sum(pictures.days) == 24
    assert step(shapes, "labels").trend == "+1 this week"


def test_answers_are_counted_by_day(shapes: Project) -> None:
    client = Client()
    shown = client.post(
        "/api/v1/challenges/",
        {"project": "shapes", "kind": "grid"},
        content_type="application/json",
    ).json()
    address = f"/api/v1/challenges/{shown['token']}/answer/"
    client.post(address, {"selected": []}, content_type="application/json")
    assert step(shapes, "questions").trend == "9 answers this week"


def test_a_draft_and_an_archived_project_say_that_nobody_is_asked(shapes: Project) -> None:
    shapes.state = Project.State.DRAFT
    assert "A draft: nobody is asked" in step(shapes, "questions").state
    shapes.state = Project.State.ARCHIVED
    assert "Archived" in step(shapes, "questions").state
    assert texts(shapes, "questions") == ["Reopen"]


def test_nothing_waits_in_an_archived_project(ada_client: Client, shapes: Project) -> None:
    Question.objects.filter(kind="concept", state="open").update(state="ambiguous")
    assert ada_client.get("/projects/shapes/").context["next"] is not None
    Project.objects.filter(pk=shapes.pk).update(state=Project.State.ARCHIVED)
    page = ada_client.get("/projects/shapes/")
    assert page.context["next"] is None
    assert "This project is archived" in page.content.decode()


def test_a_sparkline_has_a_bar_a_day() -> None:
    drawing = svg.sparkline([0, 2, 4])
    assert drawing.count("<rect") == 3 and 'class="none"' in drawing and "style" not in drawing
    assert svg.sparkline([]).count("<rect") == 0


def test_strangers_are_not_told_that_there_is_a_project(shapes: Project, carol: User) -> None:
    client = Client()
    assert client.get("/projects/shapes/")["Location"].startswith("/sign-in/")
    client.force_login(carol)
    assert client.get("/projects/shapes/").status_code == 404
