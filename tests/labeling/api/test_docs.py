"""The commands of docs/api.md do what the page says, and a client made from the document works."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from labeling import tokens
from labeling.models import Concept, Project, Scope, Webhook
from tests.cast import allow

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
    assert "\n412\n" in ran.stdout, ran.stdout
    assert "Es gibt kein" in ran.stdout or '"code":"invalid"' in ran.stdout
    assert Project.objects.get().description == "Birds of the lake."
    assert set(Concept.objects.values_list("name", flat=True)) == {"heron", "swan", "reed"}
    assert Webhook.objects.get().events == ["label.settled", "snapshot.ready"]
