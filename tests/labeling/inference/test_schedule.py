"""One recomputation of a project at a time, and again if it dies."""

from datetime import timedelta

import pytest
from django.utils import timezone

from labeling import concepts
from labeling.inference import schedule
from labeling.models import LeaseLost, Recomputation

pytestmark = pytest.mark.django_db
State = Recomputation.State


def test_one_process_at_a_time_holds_it(shapes):
    with schedule.claim(shapes) as recomputation:
        assert recomputation is not None and recomputation.is_leased
        assert recomputation.state == State.RUNNING
        with schedule.claim(shapes) as another:
            assert another is None
    row = Recomputation.objects.get()
    assert (row.state, row.lease_token) == (State.IDLE, "") and row.finished_at is not None


def test_whoever_lost_the_lease_learns_so_and_releases_nothing(shapes):
    with pytest.raises(LeaseLost), schedule.claim(shapes) as recomputation:
        Recomputation.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        with schedule.claim(shapes) as heir:
            assert heir is not None
        recomputation.renew()
    assert Recomputation.objects.get().finished_at is not None


def test_what_was_requested_is_due_until_it_is_done(shapes):
    with schedule.claim(shapes):
        pass
    assert schedule.due() == []
    schedule.request_all()
    assert schedule.due() == [shapes]
    with schedule.claim(shapes):
        assert schedule.due() == []


def test_what_is_requested_is_looked_at_sooner_but_where_it_fails(shapes, monkeypatch):
    with schedule.claim(shapes):
        pass
    monkeypatch.setattr(schedule, "REST_REQUESTED", 0.0)
    assert schedule.requested() == []
    schedule.request_all()
    assert schedule.requested() == [shapes]
    with schedule.claim(shapes):
        schedule.request_all()
        assert schedule.requested() == [], "somebody is at it"
    assert schedule.requested() == [shapes]
    with pytest.raises(ZeroDivisionError), schedule.claim(shapes):
        _ = 1 / 0
    assert schedule.requested() == [] and schedule.due() == [shapes]


@pytest.mark.parametrize(("took", "rest", "requested"), [(2, 18, 1), (10, 60, 5), (600, 60, 10)])
def test_the_longer_one_took_the_longer_none_follows(shapes, took, rest, requested):
    """So whoever answers, or has others found out, keeps no worker at one project all the time."""
    with schedule.claim(shapes):
        pass
    row = Recomputation.objects.filter(project=shapes)

    def ended(ago: float) -> None:
        end = timezone.now() - timedelta(seconds=ago)
        row.update(started_at=end - timedelta(seconds=took), finished_at=end, requested=True)

    ended(rest - 1)
    assert not schedule.has_rested(shapes)
    ended(rest)
    assert schedule.has_rested(shapes)
    ended(requested - 1)
    assert schedule.requested() == []
    ended(requested)
    assert schedule.requested() == [shapes]


def test_what_died_is_due(shapes):
    with pytest.raises(LeaseLost), schedule.claim(shapes):
        Recomputation.objects.update(
            lease_token="gone", lease_until=timezone.now() - timedelta(seconds=1)
        )
    assert schedule.due() == [shapes]


def test_what_failed_says_why(shapes):
    with pytest.raises(ZeroDivisionError), schedule.claim(shapes):
        _ = 1 / 0
    row = Recomputation.objects.get()
    assert (row.state, row.error) == (State.FAILED, "ZeroDivisionError: division by zero")
    assert schedule.due() == [shapes]


def test_other_settling_rules_are_due(shapes):
    with schedule.claim(shapes) as recomputation:
        assert recomputation is not None
        recomputation.renew(settling_rules=schedule.settling_rules(shapes))
    assert schedule.due() == []
    concepts.create(project=shapes, name="ring")
    assert schedule.due() == []
    shapes.concepts.filter(name="circle").update(value=2.0)
    assert schedule.due() == [shapes]


def test_the_rules_are_those_by_which_questions_settle(shapes):
    assert schedule.settling_rules(shapes)[0] == [0.95, 2, 9, shapes.answer_cost]


def test_stale_priors_are_due(shapes):
    with schedule.claim(shapes):
        pass
    shapes.concepts.filter(name="circle").update(priors_stale=True)
    assert schedule.due() == [shapes]
