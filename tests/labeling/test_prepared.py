"""Prepared statements: one for each text, whatever its parameters."""

import os

import pytest
from django.db import IntegrityError, connection, transaction

from labeling import prepared
from labeling.models import Project

pytestmark = pytest.mark.django_db


def statements(text):
    """Return how often each prepared statement with that text was planned again."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT custom_plans FROM pg_prepared_statements WHERE statement LIKE %s", [f"%{text}%"]
        )
        return [count for (count,) in cursor.fetchall()]


@pytest.mark.skipif("THROUGH_PGBOUNCER" in os.environ, reason="nothing is prepared there")
def test_integers_of_all_sizes_share_one_plan():
    query = "SELECT id FROM labeling_tile WHERE id = %(tile)s AND 'one plan' <> ''"
    for tile in (1, 70_000, 5_000_000_000):
        assert prepared.fetch(query, {"tile": tile}) == []
    assert statements("one plan") == [0]


def test_a_statement_says_how_many_rows_it_wrote(shapes):
    query = "UPDATE labeling_project SET name = %s WHERE id = %s"
    assert prepared.execute(query, ["Ovals", shapes.pk]) == 1
    assert prepared.execute(query, ["Ovals", 0]) == 0
    assert Project.objects.get(pk=shapes.pk).name == "Ovals"


def test_errors_are_those_of_django(shapes):
    with pytest.raises(IntegrityError), transaction.atomic():
        prepared.execute("UPDATE labeling_project SET name = %s", [None])


def test_queries_are_logged(django_assert_num_queries):
    with django_assert_num_queries(1):
        prepared.fetch("SELECT %s::bigint", [1])


def test_it_works_where_nothing_may_be_prepared(monkeypatch):
    connection.ensure_connection()
    monkeypatch.setattr(connection.connection, "prepare_threshold", None)
    assert prepared.fetch("SELECT %s::bigint, 'unprepared'", [1]) == [(1, "unprepared")]
    assert statements("unprepared") == []


def test_parameters_are_found_by_name_and_by_place():
    by_name = "SELECT %(a)s::int, %(b)s::int, %(a)s::int, 7 %% 4"
    assert prepared.fetch(by_name, {"b": 2, "a": 1}) == [(1, 2, 1, 3)]
    assert prepared.fetch("SELECT %s::int, %s::int, %s::text", [1, 2, "c"]) == [(1, 2, "c")]
