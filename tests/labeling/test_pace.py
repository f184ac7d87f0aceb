"""Nothing is answered that was not seen: the time that answers take up."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from labeling import pace

ISSUED = datetime(2026, 3, 1, 12, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("real_pace")


def at(seconds: float) -> datetime:
    return ISSUED + timedelta(seconds=seconds)


def span(*, now: float, seconds: float | None = None, answered_until: float | None = None):
    return pace.span(
        shown_from=ISSUED,
        answered_until=None if answered_until is None else at(answered_until),
        seconds=seconds,
        now=at(now),
    )


def test_an_answer_takes_the_time_that_the_browser_reports():
    assert span(now=9, seconds=2.5) == (at(2.5), 2.5)


def test_without_a_reported_time_it_ends_now():
    assert span(now=9) == (at(9), None)


@pytest.mark.parametrize("seconds", [None, 0.3, 8.0])
def test_nothing_is_seen_in_the_first_moment(seconds):
    with pytest.raises(pace.TooFast) as refused:
        span(now=0.1, seconds=seconds)
    assert refused.value.ready_in == pytest.approx(0.2)


def test_a_press_right_after_another_has_seen_nothing():
    with pytest.raises(pace.TooFast):
        span(now=9.1, answered_until=9)


def test_whoever_reports_less_than_a_glance_is_refused_for_good():
    with pytest.raises(pace.TooFast) as refused:
        span(now=9, seconds=0.29)
    assert refused.value.ready_in is None


def test_a_time_that_has_not_passed_is_not_believed():
    assert span(now=9, seconds=86_400) == (at(9), 9)
    assert span(now=9, seconds=7, answered_until=5) == (at(9), 4)


def test_what_was_answered_within_an_hour_offline_is_taken_at_once():
    until = 0.0
    for _ in range(200):
        until = (span(now=3600, seconds=17.9, answered_until=until).end - ISSUED).total_seconds()
    assert until == pytest.approx(200 * 17.9)


def test_no_more_time_is_taken_than_has_passed():
    random = Random(1)
    for _ in range(50):
        now = until = taken = 0.0
        for _ in range(40):
            now += random.random()
            claimed = random.choice([None, 0.3, 0.5, 3.0, 900.0])
            try:
                answer = span(now=now, seconds=claimed, answered_until=until)
            except pace.TooFast:
                continue
            end = (answer.end - ISSUED).total_seconds()
            assert end - until >= 0.3 - 1e-6
            taken += answer.seconds or 0
            until = end
        assert taken <= until + 1e-6 and until <= now + 1e-6
