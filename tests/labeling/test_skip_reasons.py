"""Skipping for a reason, and how reviewers see it: by picture and question, with counts."""

import json

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from labeling import challenges, review, skip_reasons, withdrawals
from labeling.models import Annotator, Challenge, Membership, Project, Question

pytestmark = pytest.mark.django_db


def skip(annotator: Annotator, project: Project, reason: str, kind: str = "verify") -> Challenge:
    challenge = challenges.issue(annotator=annotator, project=project, kind=kind)
    assert challenge is not None
    challenges.skip(challenge=challenge, reason=reason)
    return challenge


def post(client: Client, path: str, body: object):
    return client.post(f"/api/v1/{path}", json.dumps(body), content_type="application/json")


def test_a_reason_counts_for_every_picture_that_was_shown(shapes, mallory):
    grid = skip(mallory, shapes, "cut_off", kind="grid")
    rows = skip_reasons.of_project(shapes)
    assert {row.tile.pk for row in rows} == set(grid.tiles)
    assert {row.question.pk for row in rows if row.question} == set(grid.questions)
    assert all(row.people == {"cut_off": 1} for row in rows)
    assert sum(row.share for row in rows) == pytest.approx(1)


def test_one_picture_skipped_alone_ranks_before_those_of_a_grid(shapes, alice, mallory):
    skip(mallory, shapes, "broken", kind="grid")
    alone = skip(alice, shapes, "offensive", kind="write")
    first = skip_reasons.of_project(shapes)[0]
    assert (first.tile.pk, first.people["offensive"]) == (alone.tiles[0], 1)
    assert first.question is None


def test_people_are_counted_and_not_their_skips(shapes, alice, mallory):
    seen = skip(alice, shapes, "language")
    question = Question.objects.get(pk=seen.questions[0])
    for annotator in (alice, mallory):
        Challenge.objects.create(
            project=shapes,
            annotator=annotator,
            kind="verify",
            questions=seen.questions,
            tiles=seen.tiles,
            reasons=seen.reasons,
            expires_at=seen.expires_at,
            answered_at=Challenge.objects.get(pk=seen.pk).answered_at,
            skipped=True,
            skip_reason="language",
        )
    counted = skip_reasons.of_question(question)
    assert counted is not None and counted.people == {"language": 2}
    assert counted.reasons == [("not my language", 2)]


def test_what_was_seen_to_is_shown_again_once_more_people_skip_it(
    client: Client, shapes: Project, carol: User, mallory: Annotator
) -> None:
    challenge = skip(mallory, shapes, "cut_off")
    (tile,), (question,) = challenge.tiles, challenge.questions
    Membership.objects.create(project=shapes, user=carol, role="reviewer")
    client.force_login(carol)
    address = "/projects/shapes/skips/resolve/"
    assert client.post(address, {"tile": tile, "question": question}).status_code == 302
    assert skip_reasons.of_project(shapes) == []
    assert skip_reasons.of_question(Question.objects.get(pk=question)) is None
    assert "Resolved why people skipped" in client.get("/projects/shapes/history/").content.decode()
    Challenge.objects.filter(pk=challenge.pk).update(answered_at=timezone.now())
    (shown,) = skip_reasons.of_project(shapes)
    assert shown.people == {"cut_off": 1}


def test_only_what_is_of_the_project_is_seen_to(client, shapes, carol, mallory) -> None:
    skip(mallory, shapes, "cut_off")
    Membership.objects.create(project=shapes, user=carol, role="reviewer")
    client.force_login(carol)
    for values in ({}, {"tile": "x"}, {"tile": 0}, {"tile": 1, "question": "x"}):
        assert client.post("/projects/shapes/skips/resolve/", values).status_code == 404
    assert len(skip_reasons.of_project(shapes)) == 1


def test_what_blocked_annotators_say_is_left_out(shapes, mallory, ada):
    challenge = skip(mallory, shapes, "broken")
    review.block(annotator=mallory, by=ada)
    assert skip_reasons.of_project(shapes) == []
    assert skip_reasons.of_question(Question.objects.get(pk=challenge.questions[0])) is None


def test_a_skip_without_a_reason_says_nothing(shapes, mallory):
    skip(mallory, shapes, "")
    assert skip_reasons.of_project(shapes) == []


def test_a_skip_that_is_undone_keeps_no_reason(shapes, mallory):
    challenge = skip(mallory, shapes, "broken")
    withdrawals.undo(challenge=Challenge.objects.get(pk=challenge.pk))
    challenge.refresh_from_db()
    assert (challenge.skipped, challenge.skip_reason) == (False, "")
    assert skip_reasons.of_project(shapes) == []


@pytest.mark.parametrize(
    ("body", "status", "stored"),
    [({}, 200, ""), ({"reason": "broken"}, 200, "broken"), ({"reason": "bored"}, 400, None)],
)
def test_a_visitor_skips_for_a_reason_or_none(client, shapes, body, status, stored):
    token = post(client, "challenges/", {"project": "shapes", "kind": "verify"}).json()["token"]
    assert post(client, f"challenges/{token}/skip/", body).status_code == status
    challenge = Challenge.objects.get()
    assert challenge.skipped == (status == 200)
    assert challenge.skip_reason == (stored or "")


def test_reviewers_see_reasons_on_their_pages_and_over_the_api(
    client: Client, shapes: Project, carol: User, mallory: Annotator
) -> None:
    challenge = skip(mallory, shapes, "cut_off")
    Membership.objects.create(project=shapes, user=carol, role="reviewer")
    client.force_login(carol)
    flags = client.get("/projects/shapes/flags/").content.decode()
    assert "Skipped, with a reason" in flags and "cut off: 1 person" in flags
    page = client.get(f"/projects/shapes/questions/{challenge.questions[0]}/").content.decode()
    assert "cut off: 1 person" in page
    (row,) = client.get("/api/v1/projects/shapes/skips/").json()
    assert (row["tile"], row["question"]) == (challenge.tiles[0], challenge.questions[0])
    assert row["people"] == {"cut_off": 1} and row["share"] == 1
