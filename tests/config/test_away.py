"""While the database is away, a request is answered with a sentence, and sent again."""

import json

import psycopg
import pytest
from django.db import DatabaseError, InterfaceError, OperationalError

from labeling import challenges, project_stats
from labeling.database_errors import is_away


def _error(code: str | None) -> OperationalError:
    """Return what Django raises for an error of the driver's."""
    error = OperationalError("server conn crashed?\nCONTEXT: a secret")
    error.__cause__ = psycopg.errors.lookup(code)() if code else psycopg.OperationalError()
    return error


@pytest.mark.parametrize("code", [None, "08006", "08P01", "57P01", "53100", "53300"])
def test_what_a_little_later_may_succeed(code):
    assert is_away(_error(code))


def test_what_will_not():
    assert not is_away(_error("57014")), "a query that took too long"
    assert not is_away(DatabaseError())
    assert is_away(InterfaceError("the connection is closed"))


def test_an_answer_is_to_be_sent_again(client, shapes, monkeypatch, caplog):
    def issue(**options):
        raise _error("57P01")

    monkeypatch.setattr(challenges, "issue", issue)
    body = json.dumps({"project": shapes.slug})
    answer = client.post("/api/v1/challenges/", body, content_type="application/json")
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert answer.json()["code"] == "database_away"
    assert "Try again in a few seconds" in answer.json()["detail"]
    assert "secret" not in answer.content.decode() + caplog.text


def test_a_page_says_so_and_looks_nobody_up(admin_client, shapes, monkeypatch):
    def fail(*arguments, **options):
        raise _error(None)

    monkeypatch.setattr(project_stats, "follow_changes", fail)
    answer = admin_client.get(f"/projects/{shapes.slug}/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert "Try again" in answer.content.decode()


def test_another_error_is_noted(admin_client, shapes, monkeypatch):
    def fail(*arguments, **options):
        raise _error("57014")

    monkeypatch.setattr(project_stats, "follow_changes", fail)
    with pytest.raises(OperationalError):
        admin_client.get(f"/projects/{shapes.slug}/")
