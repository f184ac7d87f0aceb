"""Behind a pooler nothing is asked of a session, which the next transaction may not have."""

import os
from collections.abc import Iterator
from contextlib import closing

import pytest
from django.db import connection, transaction
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool

from config.postgresql import base
from config.postgresql.base import DatabaseWrapper
from labeling import prepared
from labeling.models import Project

pytestmark = pytest.mark.django_db(transaction=True)
directly = pytest.mark.skipif("THROUGH_PGBOUNCER" in os.environ, reason="of no pooler")


@pytest.fixture
def own(monkeypatch):
    """A new connection, which a pooler has told another process id than PostgreSQL's."""
    monkeypatch.setattr("psycopg.ConnectionInfo.backend_pid", 7)
    own = connection.copy()
    own.connect()
    yield own
    own.close()


@pytest.fixture
def pooled(monkeypatch) -> Iterator[DatabaseWrapper]:
    """A connection of a pool, as web processes have them; the pool is the test's own."""
    monkeypatch.setattr(DatabaseWrapper, "_connection_pools", {})
    pooled = connection.copy()
    pooled.settings_dict["OPTIONS"] |= {"pool": {"min_size": 1, "max_size": 1}}
    pooled.settings_dict |= {"CONN_HEALTH_CHECKS": True, "CONN_MAX_AGE": 0}
    yield pooled
    pooled.close()
    pooled.close_pool()


def test_a_connection_that_worked_a_moment_ago_is_asked_nothing(pooled, monkeypatch):
    asked = []
    monkeypatch.setattr(ConnectionPool, "check_connection", asked.append)
    for _ in range(3):
        pooled.ensure_connection()
        pooled.close()
    assert len(asked) == 1
    monkeypatch.setattr(base, "ASKED_EVERY", 0.0)
    pooled.ensure_connection()
    assert len(asked) == 2


@directly
def test_a_connection_that_the_server_closed_is_replaced(pooled):
    with pooled.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        ((first,),) = cursor.fetchall()
    pooled.close()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [first])
    with pooled.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        assert cursor.fetchall() != [(first,)]


@directly
def test_a_direct_connection_prepares_and_keeps_one_plan(settings):
    connection.ensure_connection()
    assert isinstance(connection.connection.prepare_threshold, int)
    assert prepared.fetch("SHOW plan_cache_mode", []) == [("force_generic_plan",)]


def test_behind_a_pooler_nothing_is_prepared_or_set(own):
    assert own.connection.prepare_threshold is None
    with own.cursor() as cursor:
        cursor.execute("SHOW plan_cache_mode")
        assert cursor.fetchone() == ("auto",)


def test_a_pooler_that_follows_prepared_statements_may_be_trusted(own, settings):
    settings.DATABASE_PREPARE = True
    own.close()
    own.connect()
    assert own.connection.prepare_threshold == 0


def test_behind_a_pooler_a_cursor_on_the_server_lives_within_a_transaction(own: DatabaseWrapper):
    with closing(own.chunked_cursor()) as cursor:
        assert cursor.name
        cursor.execute("SELECT generate_series(1, 5)")
        assert cursor.fetchmany(2) == [(1,), (2,)]
        assert cursor.db is not own and cursor.db.in_atomic_block is False
        assert own.get_autocommit()
        assert cursor.connection.info.transaction_status == TransactionStatus.INTRANS
    assert cursor.db.connection is None
    own.set_autocommit(False)
    with own.chunked_cursor() as cursor:
        assert cursor.name and cursor.db is own
    own.rollback()


def test_rows_are_read_in_chunks_within_a_transaction():
    Project.objects.create(slug="garden", name="Garden")
    with transaction.atomic():
        assert [each.slug for each in Project.objects.iterator(chunk_size=1)] == ["garden"]
