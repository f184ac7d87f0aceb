"""The OpenAPI schema tells what the API does."""

import pytest
from django.core.management import call_command


@pytest.mark.django_db
def test_the_schema_is_valid_and_complete(tmp_path):
    file = tmp_path / "schema.yml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(file))
    schema = file.read_text()
    for path in ("/challenges/{token}/answer/", "/projects/{slug}/agreement/", "/annotators/{id}/"):
        assert f"/api/v1{path}" in schema


@pytest.mark.django_db
def test_anybody_may_read_it(client):
    response = client.get("/api/schema/")
    assert response.status_code == 200 and b"openapi: 3" in response.content
