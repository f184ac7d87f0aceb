"""Copies of a project that was made once: its rows with ids of their own, and its pictures.

The rows are made by the product's own code the first time, and are copied within the database after
that, which takes a tenth of the time. Models are imported inside, as in `tests.cast`.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

if TYPE_CHECKING:
    from django.db.models import Model

    from labeling.decoding import Picture
    from labeling.models import Project

Row = dict[str, Any]


class ProjectCopier:
    """The rows and the pictures of a project, to be made again at any time."""

    def __init__(self, project: "Project", pictures: Sequence["Picture"]) -> None:
        from django.utils import timezone

        self._pictures = pictures
        self._made_at = timezone.now()
        self._rows = {model: _rows(model, project, path) for model, path in _paths().items()}

    def copy(self) -> "Project":
        """Store the project again; return it. Its ids are new, its times as long ago as then."""
        from django.utils import timezone

        from labeling.models import Project

        elapsed = timezone.now() - self._made_at
        shifts: dict[type[Model], int] = {}
        with transaction.atomic():
            for model, rows in self._rows.items():
                first, last = rows[0]["id"], rows[-1]["id"]
                shifts[model] = _reserve(model, last - first + 1) - first
                _insert(model, [_moved(model, row, shifts, elapsed) for row in rows])
            self._write()
        return Project.objects.get(pk=self._rows[Project][0]["id"] + shifts[Project])

    def _write(self) -> None:
        from labeling.images import files

        files.hold()
        for picture in self._pictures:
            files.write_many([picture])


def _paths() -> "dict[type[Model], str]":
    """Return the models of the rows, each after those it refers to, with the way to the project."""
    from labeling.models import Concept, Image, Pool, Project, Question, Tile

    return {
        Project: "pk",
        Concept: "project",
        Image: "project",
        Tile: "image__project",
        Question: "project",
        Pool: "concept__project",
    }


def _rows(model: "type[Model]", project: "Project", path: str) -> list[Row]:
    """Return a model's rows of a project, by id, as the database writes them."""
    ids = list(model._default_manager.filter(**{path: project.pk}).values_list("pk", flat=True))
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT json_agg(row ORDER BY row.id)::text FROM {table} AS row WHERE id = ANY(%s)",
            [ids],
        )
        rows: list[Row] = json.loads(cursor.fetchone()[0])
    return rows


def _reserve(model: "type[Model]", count: int) -> int:
    """Return the first of so many ids that nobody else will use."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT setval(name, nextval(name) + %s) FROM pg_get_serial_sequence(%s, 'id') AS name",
            [count - 1, model._meta.db_table],
        )
        return int(cursor.fetchone()[0]) - count + 1


def _moved(
    model: "type[Model]", row: Row, shifts: "dict[type[Model], int]", elapsed: timedelta
) -> Row:
    """Return a row with the ids of the copy, its own and those it refers to, at later times."""
    from django.db.models import DateTimeField

    moved = dict(row)
    for field in model._meta.local_fields:
        value = row[field.column]
        if value is None:
            continue
        if field.primary_key:
            moved[field.column] = value + shifts[model]
        elif field.related_model in shifts:
            moved[field.column] = value + shifts[field.related_model]
        elif isinstance(field, DateTimeField):
            moved[field.column] = (datetime.fromisoformat(value) + elapsed).isoformat()
    return moved


def _insert(model: "type[Model]", rows: list[Row]) -> None:
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} SELECT * FROM json_populate_recordset(NULL::{table}, %s)",
            [json.dumps(rows)],
        )
