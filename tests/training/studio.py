"""A model whose samples a stand-in generates, and requests for them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from labeling import stored_folders
from training import generators, run_folders
from training.models import Model, Run

if TYPE_CHECKING:
    from django.test import Client

    from labeling.models import Snapshot

ADDRESS = "/api/v1/generations/"


def make_model(
    snapshot: Snapshot,
    *,
    recipe: str,
    current: bool = True,
    config: dict[str, object] | None = None,
    **fields: object,
) -> Model:
    """Make a model with a folder in the storage that holds its config and nothing else."""
    run = Run.objects.create(project=snapshot.project, snapshot=snapshot, recipe=recipe)
    run.folder = run_folders.name_of(run)
    run.save(update_fields=["folder"])
    stored = {"folder": run_folders.model_name_of(run)}
    store({"model/config.json": json.dumps(config or {})}, name=run.folder)
    store({"config.json": json.dumps(config or {})}, name=stored["folder"])
    return Model.objects.create(
        project=snapshot.project, run=run, recipe=recipe, current=current, **stored | fields
    )


def store(files: dict[str, str | bytes], *, name: str) -> None:
    """Put files into a folder of the storage, beside those that are there."""
    folder = stored_folders.working(name)
    for file, content in files.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    stored_folders.put(folder, name)


def lose(row: Model | Snapshot) -> None:
    """Have the storage lose the folder of a row."""
    stored_folders.delete(row.folder)


def make_quick(model: Model) -> None:
    """Have the model's folder say that it draws in one call."""
    store({"config.json": json.dumps({"network": {"one_call_steps": 600}})}, name=model.folder)
    generators.has_student.cache_clear()


def request(client: Client, **fields: object) -> dict[str, object]:
    response = client.post(ADDRESS, fields, content_type="application/json")
    return {"status": response.status_code} | response.json()
