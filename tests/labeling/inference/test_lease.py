"""One at a time, and again if they die."""

from datetime import timedelta

import pytest
from django.utils import timezone

from labeling.inference import lease
from labeling.models import Recomputation

pytestmark = pytest.mark.django_db
State = Recomputation.State


def test_it_is_taken_and_given_back(shapes):
    with lease.at_work(shapes) as work:
        row = Recomputation.objects.get()
        assert (row.state, row.lease_token) == (State.RUNNING, work.token)
        assert row.lease_until > timezone.now()
        with lease.at_work(shapes) as other:
            assert other is None
    row.refresh_from_db()
    assert (row.state, row.lease_token) == (State.IDLE, "") and row.finished_at is not None


def test_a_beat_lengthens_the_lease(shapes):
    with lease.at_work(shapes) as work:
        Recomputation.objects.update(lease_until=timezone.now() + timedelta(seconds=1))
        work.beat()
        assert work.row().lease_until > timezone.now() + timedelta(minutes=1)


def test_whoever_lost_the_lease_learns_so_and_gives_nothing_back(shapes):
    with pytest.raises(lease.Lost, match="took over"), lease.at_work(shapes):
        Recomputation.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        with lease.at_work(shapes) as heir:
            assert heir is not None
    assert Recomputation.objects.get().finished_at is not None


def test_what_was_wanted_is_due_until_it_is_done(shapes):
    with lease.at_work(shapes):
        pass
    assert lease.due() == []
    lease.want()
    assert lease.due() == [shapes]
    with lease.at_work(shapes):
        assert lease.due() == []


def test_what_died_is_due(shapes):
    with pytest.raises(lease.Lost), lease.at_work(shapes):
        Recomputation.objects.update(
            lease_token="gone", lease_until=timezone.now() - timedelta(seconds=1)
        )
    assert lease.due() == [shapes]


def test_what_failed_says_why(shapes):
    with pytest.raises(ZeroDivisionError), lease.at_work(shapes):
        _ = 1 / 0
    row = Recomputation.objects.get()
    assert (row.state, row.error) == (State.FAILED, "ZeroDivisionError: division by zero")
