"""A model whose samples a stand-in generates, and requests for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from training import generators
from training.models import Model, Run

if TYPE_CHECKING:
    from django.test import Client

    from labeling.models import Snapshot

ADDRESS = "/api/v1/generations/"


def make_model(snapshot: Snapshot, folder: Path, *, recipe: str, current: bool = True) -> Model:
    (folder / "config.json").write_text("{}")
    run = Run.objects.create(project=snapshot.project, snapshot=snapshot, recipe=recipe)
    return Model.objects.create(
        project=snapshot.project, run=run, recipe=recipe, folder=str(folder), current=current
    )


def make_quick(model: Model) -> None:
    """Have the model's folder say that it draws in one call."""
    config = json.dumps({"network": {"one_call_steps": 600}})
    Path(model.folder, "config.json").write_text(config)
    generators.has_student.cache_clear()


def request(client: Client, **fields: object) -> dict[str, object]:
    response = client.post(ADDRESS, fields, content_type="application/json")
    return {"status": response.status_code} | response.json()
