"""Flags and remarks on the project's pages: who sees them, and who sees to them."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from labeling import comments, review
from labeling.models import Annotator, Comment, Membership, Project, Question

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def question(shapes: Project) -> Question:
    return Question.objects.filter(kind="concept", state="open")[0]


@pytest.fixture
def flag(question: Question, mallory: Annotator) -> Comment:
    return comments.flag(
        tile=question.tile, kind="broken", text=SCRIPT, question=question, annotator=mallory
    )[0]


@pytest.fixture
def reviewer(client: Client, shapes: Project, carol: User) -> Client:
    Membership.objects.create(project=shapes, user=carol, role="reviewer")
    client.force_login(carol)
    return client


def test_flags_wait_on_a_page_of_their_own_and_on_the_wall(
    reviewer: Client, flag: Comment, question: Question
) -> None:
    page = reviewer.get("/projects/shapes/flags/").content.decode()
    assert "Broken picture" in page and "mallory" in page
    assert SCRIPT not in page and "&lt;script&gt;" in page
    wall = reviewer.get("/projects/shapes/labels/?decided=flagged")
    assert [tile.pk for tile, _ in wall.context["tiles"]] == [question.pk]


def test_viewers_are_not_told_who_flagged(client: Client, carol: User, flag: Comment) -> None:
    Membership.objects.create(project=flag.project, user=carol, role="viewer")
    client.force_login(carol)
    for address in ("flags/", f"questions/{flag.question_id}/"):
        page = client.get(f"/projects/shapes/{address}").content.decode()
        assert "an annotator" in page and "mallory" not in page and "Resolve" not in page
    assert client.post(f"/projects/shapes/comments/{flag.pk}/resolve/").status_code == 403
    comment = f"/projects/shapes/questions/{flag.question_id}/comment/"
    assert client.post(comment, {"text": "Hm."}).status_code == 403


def test_a_resolved_flag_waits_no_more(reviewer: Client, flag: Comment, carol: User) -> None:
    resolve = f"/projects/shapes/comments/{flag.pk}/resolve/"
    assert reviewer.post(resolve)["Location"] == "/projects/shapes/flags/"
    flag.refresh_from_db()
    assert flag.resolved_by == carol
    assert b"No flags wait" in reviewer.get("/projects/shapes/flags/").content
    page = reviewer.post(resolve, {"back": "question"}, follow=True)
    assert b"resolved before" in page.content and b"resolved by carol" in page.content


def test_a_reviewer_remarks_and_flags(reviewer: Client, question: Question, carol: User) -> None:
    address = f"/projects/shapes/questions/{question.pk}/comment/"
    reviewer.post(address, {"kind": "remark", "text": SCRIPT})
    reviewer.post(address, {"kind": "cut_off", "text": ""})
    page = reviewer.post(address, {"kind": "remark", "text": " "}, follow=True).content.decode()
    assert "Write a few words first." in page and SCRIPT not in page
    kinds = Comment.objects.filter(user=carol, question=question).values_list("kind", flat=True)
    assert sorted(kinds) == ["cut_off", "remark"]


def test_the_reason_of_a_decision_is_shown_with_the_question(
    reviewer: Client, question: Question
) -> None:
    address = f"/projects/shapes/questions/{question.pk}/"
    reviewer.post(f"{address}decide/", {"decision": "no", "note": "Only half of it."})
    page = reviewer.get(address).content.decode()
    assert "Only half of it." in page and "note on a decision" in page


def test_whoever_decides_second_is_told(reviewer: Client, ada: User, question: Question) -> None:
    review.decide(question=question, value=True, by=ada)
    address = f"/projects/shapes/questions/{question.pk}/"
    page = reviewer.post(f"{address}decide/", {"decision": "no", "seen": ""}, follow=True)
    assert "decided yes by ada since you looked" in page.content.decode()
    assert page.redirect_chain[-1][0].startswith(address)
    question.refresh_from_db()
    assert question.verdict is True


def test_flags_come_a_page_at_a_time(
    reviewer: Client, flag: Comment, monkeypatch: pytest.MonkeyPatch, alice: Annotator
) -> None:
    monkeypatch.setattr("labeling.project_pages.flags.PAGE", 1)
    comments.flag(tile=flag.tile, kind="offensive", annotator=alice)
    page = reviewer.get("/projects/shapes/flags/")
    assert [row.kind for row in page.context["flags"]] == ["offensive"]
    page = reviewer.get("/projects/shapes/flags/", {"before": page.context["more"]})
    assert page.context["flags"] == [flag] and page.context["more"] is None
    assert reviewer.get("/projects/shapes/flags/?before=%00").status_code == 200


def test_flags_of_another_project_are_not_resolved(
    client: Client, carol: User, flag: Comment
) -> None:
    elsewhere = Project.objects.create(slug="elsewhere", name="Elsewhere")
    Membership.objects.create(project=elsewhere, user=carol, role="owner")
    client.force_login(carol)
    assert client.post(f"/projects/elsewhere/comments/{flag.pk}/resolve/").status_code == 404
    assert client.get("/projects/elsewhere/flags/").context["flags"] == []
