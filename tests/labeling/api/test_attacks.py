"""What a hostile program sends, with a token of its own, and what it gets of others."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from labeling import tokens
from labeling.models import Concept, DecisionBatch, Import, Project, Question, Scope, Snapshot
from tests.cast import member

pytestmark = pytest.mark.django_db
API = "/api/v1/"
JSON = "application/json"


@pytest.fixture
def mine(db) -> tuple[Project, Client]:
    """A project of the attacker, who owns it, and their browser."""
    project = Project.objects.create(slug="mine", name="Mine", state="open")
    Concept.objects.create(project=project, name="ring", phrase="a ring", prevalence=0.5)
    return project, member(project, User.objects.create_user("mallory the owner"), "owner")


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "a", "name": "b"}',
        b'{"name": "a", "\\u0000": 1}',
        b'{"name": "a", "value": 1e999}',
        b'{"name": "a", "value": Infinity}',
        b'{"name": "a", "value": ' + b"9" * 5000 + b"}",
        b'{"name": "\xff"}',
        b'\xef\xbb\xbf{"name": "a"}',
        '{"name": "a"}'.encode("utf-16"),
        b'{"name": 5}',
        b'{"name": ["a"]}',
        b'{"name": "a", "active": "true"}',
        b'{"name": "a", "value": "5"}',
        b'{"name": "a", "aliases": "b"}',
        b'{"name": "a", "aliases": [5]}',
        b'{"name": "a", "project": "shapes"}',
        b'{"name": "a", "prevalence": 1}',
        b'{"name": "a", "id": 1}',
    ],
)
def test_what_is_not_what_is_declared_makes_nothing(mine, body):
    project, client = mine
    response = client.post(f"{API}projects/mine/concepts/", body, content_type=JSON)
    assert response.status_code == 400 and response.json()["code"] == "invalid"
    assert project.concepts.count() == 1


@pytest.mark.parametrize("text", ["\x00", "\ud800"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("runs/", {"project": "mine", "recipe": "diffusion", "options": {"steps": "TEXT"}}),
        ("runs/", {"project": "mine", "recipe": "diffusion", "options": {"a": {"b": ["TEXT"]}}}),
        ("runs/", {"project": "mine", "recipe": "TEXT"}),
        ("projects/mine/exports/", {"snapshot": 1, "format": "coco", "options": {"x": "TEXT"}}),
        ("projects/mine/comments/", {"question": 1, "text": "TEXT"}),
    ],
)
def test_characters_that_cannot_be_stored_are_refused(mine, path, body, text):
    import json

    sent = json.dumps(body).replace("TEXT", json.dumps(text)[1:-1])
    response = mine[1].post(API + path, sent, content_type=JSON)
    assert response.status_code in (400, 404), response.content


def test_nothing_of_another_project_is_reached_through_ones_own(mine, ids, shapes):
    """Each of these is permitted in the attacker's project; the rows named are of another one."""
    project, client = mine
    ring = project.concepts.get()
    image, tile, question = ids["image"], ids["tile"], ids["question"]
    theirs = Concept.objects.get(pk=ids["concept"])
    before = {
        model: list(model.objects.order_by("pk").values())
        for model in (Question, Concept, Import, Snapshot, DecisionBatch)
    }
    attacks = [
        ("post", f"concepts/{ring.pk}/merge/", {"into": theirs.pk}),
        ("post", f"concepts/{ring.pk}/examples/", {"tile": tile, "kind": "yes"}),
        ("delete", f"concepts/{ring.pk}/examples/{ids['example']}/", None),
        ("get", f"projects/mine/examples/{ids['example']}/picture/", None),
        ("get", f"projects/mine/concepts/{theirs.pk}/guide/", None),
        ("post", "projects/mine/questions/", {"image": image, "concept": "ring", "value": True}),
        ("post", "projects/mine/questions/", {"tile": tile, "concept": "ring", "value": True}),
        ("post", "projects/mine/gold/", {"tile": tile, "concept": "ring", "value": True}),
        ("delete", f"projects/mine/gold/?tile={tile}&concept=ring", None),
        (
            "post",
            "projects/mine/gold/replace/",
            {"tile": tile, "concept": "ring", "value": True, "old": question},
        ),
        (
            "post",
            "projects/mine/gold/rectangles/",
            {"image": image, "concept": "ring", "rectangles": []},
        ),
        ("post", f"projects/mine/decisions/{ids['batch']}/undo/", None),
        ("post", "projects/mine/comments/", {"question": question, "text": "Mine."}),
        ("post", "projects/mine/skips/resolve/", {"tile": tile}),
        ("post", "projects/mine/images/remove/", {"images": [image], "reason": "Mine."}),
        ("post", "projects/mine/exports/", {"snapshot": ids["snapshot"], "format": "coco"}),
        ("get", f"projects/mine/annotators/{ids['annotator']}/", None),
        ("post", f"projects/mine/annotators/{ids['annotator']}/block/", None),
        ("post", "runs/", {"snapshot": ids["snapshot"], "recipe": "diffusion"}),
        ("post", "runs/", {"project": "shapes", "recipe": "diffusion"}),
        ("get", f"projects/mine/comparison/?model={ids['model']}&other={ids['model']}", None),
        ("get", f"projects/mine/outlook/?snapshot={ids['snapshot']}", None),
        ("get", f"lineage/?picture={image}", None),
        ("get", f"images/{image}/labels/?tile={tile}", None),
    ]
    for method, path, body in attacks:
        response = getattr(client, method)(API + path, body, content_type=JSON)
        assert response.status_code in (400, 404, 409), (method, path, response.status_code)
    decided = client.post(
        f"{API}projects/mine/decisions/",
        {"decision": "yes", "questions": [{"question": question}]},
        content_type=JSON,
    )
    assert decided.status_code in (404, 409) or decided.json()["changed"] == 0
    for path in (f"answers/?question={question}", f"questions/?tile={tile}", "images/?q=circle"):
        assert client.get(f"{API}projects/mine/{path}").json()["results"] == []
    assert before == {model: list(model.objects.order_by("pk").values()) for model in before}


def test_a_token_is_read_from_its_header_alone(olga, client):
    _token, secret = tokens.make(user=olga, name="script", scopes=Scope.values)
    path = f"{API}me/tokens/"
    assert client.get(path, headers={"Authorization": f"Bearer {secret}"}).status_code == 200
    for name in ("token", "access_token", "bearer"):
        assert client.get(path, {name: secret}).status_code == 401
    client.cookies["token"] = secret
    assert client.get(path).status_code == 401
    for header in (
        f"Token {secret}",
        f"Bearer {secret} {secret}",
        f"Bearer {secret[:-1]}",
        "Bearer",
    ):
        assert client.get(path, headers={"Authorization": header}).status_code == 401


def test_a_session_changes_nothing_without_the_csrf_token_and_a_token_needs_none(shapes, olga):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(olga)
    body, path = {"name": "ring"}, f"{API}projects/shapes/concepts/"
    assert browser.post(path, body, content_type=JSON).status_code == 403
    _token, secret = tokens.make(user=olga, name="script", scopes=Scope.values)
    program = Client(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {secret}"})
    assert program.post(path, body, content_type=JSON).status_code == 201


def test_a_version_is_matched_by_any_of_several_and_a_star_is_any(ada_client, shapes):
    path = f"{API}projects/shapes/"
    etag = ada_client.get(path)["ETag"]

    def change(match: str, text: str) -> int:
        headers = {"If-Match": match}
        body = {"description": text}
        return ada_client.patch(path, body, content_type=JSON, headers=headers).status_code

    assert change(f'"0-x", {etag}', "First.") == 200
    assert change(etag, "Late.") == 412
    assert change("*", "Any.") == 200
    assert change("nonsense", "Nonsense.") == 412
    assert ada_client.head(path)["ETag"].startswith('"')
