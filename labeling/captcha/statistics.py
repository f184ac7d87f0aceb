"""What visitors of a site did there: attempts, passes, time, suspected bots, labels; over time."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from django.db import connection
from django.utils import timezone

from labeling.models import Attempt, Site

MOST = 1_000_000  # newest attempts that are looked at
Z = 1.96  # of an interval of 95 %

# Grouped by time, by door, and all together; seconds are a visitor's, or their device's.
_FIGURES = """
WITH attempt AS (
    SELECT date_bin(%(step)s, created_at, %(since)s) AS at, door, state, suspected, labels,
        verified_at IS NOT NULL AS verified, cardinality(round_seconds) AS rounds,
        coalesce(round_seconds[1], 0) + coalesce(round_seconds[2], 0) AS seconds,
        state = 'passed' AND door <> 'open' AS solved
    FROM labeling_attempt WHERE site_id = %(site)s AND created_at >= %(since)s
    ORDER BY created_at DESC LIMIT %(most)s
)
SELECT at, door,
    count(*), count(*) FILTER (WHERE solved), count(*) FILTER (WHERE state = 'failed'),
    count(*) FILTER (WHERE state = 'passed' AND door = 'open'),
    count(*) FILTER (WHERE verified),
    count(*) FILTER (WHERE suspected), count(*) FILTER (WHERE suspected AND solved),
    coalesce(sum(rounds), 0), coalesce(sum(rounds) FILTER (WHERE suspected), 0),
    coalesce(sum(seconds), 0),
    percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) FILTER (WHERE solved AND rounds > 0),
    coalesce(sum(labels), 0)
FROM attempt GROUP BY GROUPING SETS ((at), (door), ())
"""
_BEGUN = """
SELECT count(*) FROM (
    SELECT FROM labeling_attempt WHERE site_id = %s AND created_at >= %s LIMIT %s
) AS attempt
"""


class Period(Enum):
    """For how long figures are told, and by what steps."""

    DAY = timedelta(hours=1), 24
    MONTH = timedelta(days=1), 30

    @property
    def step(self) -> timedelta:
        return self.value[0]

    @property
    def steps(self) -> int:
        return self.value[1]

    def since(self, now: datetime) -> datetime:
        """Return when the first step begins: a full hour, or midnight (UTC)."""
        begun = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        if self is Period.MONTH:
            begun = begun.replace(hour=0)
        return begun - (self.steps - 1) * self.step


@dataclass(frozen=True)
class Share:
    """How many of n, with an interval of 95 %."""

    share: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Figures:
    """Counts of attempts that were begun in a time, or through a door."""

    begun: int = 0
    solved: int = 0  # passed by answering, or by the computation
    failed: int = 0
    let_through: int = 0  # unasked, since nothing could be asked
    verified: int = 0  # of which the site's server asked, and was told that they passed
    suspected: int = 0  # begun, and found to answer as a bot would
    suspected_solved: int = 0
    rounds: int = 0  # that were answered
    suspected_rounds: int = 0
    seconds: float = 0.0  # for all rounds together
    median_seconds: float | None = None  # of those who solved, for all their rounds
    labels: int = 0  # that became certain with the answers

    @property
    def ended(self) -> int:
        return self.solved + self.failed

    @property
    def left(self) -> int:
        """How many began and went away, or are still at it."""
        return self.begun - self.ended - self.let_through

    @property
    def pass_rate(self) -> Share | None:
        """Share that passed of those who answered to the end; None where nobody did."""
        return share(self.solved, self.ended)

    @property
    def labels_per_100(self) -> float | None:
        """Labels that became certain for each 100 solves."""
        return _ratio(100 * self.labels, self.solved)

    @property
    def seconds_per_pass(self) -> float | None:
        """What a pass costs visitors: seconds of all attempts, failed ones too, by solves."""
        return _ratio(self.seconds, self.solved)

    @property
    def rounds_per_pass(self) -> float | None:
        """Rounds that were answered for each solve, those of failed attempts among them."""
        return _ratio(self.rounds, self.solved)

    @property
    def rounds_per_suspected_pass(self) -> float | None:
        """What a pass costs those suspected as bots, in answered rounds."""
        return _ratio(self.suspected_rounds, self.suspected_solved)


@dataclass(frozen=True)
class Statistics:
    """A site's figures: of a whole period, of each step in it, and of each door."""

    at: list[datetime]  # when each step begins, the oldest first
    steps: list[Figures]
    doors: dict[str, Figures]  # those through which somebody went
    whole: Figures

    @property
    def is_all(self) -> bool:
        """Whether all attempts of the period were counted, and not the newest `MOST` alone."""
        return self.whole.begun < MOST

    def as_json(self) -> dict[str, Any]:
        """Return it as a cache can keep it."""
        return asdict(self) | {"at": [at.isoformat() for at in self.at]}

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> "Statistics":
        """Return what `as_json` made."""
        return cls(
            at=[datetime.fromisoformat(at) for at in kept["at"]],
            steps=[Figures(**step) for step in kept["steps"]],
            doors={door: Figures(**figures) for door, figures in kept["doors"].items()},
            whole=Figures(**kept["whole"]),
        )


def measure(site: Site, period: Period, *, now: datetime | None = None) -> Statistics:
    """Count what happened at a site in a period up to now, by one query."""
    since = period.since(now or timezone.now())
    parameters: dict[str, Any] = {"site": site.pk, "since": since, "step": period.step}
    with connection.cursor() as cursor:
        cursor.execute(_FIGURES, parameters | {"most": MOST})
        rows: list[Sequence[Any]] = cursor.fetchall()
    by_time = {at: _figures(counts) for at, door, *counts in rows if at is not None}
    by_door = {door: _figures(counts) for at, door, *counts in rows if door is not None}
    whole = [_figures(counts) for at, door, *counts in rows if at is None and door is None]
    times = [since + step * period.step for step in range(period.steps)]
    return Statistics(
        at=times,
        steps=[by_time.get(at, Figures()) for at in times],
        doors={door: by_door[door] for door in Attempt.Door.values if door in by_door},
        whole=whole[0] if whole else Figures(),
    )


def begun_today(site: Site) -> int:
    """Count the attempts since midnight (UTC), up to the site's quota."""
    midnight = timezone.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with connection.cursor() as cursor:
        cursor.execute(_BEGUN, [site.pk, midnight, site.daily_quota])
        return int(cursor.fetchone()[0])


def share(count: int, n: int) -> Share | None:
    """Return a share with E. B. Wilson's score interval (1927); None of nothing."""
    if not n:
        return None
    p, z2 = count / n, Z**2 / n
    middle = (p + z2 / 2) / (1 + z2)
    half = Z / (1 + z2) * math.sqrt(p * (1 - p) / n + z2 / (4 * n))
    return Share(p, max(middle - half, 0.0), min(middle + half, 1.0), n)


def _figures(counts: Sequence[Any]) -> Figures:
    """Return figures from the columns of the query, whose order is that of the fields."""
    names = [field.name for field in fields(Figures)]
    return Figures(**dict(zip(names, counts, strict=True)))


def _ratio(of: float, by: int) -> float | None:
    return of / by if by else None
