"""What the owner of a site is told of its visitors."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from labeling.captcha import sites, statistics
from labeling.captcha.statistics import Period
from tests.site_visits import visit

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 9, 14, 30, tzinfo=UTC)


@pytest.fixture
def site(shapes, ada):
    return sites.create(project=shapes, by=ada, name="The shop", hosts=["shop.example.com"])[0]


def measure(site, period=Period.DAY):
    return statistics.measure(site, period, now=NOW)


def test_nothing_is_told_of_a_site_without_visitors(site):
    whole = measure(site).whole
    assert whole == statistics.Figures()
    assert whole.pass_rate is whole.labels_per_100 is whole.seconds_per_pass is None
    assert whole.rounds_per_pass is whole.rounds_per_suspected_pass is None


def test_attempts_are_counted_by_how_they_ended(site):
    visit(site, at=NOW, is_verified=True, labels=2)
    visit(site, at=NOW, seconds=(5.0, 9.0))
    visit(site, at=NOW, state="failed", seconds=(1.0, 1.0), suspected=True)
    visit(site, at=NOW, state="asked", seconds=())
    visit(site, at=NOW, door="open", seconds=())
    whole = measure(site).whole
    assert (whole.begun, whole.solved, whole.failed, whole.let_through) == (5, 2, 1, 1)
    assert (whole.left, whole.verified, whole.suspected, whole.labels) == (1, 1, 1, 2)
    assert whole.labels_per_100 == 100.0


def test_the_median_is_that_of_those_who_solved(site):
    for seconds in ((3.0,), (4.0, 4.0), (50.0,)):
        visit(site, at=NOW, seconds=seconds)
    visit(site, at=NOW, state="failed", seconds=(0.3,))
    visit(site, at=NOW, door="open", seconds=())
    assert measure(site).whole.median_seconds == pytest.approx(8.0, rel=0.01)


def test_a_pass_costs_what_failed_attempts_cost_too(site):
    visit(site, at=NOW, seconds=(6.0,))
    visit(site, at=NOW, state="failed", seconds=(4.0, 5.0), suspected=True)
    visit(site, at=NOW, seconds=(2.0, 3.0), suspected=True)
    whole = measure(site).whole
    assert whole.seconds_per_pass == 10.0
    assert whole.rounds_per_pass == 2.5
    assert whole.rounds_per_suspected_pass == 4.0


def test_the_pass_rate_has_its_n_and_interval(site):
    for _ in range(9):
        visit(site, at=NOW)
    visit(site, at=NOW, state="failed")
    visit(site, at=NOW, door="open", seconds=())  # nobody was asked
    rate = measure(site).whole.pass_rate
    assert (rate.share, rate.n) == (0.9, 10)
    assert (round(rate.low, 3), round(rate.high, 3)) == (0.596, 0.982)


def test_each_hour_and_each_door_has_its_figures(site):
    visit(site, at=NOW - timedelta(minutes=31), seconds=(4.0,))  # the hour before
    visit(site, at=NOW - timedelta(hours=23, minutes=29), door="text", seconds=(40.0,))
    visit(site, at=NOW - timedelta(hours=23, minutes=31))  # too long ago
    figures = measure(site)
    assert [each.begun for each in figures.steps] == [1, *[0] * 21, 1, 0]
    assert (figures.at[0], figures.at[-1]) == (
        datetime(2026, 3, 8, 15, tzinfo=UTC),
        datetime(2026, 3, 9, 14, tzinfo=UTC),
    )
    medians = {door: each.median_seconds for door, each in figures.doors.items()}
    assert medians == {"grid": pytest.approx(4.0, rel=0.01), "text": pytest.approx(40.0, rel=0.01)}
    assert figures.whole.begun == 2


def test_a_month_goes_by_days(site):
    visit(site, at=datetime(2026, 2, 8, 0, 1, tzinfo=UTC))
    visit(site, at=datetime(2026, 2, 7, 23, 59, tzinfo=UTC))
    figures = measure(site, Period.MONTH)
    assert [each.begun for each in figures.steps] == [1, *[0] * 29]
    assert figures.at[0] == datetime(2026, 2, 8, tzinfo=UTC)


def test_other_sites_count_for_nothing(site, shapes, ada):
    other, _ = sites.create(project=shapes, by=ada, name="another", hosts=["a.example"])
    visit(other, at=NOW)
    assert measure(site).whole.begun == 0


def test_only_the_newest_attempts_of_a_step_are_counted(site, monkeypatch):
    monkeypatch.setattr(statistics, "MOST", 2)
    for minutes in range(3):
        visit(site, at=NOW - timedelta(minutes=minutes))
    figures = measure(site)
    assert figures.whole.begun == 2
    assert not figures.is_all


def test_whoever_looks_does_not_wait_for_all_that_is_to_be_counted(site, monkeypatch):
    visit(site, at=NOW)
    visit(site, at=NOW - timedelta(hours=1))
    monkeypatch.setattr(statistics, "PATIENCE", 0)
    figures = measure(site)
    assert figures.whole.begun == 1
    assert figures.since == datetime(2026, 3, 9, 14, tzinfo=UTC)
    monkeypatch.setattr(statistics, "PATIENCE", 60)
    figures = measure(site)
    assert figures.whole.begun == 2
    assert figures.since is None


def test_what_is_over_is_not_counted_again(site):
    visit(site, at=NOW - timedelta(hours=9))
    visit(site, at=NOW)
    before = measure(site)
    with CaptureQueriesContext(connection) as queries:
        assert measure(site) == before
    assert not queries


def test_each_step_goes_by_the_index_of_the_site(site):
    with CaptureQueriesContext(connection) as queries:
        measure(site, Period.MONTH)
    assert len(queries) == 30
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN " + queries[0]["sql"])
        plan = "\n".join(row for (row,) in cursor.fetchall())
    assert "attempt_of_site" in plan


def test_the_attempts_of_today_are_counted_up_to_the_quota(site, ada):
    for _ in range(3):
        visit(site)
    assert statistics.begun_today(site) == 3
    assert statistics.begun_today(sites.change(site=site, by=ada, daily_quota=2)) == 2
