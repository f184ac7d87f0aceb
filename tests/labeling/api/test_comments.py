"""Flags by annotators, remarks by reviewers, over HTTP."""

import json

import pytest
from django.test import Client

from labeling.models import Annotator, Challenge, Comment, Membership, Question

pytestmark = pytest.mark.django_db
API = "/api/v1/"


def post(client: Client, path: str, body: object = None):
    return client.post(API + path, json.dumps(body or {}), content_type="application/json")


@pytest.fixture
def token(client, shapes) -> str:
    response = post(client, "challenges/", {"project": "shapes", "kind": "grid"})
    return response.json()["token"]


def test_a_visitor_flags_a_tile_of_their_own_challenge(client, token):
    body = {"kind": "offensive", "text": "A face\u202e and a name."}
    response = post(client, f"challenges/{token}/tiles/3/flag/", body)
    assert (response.status_code, response.json()) == (201, {"kind": "offensive"})
    flag = Comment.objects.get()
    challenge = Challenge.objects.get()
    assert (flag.tile_id, flag.question_id) == (challenge.tiles[2], challenge.questions[2])
    assert (flag.text, flag.annotator) == ("A face and a name.", Annotator.objects.get())
    assert post(client, f"challenges/{token}/tiles/3/flag/", body).status_code == 200
    assert Comment.objects.count() == 1


def test_nobody_flags_what_was_shown_to_somebody_else(client, token):
    stranger = Client()
    assert (
        post(stranger, f"challenges/{token}/tiles/1/flag/", {"kind": "broken"}).status_code == 403
    )
    post(stranger, "challenges/", {"project": "shapes", "kind": "grid"})
    response = post(stranger, f"challenges/{token}/tiles/1/flag/", {"kind": "broken"})
    assert (response.status_code, response.json()["code"]) == (403, "foreign")
    assert not Comment.objects.exists()


@pytest.mark.parametrize("number", ["0", "10", "999999999999999999999"])
def test_a_tile_that_is_not_shown_is_unknown(client, token, number):
    response = post(client, f"challenges/{token}/tiles/{number}/flag/", {"kind": "broken"})
    assert response.status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "remark"},
        {"kind": "decision"},
        {"kind": 1},
        {"kind": "broken", "text": "x" * 1_001},
        {"kind": "broken", "text": ["x"]},
        [],
    ],
)
def test_a_flag_that_makes_no_sense_is_refused(client, token, body):
    assert post(client, f"challenges/{token}/tiles/1/flag/", body).status_code == 400


def test_flags_are_limited(client, token, settings):
    settings.CHALLENGE_RATE = 2
    statuses = [
        post(client, f"challenges/{token}/tiles/{number}/flag/", {"kind": "broken"}).status_code
        for number in (1, 2, 3)
    ]
    assert statuses == [201, 201, 429]


def test_flagging_takes_the_csrf_token_of_the_page(client, token):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    assert post(strict, f"challenges/{token}/tiles/1/flag/", {"kind": "broken"}).status_code == 403


def test_reviewers_list_filter_and_resolve(client, token, carol):
    post(client, f"challenges/{token}/tiles/1/flag/", {"kind": "broken"})
    reviewer = Client()
    Membership.objects.create(project=Question.objects.first().project, user=carol, role="reviewer")
    reviewer.force_login(carol)
    question = Comment.objects.get().question_id
    remark = {"question": question, "text": "I see it, too."}
    assert post(reviewer, "projects/shapes/comments/", remark).status_code == 201
    flagged = {"question": question, "kind": "broken"}
    statuses = [post(reviewer, "projects/shapes/comments/", flagged).status_code for _ in range(2)]
    assert statuses == [201, 200]
    assert post(reviewer, "projects/shapes/comments/", {"question": question}).status_code == 400

    def listed(query: str = "") -> list[tuple[str, str | None]]:
        rows = reviewer.get(f"{API}projects/shapes/comments/{query}").json()["results"]
        return [(row["kind"], row["user"]) for row in rows]

    assert listed() == [("broken", "carol"), ("remark", "carol"), ("broken", None)]
    assert listed("?kind=remark") == [("remark", "carol")]
    flag = Comment.objects.first()
    resolved = post(reviewer, f"comments/{flag.pk}/resolve/").json()
    assert resolved["resolved_by"] == "carol" and resolved["resolved_at"]
    assert post(reviewer, f"comments/{flag.pk}/resolve/").json() == resolved
    assert listed("?resolved=true") == [("broken", None)]
    assert len(listed("?resolved=false")) == 2
    assert reviewer.get(f"{API}projects/shapes/comments/?kind=%00").status_code == 400


def test_what_blocked_annotators_say_is_not_listed(client, token, ada_client):
    post(client, f"challenges/{token}/tiles/1/flag/", {"kind": "broken"})
    Annotator.objects.update(blocked=True)
    assert ada_client.get(f"{API}projects/shapes/comments/").json()["results"] == []
