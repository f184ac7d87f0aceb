"""A request that is sent again is done once, and nothing that is known is sent twice."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from labeling import kept_answers
from labeling.models import Concept, Invitation, KeptAnswer, Project
from tests.at_once import run_at_once
from tests.cast import member

pytestmark = pytest.mark.django_db
HEADER = "Idempotency-Key"
VISITORS = "challenges_", "me_", "practice_"
# Done again, these change nothing, or are refused by the state of what they change.
DONE_AGAIN = {
    *("annotators_block", "annotators_unblock"),
    *("project_annotators_block", "project_annotators_unblock", "project_annotators_withdraw"),
    *("projects_publish", "projects_unpublish", "projects_archive", "projects_reopen"),
    *("imports_announce", "imports_parts", "imports_cancel"),
    *("comments_resolve", "skips_resolve", "members_leave", "parts_ask", "images_parts"),
    *("runs_cancel", "generations_cancel", "sites_end_old_secrets"),
}
CONCEPTS = "/api/v1/projects/shapes/concepts/"
JSON = "application/json"


@pytest.fixture(autouse=True)
def project(shapes) -> None:
    """Every test here is about the shapes."""


def create(client, key: str = "a key", path: str = CONCEPTS, **body):
    return client.post(
        path, body or {"name": "ring"}, content_type=JSON, headers={"Idempotency-Key": key}
    )


def test_what_is_sent_again_is_answered_as_it_was_and_done_once(ada_client):
    first, again = create(ada_client), create(ada_client)
    assert first.status_code == again.status_code == 201 and first.json() == again.json()
    assert again["Idempotency-Replayed"] == "true" and "Idempotency-Replayed" not in first
    assert Concept.objects.filter(name="ring").count() == 1


def test_what_is_sent_again_leads_to_what_was_made(ada_client):
    first, again = create(ada_client), create(ada_client)
    assert first["Location"] == again["Location"] == f"/api/v1/concepts/{first.json()['id']}/"


def test_every_post_that_makes_something_takes_a_key(document):
    """All but those of visitors, who have no account that a key would be of, and uploads' parts."""
    without = {
        operation["operationId"]
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method == "post"
        and path.startswith("/api/v1/")
        and HEADER not in {each["name"] for each in operation.get("parameters", ())}
    }
    assert {name for name in without if not name.startswith(VISITORS)} == DONE_AGAIN


def test_a_file_with_the_same_key_is_another_request(ada_client, shapes):
    def send(content: bytes):
        body = {"file": SimpleUploadedFile("gold.csv", content), "wait": "true"}
        return ada_client.post(
            "/api/v1/projects/shapes/gold/file/", body, headers={HEADER: "a key"}
        )

    table = b"task,concept,truth\n"
    first, again, other = send(table + b"x,circle,yes"), send(table + b"x,circle,yes"), send(table)
    assert first.status_code == again.status_code == 202, first.content
    assert first.json()["id"] == again.json()["id"] and other.status_code == 422


def test_a_key_of_somebody_else_is_another_key(ada_client, shapes, carol):
    other = create(member(shapes, carol, "owner"), name="hoop")
    assert create(ada_client).status_code == other.status_code == 201
    assert "Idempotency-Replayed" not in other


def test_another_request_with_the_same_key_is_refused(ada_client):
    create(ada_client)
    for other in (create(ada_client, name="hoop"), create(ada_client, path="/api/v1/projects/")):
        assert other.status_code == 422 and other.json()["code"] == "key_reused"
    assert create(ada_client, "another key", name="hoop").status_code == 201


def test_a_refusal_is_not_kept(ada_client):
    assert create(ada_client, name="").status_code == 400
    assert not KeptAnswer.objects.exists()
    assert create(ada_client, name="ring").status_code == 201


def test_a_key_is_its_users_and_for_a_day(ada_client, shapes):
    create(ada_client)
    KeptAnswer.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert create(ada_client, name="hoop").status_code == 201
    KeptAnswer.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert kept_answers.forget() == 1


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_has_a_length(ada_client, key):
    assert create(ada_client, key).status_code == 400


def test_secrets_are_kept_for_nobody(ada_client, shapes):
    path = "/api/v1/projects/shapes/invitations/"
    first = create(ada_client, path=path, role="viewer").json()
    again = create(ada_client, path=path, role="viewer").json()
    assert first["token"] and not again["token"] and first["id"] == again["id"]
    assert first["token"] not in KeptAnswer.objects.get().body
    assert Invitation.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_requests_at_once_with_one_key_do_it_once(shapes, ada):
    def send() -> tuple[int, int]:
        client = Client()
        client.force_login(ada)
        response = create(client, path="/api/v1/projects/", name="Trees")
        return response.status_code, response.json()["slug"]

    answers = run_at_once(*[send] * 4)
    assert set(answers) == {(201, "trees")}
    assert Project.objects.filter(name="Trees").count() == 1


def test_what_is_known_is_not_sent_anew(ada_client):
    first = ada_client.get(CONCEPTS)
    known = ada_client.get(CONCEPTS, headers={"If-None-Match": first["ETag"]})
    assert known.status_code == 304 and not known.content and known["ETag"] == first["ETag"]
    create(ada_client)
    changed = ada_client.get(CONCEPTS, headers={"If-None-Match": first["ETag"]})
    assert changed.status_code == 200 and changed["ETag"] != first["ETag"]


def test_a_concept_is_not_overwritten_or_deleted_unseen(ada_client):
    path = f"/api/v1/concepts/{create(ada_client).json()['id']}/"
    read = ada_client.get(path)["ETag"]
    body = {"definition": "Round, with a hole."}
    headers = {"If-Match": read}
    first = ada_client.patch(path, body, content_type=JSON, headers=headers)
    late = ada_client.patch(path, {"active": False}, content_type=JSON, headers=headers)
    assert (first.status_code, late.status_code) == (200, 412)
    assert ada_client.delete(path, headers=headers).status_code == 412
    current = {"If-Match": ada_client.get(path)["ETag"]}
    assert ada_client.delete(path, headers=current).status_code == 204


def test_a_guide_is_not_changed_unseen(ada_client, shapes):
    concept = shapes.concepts.get(name="circle")
    path = f"/api/v1/concepts/{concept.pk}/examples/"
    read = {"If-Match": ada_client.get(path)["ETag"]}
    tiles = [image.tiles.get(grid=1).pk for image in shapes.images.order_by("pk")[:2]]
    statuses = [
        ada_client.post(
            path, {"tile": tile, "kind": "yes"}, content_type=JSON, headers=read
        ).status_code
        for tile in tiles
    ]
    assert statuses == [201, 412]


@pytest.mark.parametrize(
    ("query", "status", "rows"),
    [("", 200, 2), ("?limit=1", 200, 1), ("?limit=200", 200, 2)]
    + [(f"?limit={bad}", 400, 0) for bad in ("0", "201", "-1", "x", "%00", "9" * 40, "")],
)
def test_a_page_has_as_many_rows_as_asked_for(ada_client, query, status, rows):
    response = ada_client.get(f"{CONCEPTS}{query}")
    assert response.status_code == status
    assert len(response.json().get("results", [])) == rows


def test_how_many_calls_are_left_is_said(ada_client, settings):
    settings.API_RATE = 3
    left = [ada_client.get(CONCEPTS) for _ in range(4)]
    assert [r.status_code for r in left] == [200, 200, 200, 429]
    assert [r["RateLimit"].split(";")[1] for r in left] == ["r=2", "r=1", "r=0", "r=0"]
    assert left[0]["RateLimit-Policy"] == '"calls";q=3;w=60'
    assert int(left[3]["Retry-After"]) > 0 and left[3].json()["code"] == "throttled"
