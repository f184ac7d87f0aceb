"""The OpenAPI document tells what the API does."""

import re

import pytest
from django.core.management import call_command

from tests.labeling.api.endpoints import API, ENDPOINTS

pytestmark = pytest.mark.django_db
PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def operations(document) -> dict[str, dict]:
    """Each operation by its method and path."""
    return {
        f"{method} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if path.startswith(API)
    }


def test_it_is_an_openapi_document_and_made_without_a_warning(tmp_path):
    file = tmp_path / "schema.yml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(file))
    assert "openapi: 3.1" in file.read_text()


def test_every_endpoint_is_in_it(document):
    def anonymous(path: str) -> str:
        return re.sub(r"\{[^}]*\}|(?<=/)[\d-]+(?=/)", "{}", path)

    expected = {
        f"{method} {anonymous(API + endpoint.path)}"
        for endpoint in ENDPOINTS
        for method in endpoint.methods
    }
    assert {anonymous(name) for name in operations(document)} == expected


def test_every_operation_is_named_by_what_it_is_about(document):
    """A name that is made from an address begins with the version."""
    names = [operation["operationId"] for operation in operations(document).values()]
    assert len(set(names)) == len(names)
    assert not [name for name in names if not re.fullmatch("(?!v1_)[a-z]+(_[a-z]+)*", name)]


def test_responses_are_told_by_status_and_media_type(document):
    for name, operation in operations(document).items():
        for status, response in operation["responses"].items():
            assert re.fullmatch("[2-5][0-9][0-9]", status), name
            for media_type in response.get("content", {}):
                assert re.fullmatch("(application|image|text)/[a-z+-]+", media_type), name


def test_every_error_is_told_as_one(document):
    for name, operation in operations(document).items():
        errors = {s: r for s, r in operation["responses"].items() if s >= "400"}
        assert {"401", "403", "429"} <= set(errors), name
        for response in errors.values():
            assert response["content"] == PROBLEM, name
            assert response["description"], name


def test_visitors_are_told_to_send_a_csrf_token(document):
    schemes = document["components"]["securitySchemes"]
    for name, operation in operations(document).items():
        if name.startswith(f"post {API}challenges/"):
            for requirement in operation["security"]:
                assert {"csrfCookie", "csrfHeader"} <= set(requirement) or "token" in requirement
                assert set(requirement) <= set(schemes), name


def test_anybody_may_read_it(client):
    response = client.get("/api/schema/")
    assert response.status_code == 200 and b"openapi: 3.1" in response.content
