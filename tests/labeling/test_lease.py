"""A lease on a row: one holder at a time, and an heir where the holder died."""

import threading
from datetime import timedelta

import pytest
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F
from django.utils import timezone

from labeling import lease
from labeling.models import LeaseLost, Project, Snapshot
from tests.at_once import run_at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def row() -> Snapshot:
    project = Project.objects.create(state="open", slug="garden", name="Garden")
    return Snapshot.objects.create(project=project)


def let_expire(row: Snapshot) -> None:
    past = timezone.now() - timedelta(seconds=1)
    Snapshot.objects.filter(pk=row.pk).update(lease_until=past)


def test_one_of_two_workers_acquires_a_free_row(row):
    first = Snapshot.objects.acquire(row.pk)
    assert first is not None and first.is_leased and first.heartbeat_at is not None
    assert Snapshot.objects.acquire(row.pk) is None


def test_a_claim_takes_conditions_and_sets_fields_with_the_lease(row):
    ready = Snapshot.objects.filter(state=Snapshot.State.READY)
    assert ready.acquire(row.pk) is None
    begun = Snapshot.objects.filter(state=Snapshot.State.FREEZING)
    held = begun.acquire(row.pk, folder="/one", include_generated=True)
    assert held is not None and (held.folder, held.include_generated) == ("/one", True)


def test_a_claim_may_count_in_the_database(row):
    Snapshot.objects.filter(pk=row.pk).update(folder="a")
    held = Snapshot.objects.acquire(row.pk, error=F("folder"))
    assert held is not None and held.error == "a"


def test_renewing_prolongs_the_lease_and_stores_what_is_given(row):
    held = Snapshot.objects.acquire(row.pk, duration=timedelta(seconds=1))
    assert held is not None
    held.renew(duration=timedelta(hours=1), error="halfway")
    row.refresh_from_db()
    assert row.lease_until is not None
    assert row.lease_until > timezone.now() + timedelta(minutes=59)
    assert held.error == row.error == "halfway"


def test_an_expired_lease_passes_to_an_heir_and_the_first_holder_learns_so(row):
    first = Snapshot.objects.acquire(row.pk)
    let_expire(row)
    assert list(Snapshot.objects.expired()) == [row]
    heir = Snapshot.objects.acquire(row.pk)
    assert first is not None and heir is not None
    for write in (first.renew, first.release):
        with pytest.raises(LeaseLost, match="passed to somebody else"):
            write(error="written by the first")
    heir.release(error="written by the heir")
    row.refresh_from_db()
    assert row.error == "written by the heir"


def test_a_late_holder_keeps_a_lease_that_nobody_took(row):
    held = Snapshot.objects.acquire(row.pk)
    assert held is not None
    let_expire(row)
    held.renew()
    assert not Snapshot.objects.expired().exists()
    assert Snapshot.objects.acquire(row.pk) is None


def test_a_released_row_is_free_and_its_last_holder_cannot_write(row):
    held = Snapshot.objects.acquire(row.pk)
    assert held is not None
    held.release()
    with pytest.raises(LeaseLost):
        held.renew()
    assert Snapshot.objects.acquire(row.pk) is not None


def test_a_row_that_was_never_leased_cannot_be_renewed(row):
    with pytest.raises(LeaseLost):
        row.renew()


def test_a_sweep_revokes_expired_leases(row):
    held = Snapshot.objects.acquire(row.pk)
    let_expire(row)
    assert Snapshot.objects.expired().revoke(error="Its worker was lost.") == 1
    with pytest.raises(LeaseLost):
        held.renew()
    assert not Snapshot.objects.expired().exists()


@pytest.mark.django_db(transaction=True)
def test_a_lease_is_kept_during_a_long_transaction(monkeypatch):
    project = Project.objects.create(state="open", slug="garden", name="Garden")
    row = Snapshot.objects.create(project=project)
    monkeypatch.setattr(Snapshot, "lease_duration", timedelta(milliseconds=60))
    held = Snapshot.objects.acquire(row.pk)
    heartbeats = set()
    with lease.kept(held), transaction.atomic():
        while len(heartbeats) < 3:  # they come from a connection of its own
            heartbeats.add(Snapshot.objects.get(pk=row.pk).heartbeat_at)


@pytest.mark.django_db(transaction=True)
def test_a_lease_that_is_lost_during_a_long_transaction_is_missed_after_it():
    project = Project.objects.create(state="open", slug="garden", name="Garden")
    row = Snapshot.objects.create(project=project)
    held = Snapshot.objects.acquire(row.pk)
    with pytest.raises(LeaseLost), lease.kept(held):
        let_expire(row)
        assert Snapshot.objects.acquire(row.pk) is not None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_lease_is_kept_although_the_database_is_away_for_a_moment(monkeypatch, error):
    project = Project.objects.create(state="open", slug="garden", name="Garden")
    row = Snapshot.objects.create(project=project)
    monkeypatch.setattr(Snapshot, "lease_duration", timedelta(milliseconds=60))
    held = Snapshot.objects.acquire(row.pk)
    renew, failures = held.renew, [error("the connection is closed")]

    def renewed_at_the_second_attempt() -> None:
        if failures:
            raise failures.pop()
        renew()
        renewed.set()

    renewed = threading.Event()
    monkeypatch.setattr(held, "renew", renewed_at_the_second_attempt)
    with lease.kept(held):
        assert renewed.wait(10)


@pytest.mark.django_db(transaction=True)
def test_it_is_released_after_an_interrupt_in_the_middle_of_a_query(row):
    held = Snapshot.objects.acquire(row.pk)
    connection.connection.pgconn.send_query(b"SELECT 1")  # and Ctrl-C before its result is read
    with pytest.raises(OperationalError, match="another command is already in progress"):
        Snapshot.objects.count()
    held.release(state=Snapshot.State.FAILED, error="Stopped.")
    row.refresh_from_db()
    assert (row.is_leased, row.state, row.error) == (False, "failed", "Stopped.")


@pytest.mark.django_db(transaction=True)
def test_a_name_is_leased_by_one_at_a_time_and_left_to_the_next():
    with lease.named("the key") as mine, lease.named("the key") as again:
        assert mine and not again
        with lease.named("another key") as other:
            assert other
    with lease.named("the key") as mine:
        assert mine


@pytest.mark.django_db(transaction=True)
def test_whoever_waits_for_a_name_works_once_it_is_free(monkeypatch):
    monkeypatch.setattr(lease, "WAIT_SECONDS", 0.01)
    at_work: list[int] = []

    def work() -> int:
        with lease.awaited("the key"):
            at_work.append(1)
            most = len(at_work)
            at_work.pop()
            return most

    assert run_at_once(*[work] * 4) == [1] * 4
