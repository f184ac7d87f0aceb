"""What the studio page shows, and what it costs the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from training import runs
from training.models import Model, Run

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.test import Client

    from labeling.models import Project, Snapshot


def test_the_page_says_what_to_do_where_there_is_no_model(
    client: Client, ada: User, shapes: Project
) -> None:
    page = client.get("/draw/").content.decode()
    assert "Nothing can be drawn yet" in page and "Train a model" not in page
    client.force_login(ada)
    assert "Train a model" in client.get("/draw/").content.decode()


def test_members_draw_with_a_trial_where_there_is_nothing_else(
    client: Client, admin_client: Client, model: Model
) -> None:
    Run.objects.update(preset="smoke")
    assert "What shall it draw?" in admin_client.get("/draw/").text
    assert "Nothing can be drawn yet" in client.get("/draw/").text


@pytest.mark.parametrize("query", ["?model=4711", "?model=x", "?model=" + "9" * 99, "?project=%00"])
def test_a_wrong_choice_of_model_falls_back(client: Client, model: Model, query: str) -> None:
    assert "What shall it draw?" in client.get(f"/draw/{query}").content.decode()


def test_suggestions_are_what_the_project_knew_best_when_the_model_was_trained(
    client: Client, shapes: Project, snapshot: Snapshot
) -> None:
    circle, square = shapes.concepts.order_by("name")
    square.questions.update(probability=0.5)
    queued = Run.objects.create(project=shapes, snapshot=snapshot, recipe="diffusion")
    run = runs.acquire(run_id=queued.pk)
    assert run
    model = runs.succeed(run=run, metrics={})
    Model.objects.filter(pk=model.pk).update(current=True)
    assert model.suggestions == [circle.phrase]
    assert f'"suggestions": ["{circle.phrase}"]' in client.get("/draw/").content.decode()


def test_a_visit_reads_no_questions_however_many_there_are(client: Client, model: Model) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert client.get("/draw/").status_code == 200
    assert not [query["sql"] for query in queries if "labeling_question" in query["sql"]]
