"""The commands of docs/api.md do what the page says, and a client made from the document works."""

import json
import os
import re
import subprocess
import typing
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from labeling import tokens
from labeling.models import Concept, Project, Scope, Webhook
from tests.cast import allow
from tests.labeling.api import client_maker

PAGE = Path(__file__).parents[3] / "docs" / "api.md"


@pytest.mark.django_db(transaction=True)
def test_the_commands_of_the_page_run(live_server, tmp_path, client):
    user = User.objects.create_user("carol")
    allow(user, "add_project")
    _token, secret = tokens.make(user=user, name="docs", scopes=Scope.values)
    blocks = re.findall("```sh\n(.*?)```", PAGE.read_text(), re.S)
    script = "set -eu\n" + "\n".join(block + "echo" for block in blocks)
    script = re.sub("^api=.*$", f"api={live_server.url}/api/v1", script, flags=re.M)
    ran = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, "TOKEN": secret},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
    )
    assert ran.returncode == 0, ran.stderr
    assert "}412\n" in ran.stdout, ran.stdout
    assert "Es gibt kein" in ran.stdout or '"code":"invalid"' in ran.stdout
    assert Project.objects.get().description == "Birds of the lake."
    assert set(Concept.objects.values_list("name", flat=True)) == {"heron", "swan", "reed"}
    assert Webhook.objects.get().events == ["label.settled", "snapshot.ready"]


@pytest.mark.django_db(transaction=True)
def test_a_client_made_from_the_document_works(live_server, shapes, olga, document):
    """It has a typed method for each operation, and meets the server on its own terms."""
    source = client_maker.make(json.loads(json.dumps(document, default=str)))
    made: dict = {}
    exec(compile(source, "client.py", "exec"), made)
    _token, secret = tokens.make(user=olga, name="client", scopes=Scope.values)
    api = made["Client"](live_server.url, secret)
    assert [row["slug"] for row in api.projects_list(limit=1)["results"]] == ["shapes"]
    ring = api.concepts_create("shapes", {"name": "ring", "aliases": ["hoop"]})
    changed = api.concepts_change(ring["id"], {"definition": "Round, with a hole."})
    assert changed["definition"] == "Round, with a hole." and changed["aliases"] == ["hoop"]
    names = [row["name"] for row in api.concepts_list("shapes")["results"]]
    assert names == ["circle", "square", "ring"]
    image = api.images_list("shapes", limit=1)["results"][0]["id"]
    labels = api.images_labels(image)["results"]
    assert {row["name"] for row in labels} == set(names)
    assert api.concepts_delete(ring["id"]) is None
    with pytest.raises(made["Problem"]) as problem:
        api.concepts_detail(ring["id"])
    assert (problem.value.code, problem.value.status) == ("not_found", 404)
    assert typing.get_type_hints(api.concepts_create, made)["return"] is made["ConceptOut"]
