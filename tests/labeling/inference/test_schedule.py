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
