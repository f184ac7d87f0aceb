"""Below /api/ every answer is JSON, whatever is sent, and nothing is ever a server error."""

import re
from itertools import count
from urllib.parse import unquote

import pytest
from django.test import Client
from django.urls import Resolver404, resolve
from rest_framework.views import APIView

from tests.labeling.api.endpoints import API, ENDPOINTS, METHODS, READABLE, WRITES

pytestmark = pytest.mark.django_db
MALFORMED_IDS = ["0", "-1", "nonsense", "9" * 40, "%00", "%F0%9F%92%A9", "a%20b", "x" * 3000]
UNREADABLE_BODIES = [b"{", b"\xff\xfe", b"[" * 10_000]
WRONG_BODIES = [b"[]", b"7", b"null"]
WRONG_KINDS = ["text/html", "multipart/form-data", "x" * 300, ""]
PROBLEM = {"type", "title", "status", "code", "detail"}
PROBLEM_TYPE = "application/problem+json"


@pytest.fixture
def anonymous() -> Client:
    return Client(raise_request_exception=False)


@pytest.fixture
def ada_client(ada) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(ada)
    return client


@pytest.fixture
def documented(document) -> dict[str, set[str]]:
    """The statuses of each operation that the OpenAPI document names, by method and path."""
    return {
        f"{method} {re.sub(r'{[^}]*}', '[^/]*', path)}": set(operation["responses"])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def check(response, what: object) -> None:
    """It is JSON, a picture or a table, and an error is a word and a sentence."""
    assert response.status_code < 500, (what, response.content)
    if response.status_code == 204:
        return
    kind = response["Content-Type"]
    file = kind in {"text/csv", "application/zip"} or "image/" in kind
    json = PROBLEM_TYPE if response.status_code >= 400 else "application/json"
    assert kind == json or (response.status_code == 200 and file), what
    if response.status_code >= 400:
        body = response.json()
        assert set(body) == PROBLEM and body["status"] == response.status_code, what
        assert all(body.values()), what
        assert "<" not in body["detail"], what


def check_documented(response, method: str, path: str, documented) -> None:
    statuses = [
        statuses
        for name, statuses in documented.items()
        if re.fullmatch(name, f"{method} {path.partition('?')[0]}")
    ]
    assert any(str(response.status_code) in known for known in statuses), (
        f"{method} {path} answers {response.status_code}, which the document does not name"
    )


def test_options_are_answered(ids, ada_client, anonymous):
    for client in (ada_client, anonymous):
        for endpoint in ENDPOINTS:
            response = client.options(API + endpoint.path.format(**ids))
            check(response, endpoint)
            assert response.status_code in (200, 401), endpoint


def view_of(path: str) -> type[APIView] | None:
    """Return the view of an address, where it is one."""
    try:
        return resolve(unquote(path)).func.view_class
    except Resolver404:
        return None


def in_turn(cases: list, turn: int) -> list:
    """Return one of several cases that any address answers by the same lines."""
    return [cases[turn % len(cases)]]


def test_other_methods_are_refused(ids, ada_client):
    """No view has a method besides, and each is sent one that it has not."""
    for turn, endpoint in enumerate(ENDPOINTS):
        path = API + endpoint.path.format(**ids)
        others = sorted({*METHODS, "put", "trace"} - endpoint.methods)
        assert not [method for method in others if hasattr(view_of(path), method)], endpoint
        for method in in_turn(others, turn):
            response = getattr(ada_client, method)(path)
            check(response, (method, endpoint))
            assert response.status_code == 405, (method, endpoint)


def test_malformed_ids_are_not_found(ids, ada_client, documented):
    """Of those that make no address, each place of an id is sent one."""
    turns = count()
    for endpoint in ENDPOINTS:
        method = next(name for name in METHODS if name in endpoint.methods)
        for name in re.findall("{(.*?)}", endpoint.path):
            paths = [API + endpoint.path.format(**{**ids, name: each}) for each in MALFORMED_IDS]
            nowhere = [path for path in paths if view_of(path) is None]
            sent = [path for path in paths if path not in nowhere]
            for path in [*sent, *(in_turn(nowhere, next(turns)) if nowhere else [])]:
                response = getattr(ada_client, method)(path)
                check(response, path)
                assert response.status_code == (403 if name == "token" else 404), path
                if name == "token":
                    check_documented(response, method, path, documented)


def test_malformed_numbers_of_pictures_are_not_found(ids, ada_client):
    for endpoint in READABLE:
        if not re.search("/1/", endpoint.path):
            continue
        for malformed in ("0", "-1", "x", "9" * 40):
            path = re.sub("/1/", f"/{malformed}/", endpoint.path)
            response = ada_client.get(API + path.format(**ids))
            check(response, path)
            assert response.status_code in (403, 404), path


def test_broken_bodies_are_refused_or_not_read(ids, ada_client, documented):
    """Views that read with the usual parsers are sent what these refuse in turn."""
    for turn, (method, template, _) in enumerate(WRITES):
        path = API + template.format(**ids)
        unreadable, kinds = UNREADABLE_BODIES, WRONG_KINDS
        if view_of(path).parser_classes == APIView.parser_classes:
            unreadable, kinds = in_turn(unreadable, turn), in_turn(kinds, turn)
        for body in [*WRONG_BODIES, *unreadable]:
            response = ada_client.generic(method.upper(), path, body, "application/json")
            check(response, (path, body))
            check_documented(response, method, path, documented)
        for kind in kinds:
            response = ada_client.generic(method.upper(), path, b"<form>", kind)
            check(response, (path, kind))
            check_documented(response, method, path, documented)


def test_strange_queries_are_refused_or_ignored(ids, ada_client, documented):
    for endpoint in READABLE:
        for query in ("cursor=%00", "cursor=x", "format=html", "state=%00", "project=%ED%A0%80"):
            path = f"{API}{endpoint.path.format(**ids)}?{query}"
            response = ada_client.get(path)
            b"".join(response)  # which closes a file that is sent
            check(response, path)


def test_a_picture_comes_however_it_is_asked_for(ids, anonymous):
    path = f"{API}challenges/{ids['token']}/tiles/1/"
    response = anonymous.get(path, headers={"accept": "image/webp"})
    check(response, path)
    assert response.status_code == 403 and response.json()["code"] == "foreign"


def test_a_wrong_token_is_named(ids, anonymous, documented):
    headers = {"authorization": "Bearer wrong"}
    for endpoint in ENDPOINTS:
        method = next(name for name in METHODS if name in endpoint.methods)
        path = API + endpoint.path.format(**ids)
        response = getattr(anonymous, method)(path, headers=headers)
        check(response, endpoint)
        if response.status_code == 401:
            assert response.json()["code"] == "not_authenticated"
            check_documented(response, method, path, documented)


@pytest.mark.parametrize(
    "path", ["/api/nothing/", "/api/v1/", "/api/v2/runs/", "/api/v1/nothing/%00/"]
)
def test_unknown_paths_are_not_found(anonymous, path):
    for method in ("get", "post", "delete", "options"):
        response = getattr(anonymous, method)(path)
        check(response, path)
        assert response.status_code == 404 and response.json()["code"] == "not_found"


def test_the_document_itself_refuses_in_json_too(anonymous):
    for response in (
        anonymous.post("/api/schema/"),
        anonymous.get("/api/schema/?format=html"),
        anonymous.get("/api/schema/", headers={"accept": "text/html"}),
        anonymous.get("/api/schema/", headers={"authorization": "Bearer wrong"}),
    ):
        check(response, response.request)
        assert response.status_code >= 400


def test_what_the_server_refuses_by_itself_is_json(anonymous):
    response = anonymous.get(f"{API}projects/", headers={"host": "evil.example"})
    check(response, "host")
    assert response.status_code == 400 and response.json()["code"] == "invalid"


def test_a_failure_of_the_server_is_json_below_api_and_a_page_elsewhere(
    anonymous, monkeypatch, shapes
):
    def fail(**_):
        raise RuntimeError("boom")

    monkeypatch.setattr("labeling.progress.measure", fail)
    response = anonymous.get(f"{API}projects/")
    assert response.status_code == 500 and response.json()["code"] == "error"
    assert "boom" not in response.json()["detail"]
    assert anonymous.get("/")["Content-Type"].startswith("text/html")
