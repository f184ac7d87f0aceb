"""Tables are created as Django creates them, from models that are made once."""

from typing import Any

import pytest
from django.db import connection, migrations, models
from django.db.migrations.state import ProjectState

from labeling import first_migration

pytestmark = pytest.mark.django_db
KEY = [("id", models.BigAutoField(primary_key=True))]
OPERATIONS = [
    migrations.CreateModel("Nest", [*KEY, ("place", models.CharField(max_length=9, unique=True))]),
    migrations.CreateModel(
        "Egg",
        [
            *KEY,
            ("nest", models.ForeignKey("birds.Nest", models.CASCADE)),
            ("laid", models.DateField()),
        ],
        {"indexes": [models.Index(fields=["laid"], name="egg_laid")]},
    ),
    migrations.AddField("Nest", "first", models.ForeignKey("birds.Egg", models.CASCADE, null=True)),
]


def apply(
    kind: type[migrations.Migration], operations: list[Any]
) -> tuple[list[str], ProjectState]:
    """Return the SQL of a migration with these operations, and the state after it."""
    migration = kind("0001_initial", "birds")
    migration.operations = operations
    editor = connection.schema_editor(collect_sql=True)
    with editor:
        state = migration.apply(ProjectState(), editor)
    return list(map(str, editor.collected_sql)), state


def test_the_tables_are_those_that_django_creates():
    expected, state = apply(migrations.Migration, OPERATIONS)
    statements, own_state = apply(first_migration.Migration, OPERATIONS)
    assert sorted(statements) == sorted(expected) and len(statements) > 5
    assert own_state == state


def test_no_table_makes_the_models_of_those_before_it_again(monkeypatch):
    monkeypatch.delattr(ProjectState, "reload_model")
    monkeypatch.delattr(ProjectState, "reload_models")
    made = []
    make = ProjectState.apps.func
    monkeypatch.setattr(ProjectState.apps, "func", lambda state: made.append(state) or make(state))
    apply(first_migration.Migration, OPERATIONS[:2])
    assert len(made) == 1
