"""A database without room, or away: what waits, what is said, and that nothing fails for good."""

from datetime import timedelta

import pytest
from django.db import Error, OperationalError, connection
from django.utils import timezone

from labeling import challenges, database_errors, jobs, lease, snapshots, tasks
from labeling.imports import runner
from labeling.models import Challenge, Project, Snapshot
from tests.labeling.full_database import DISK_FULL, READ_ONLY, SHUT_DOWN, STARTING, full, refuse
from tests.labeling.imports.uploading import upload
from tests.pictures import png

CHALLENGES = "/api/v1/challenges/"
FULL, AWAY = database_errors.FULL, database_errors.AWAY


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (DISK_FULL, FULL),
        (SHUT_DOWN, AWAY),
        (STARTING, AWAY),
        (READ_ONLY, AWAY),
        ("57014", ""),  # a query that was cancelled
        ("40P01", ""),  # a deadlock
        ("23505", ""),
    ],
)
def test_what_is_wrong_with_the_database_is_told_from_what_is_wrong_with_the_work(state, reason):
    with pytest.raises(Error) as raised:
        refuse(state)
    assert database_errors.why(raised.value) == reason


def test_a_lost_connection_is_no_fault_of_the_work():
    assert database_errors.why(OperationalError("the connection is closed")) == AWAY
    assert database_errors.why(ValueError("no number")) == "" == database_errors.why(None)


@pytest.fixture
def garden(db: None) -> Project:
    return Project.objects.create(state="open", slug="garden", name="Garden")


def test_a_job_waits_for_room_on_the_disk_of_the_database(garden, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(snapshots, "_write", full)
        snapshot = snapshots.freeze(project=garden)
    assert snapshot.status == f"waiting. {FULL}"
    assert (snapshot.attempts, list(jobs.waiting(Snapshot))) == (0, [])
    Snapshot.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert list(jobs.waiting(Snapshot)) == [snapshot]


def test_an_import_waits_for_room_on_the_disk_of_the_database(garden, carol, monkeypatch):
    files = {f"owl/{number}.png": png(number) for number in range(3)}
    record = upload(garden, carol, files, concepts=["owl"])
    for step in ("labeling.imports.jobs.prepare", "labeling.imports.jobs.begin",
                 "labeling.imports.jobs.take_part", "labeling.imports.jobs.finish"):  # fmt: skip
        with monkeypatch.context() as patch:
            patch.setattr(step, full)
            tasks.advance_imports()
        record.refresh_from_db()
        assert (record.error, record.attempts) == (FULL, 0), step
        assert record.state in runner.WORK
    tasks.advance_imports()
    record.refresh_from_db()
    assert (record.state, record.error, garden.images.count()) == ("done", "", 3)


@pytest.mark.django_db(transaction=True)
def test_a_lease_is_given_back_once_the_database_is_there_again(monkeypatch):
    garden = Project.objects.create(state="open", slug="garden", name="Garden")
    row = Snapshot.objects.create(project=garden, attempts=1)
    held = jobs.acquire(row)
    release, refused = held.release, [DISK_FULL, SHUT_DOWN]

    def released(**fields: object) -> None:
        if refused:
            refuse(refused.pop())
        release(**fields)

    monkeypatch.setattr(held, "release", released)
    monkeypatch.setattr(lease, "GIVE_BACK_EVERY", 0.0)
    lease.give_back(held, attempts=held.attempts - 1)
    row.refresh_from_db()
    assert (row.attempts, row.is_leased) == (1, False)
    monkeypatch.setattr(lease, "GIVEN_BACK_WITHIN", -1.0)
    again = jobs.acquire(row)
    monkeypatch.setattr(again, "release", full)
    with pytest.raises(OperationalError):
        lease.give_back(again)
    connection.close()


def test_an_answer_without_room_is_refused_in_a_sentence_and_can_be_sent_again(
    client, shapes, known_tiles, monkeypatch
):
    wanted = {"project": "shapes", "kind": "grid"}
    shown = client.post(CHALLENGES, wanted, content_type="application/json").json()
    Challenge.objects.update(created_at=timezone.now() - timedelta(seconds=9))
    address = f"{CHALLENGES}{shown['token']}/answer/"
    body = {"selected": [], "seconds": 2.0}
    with monkeypatch.context() as patch:
        patch.setattr(challenges, "answer", full)
        refused = client.post(address, body, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (503, "database_full")
    assert "disk is full" in refused.json()["detail"] and refused["Retry-After"]
    assert client.post(address, body, content_type="application/json").status_code == 200


@pytest.mark.parametrize(
    "place", ["labeling.views.render", "django.contrib.messages.middleware.default_storage"]
)
def test_a_page_says_why_it_stores_nothing(client, monkeypatch, carol, place):
    client.raise_request_exception = False
    monkeypatch.setattr(place, full)
    response = client.get("/")
    assert response.status_code == 503 and response["Retry-After"]
    assert "disk is full" in response.content.decode()
