"""One question: who said what, and the reviewer's decision."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client

from labeling import review_order
from labeling.models import Annotator, Membership, Project, Question
from labeling.project_pages import review_queue


@pytest.fixture
def question(disputed: Question) -> Question:
    """Return the first question to be reviewed."""
    return disputed


def address(question: Question, act: str = "") -> str:
    return f"/projects/shapes/questions/{question.pk}/{act}"


def following(question: Question, **filters: object) -> Question:
    chosen = review_queue.Filters(filters, project=question.project)
    return review_order.after(chosen.questions(), review_order.Position.of(question), 1)[0]


def test_it_shows_who_said_what_and_how_reliable_they_are(
    ada_client: Client, question: Question, alice: Annotator
) -> None:
    page = ada_client.get(address(question))
    alices, bobs = page.context["answers"]
    assert alices["annotator"] == alice
    assert (alices["answer"].value, bobs["answer"].value) == (True, False)
    assert float(alices["reliability"]) > float(bobs["reliability"])
    assert b"50 of 50" in page.content


@pytest.mark.parametrize(("decision", "verdict"), [("yes", True), ("no", False)])
def test_a_decision_settles_it_and_leads_to_the_next(
    ada: User, ada_client: Client, question: Question, decision: str, verdict: bool
) -> None:
    next_one = following(question)
    response = ada_client.post(address(question, "decide/"), {"decision": decision})
    assert response["Location"].startswith(address(next_one))
    question.refresh_from_db()
    assert (question.verdict, question.decided_by) == (verdict, ada)
    assert question.state == Question.State.SETTLED


def test_a_decision_keeps_the_filters(ada_client: Client, question: Question) -> None:
    next_one = following(question, kind="concept")
    response = ada_client.post(address(question, "decide/") + "?kind=concept", {"decision": "yes"})
    assert response["Location"] == address(next_one) + "?kind=concept"


def test_reopening_withdraws_the_decision(ada_client: Client, question: Question) -> None:
    ada_client.post(address(question, "decide/"), {"decision": "no"})
    ada_client.post(address(question, "decide/"), {"decision": "reopen"})
    question.refresh_from_db()
    assert (question.verdict, question.state) == (None, Question.State.OPEN)


def test_decisions_are_written_into_the_history(
    ada: User, ada_client: Client, question: Question
) -> None:
    ada_client.post(address(question, "decide/"), {"decision": "no"})
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id) == (ada, str(question.pk))
    page = ada_client.get(f"/admin/labeling/question/{question.pk}/history/")
    assert f"Decided “{question.wording}”: no." in page.content.decode()


def test_the_last_one_leads_back_to_the_wall(ada_client: Client, question: Question) -> None:
    last = Question.objects.filter(disagreement=0, verdict=None).order_by("pk")[0]
    response = ada_client.post(address(last, "decide/"), {"decision": "yes"}, follow=True)
    assert b"That was the last of these questions." in response.content


def test_an_unknown_decision_changes_nothing(ada_client: Client, question: Question) -> None:
    for decision in ("", "maybe", "\0"):
        response = ada_client.post(
            address(question, "decide/"), {"decision": decision}, follow=True
        )
        assert b"nothing was changed" in response.content
    question.refresh_from_db()
    assert question.verdict is None


def test_deciding_takes_a_post_with_a_token(ada: User, question: Question) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)
    assert client.get(address(question, "decide/")).status_code == 405
    assert client.post(address(question, "decide/"), {"decision": "yes"}).status_code == 403


def test_viewers_look_and_reviewers_decide(client: Client, question: Question, carol: User) -> None:
    client.force_login(carol)
    assert client.get(address(question)).status_code == 404
    member = Membership.objects.create(project=question.project, user=carol, role="viewer")
    page = client.get(address(question))
    assert b"Accept" not in page.content
    assert page.context["answers"] is None
    assert client.post(address(question, "decide/"), {"decision": "yes"}).status_code == 403
    Membership.objects.filter(pk=member.pk).update(role="reviewer")
    page = client.get(address(question))
    assert b"Accept" in page.content and len(page.context["answers"]) == 2
    assert client.post(address(question, "decide/"), {"decision": "yes"}).status_code == 302


def test_a_question_is_found_in_its_own_project_alone(
    client: Client, question: Question, carol: User
) -> None:
    elsewhere = Project.objects.create(slug="elsewhere", name="Elsewhere")
    Membership.objects.create(project=elsewhere, user=carol, role="owner")
    client.force_login(carol)
    path = f"/projects/elsewhere/questions/{question.pk}/"
    assert client.get(path).status_code == 404
    assert client.post(f"{path}decide/", {"decision": "yes"}).status_code == 404


def test_questions_and_answers_cannot_be_edited(ada_client: Client, question: Question) -> None:
    answer = question.answers.all()[0]
    for page in (f"question/{question.pk}", f"answer/{answer.pk}"):
        assert ada_client.post(f"/admin/labeling/{page}/change/", {}).status_code == 403
        assert ada_client.post(f"/admin/labeling/{page}/delete/", {}).status_code == 403


def test_an_unknown_question_is_not_found(ada_client: Client, shapes: Project) -> None:
    assert ada_client.get("/projects/shapes/questions/987654/").status_code == 404
    huge = "/projects/shapes/questions/99999999999999999999999/"
    assert ada_client.get(huge).status_code == 404


def test_a_tile_is_shown_in_its_whole_picture(ada_client: Client, scenes: object) -> None:
    question = Question.objects.filter(grid=4)[0]
    page = ada_client.get(address(question))
    assert page.context["whole"].image_id == question.tile.image_id
    assert b"<rect" in page.content


def test_every_question_can_be_reached_by_next_and_previous(
    shapes: Project, question: Question
) -> None:
    questions = review_queue.Filters({"decided": "all"}, project=shapes).questions()
    (at,) = review_order.after(questions, None, 1)
    there = [at]
    while found := review_order.after(questions, review_order.Position.of(there[-1]), 1):
        there += found
    back = [there[-1]]
    while found := review_order.before(questions, review_order.Position.of(back[-1]), 1):
        back += found
    assert len(there) == questions.count()
    assert back == there[::-1]
