"""A model whose samples a stand-in generates, and requests for them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

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


def request(client: Client, **fields: object) -> dict[str, object]:
    response = client.post(ADDRESS, fields, content_type="application/json")
    return {"status": response.status_code} | response.json()
