"""The accounts of `make chaos` notice an answer that was lost, doubled or changed."""

import json
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from labeling.models import Answer, Challenge
from tests.chaos import accounts
from tests.chaos.scenarios import Watch

CHALLENGES = "/api/v1/challenges/"
NOTHING: Any = SimpleNamespace(runs=[], snapshots=[], exports=[])


@pytest.fixture
def entry(client, shapes, known_tiles) -> dict[str, Any]:
    """Answer a challenge over HTTP; return what is in the book of whoever did."""
    wanted = {"project": "shapes", "kind": "grid"}
    shown = client.post(CHALLENGES, wanted, content_type="application/json").json()
    Challenge.objects.update(created_at=timezone.now() - timedelta(seconds=9))
    body = {"selected": [2, 5], "seconds": 2.0}
    address = f"{CHALLENGES}{shown['token']}/answer/"
    assert client.post(address, body, content_type="application/json").status_code == 200
    id = shown["token"].partition(".")[0]
    return {"event": "acknowledged", "at": 0.0, "challenge": id, "selected": [2, 5], "tiles": 9}


@pytest.fixture
def settled(tmp_path: Path):
    """Return how to settle the accounts of a book."""

    def settle(*entries: dict[str, Any]) -> list[str]:
        book = tmp_path / "book.jsonl"
        book.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
        return accounts.settle(Watch(book), NOTHING)

    return settle


def test_what_was_acknowledged_and_is_there_is_no_problem(entry, settled):
    refused = {**entry, "event": "refused", "challenge": "0" * 32, "body": {"code": "expired"}}
    assert settled(entry, refused) == []


def test_an_answer_that_was_lost_is_noticed(entry, settled):
    last = Answer.objects.latest("pk")
    last.delete()
    (problem,) = settled(entry)
    assert "8 answers of 9" in problem
    Answer.objects.all().delete()
    Challenge.objects.all().delete()
    assert settled(entry) == [f"Challenge {entry['challenge']} is not there"]


def test_an_answer_that_was_doubled_is_noticed(entry, settled, monkeypatch):
    last = Answer.objects.latest("pk")
    last.pk, last.question = None, Answer.objects.earliest("pk").question
    annotator = type(last.annotator).objects.create()
    last.annotator = annotator  # the database lets nobody answer a question twice
    last.save(force_insert=True)
    (problem,) = settled(entry)
    assert "10 answers of 9" in problem
    last.delete()
    assert settled(entry, entry) == [f"Challenge {entry['challenge']} was acknowledged twice"]


def test_an_answer_that_was_changed_is_noticed(entry, settled):
    assert "not those that were given" in settled({**entry, "selected": [2, 6]})[0]
