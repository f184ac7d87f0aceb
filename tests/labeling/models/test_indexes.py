"""An index that PostgreSQL may not be able to have is left out, and nothing else with it."""

import pytest
from django.db import connection

from labeling.models import Image, indexes
from labeling.models.indexes import TrigramIndex

pytestmark = pytest.mark.django_db


def indexes_of_pictures() -> set[str]:
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, Image._meta.db_table)
    return {name for name, constraint in constraints.items() if constraint["index"]}


def add(name: str) -> None:
    with connection.schema_editor() as editor:
        editor.add_index(Image, TrigramIndex("source", name=name))


def test_parts_of_paths_have_an_index_where_the_extension_is_to_be_had():
    add("as_another")
    assert {"image_source", "as_another"} <= indexes_of_pictures()


def test_without_the_extension_the_tables_are_made_all_the_same(monkeypatch):
    without = indexes._CREATE.replace("pg_trgm", "no_such_extension")
    monkeypatch.setattr(indexes, "_CREATE", without)
    add("left_out")
    assert "left_out" not in indexes_of_pictures()
