"""What visitors of a site did there: attempts, passes, time, suspected bots, labels; over time.

Hours and days are counted one by one, the newest first, and kept in the cache: those that are over
for a day, since nothing changes there any more. So whoever looks waits for `PATIENCE` at most, even
at a site with millions of attempts, whose older days follow when they look again.
"""

import math
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import partial
from typing import Any

from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from labeling import replica
from labeling.models import Attempt, Site

MOST = 500_000  # newest attempts of an hour or a day that are counted
PATIENCE = 4.0  # seconds after which no further day is counted at once
FRESH = 60  # seconds for which a day that goes on is kept
KEPT = 24 * 3600  # … and one that is over
OVER = timedelta(hours=3)  # after which all its attempts have ended, and were taken in
Z = 1.96  # of an interval of 95 %
LEAST_SECONDS, RATIO = 0.1, 1.02  # of the classes by which a median is found, to one per cent

# By door and class of seconds, which are a visitor's, or their device's.
_FIGURES = f"""
SELECT door, CASE WHEN solved AND rounds > 0
        THEN floor(ln(greatest(seconds, {LEAST_SECONDS}) / {LEAST_SECONDS}) / ln({RATIO})) END,
    count(*), count(*) FILTER (WHERE solved), count(*) FILTER (WHERE state = 'failed'),
    count(*) FILTER (WHERE state = 'passed' AND NOT solved), count(verified_at),
    count(*) FILTER (WHERE suspected), count(*) FILTER (WHERE suspected AND solved),
    sum(rounds), coalesce(sum(rounds) FILTER (WHERE suspected), 0), sum(seconds), sum(labels)
FROM (
    SELECT door, state, suspected, verified_at, labels, cardinality(round_seconds) AS rounds,
        coalesce(round_seconds[1], 0) + coalesce(round_seconds[2], 0) AS seconds,
        state = 'passed' AND door <> 'open' AS solved
    FROM labeling_attempt
    WHERE site_id = %(site)s AND created_at >= %(since)s AND created_at < %(until)s
    ORDER BY created_at DESC LIMIT %(most)s
) AS attempt
GROUP BY 1, 2
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

    def times(self, now: datetime) -> list[datetime]:
        """Return when each step begins, a full hour or midnight (UTC), the oldest first."""
        last = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        if self is Period.MONTH:
            last = last.replace(hour=0)
        return [last - back * self.step for back in reversed(range(self.steps))]


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
    labels: int = 0  # that became certain with the answers
    classes: Counter[int] = field(default_factory=Counter)  # solves by class of seconds

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
    def median_seconds(self) -> float | None:
        """Median of those who solved, for all their rounds, to one per cent."""
        middle, so_far = self.classes.total() / 2, 0
        for number in sorted(self.classes):
            so_far += self.classes[number]
            if so_far >= middle:
                return float(LEAST_SECONDS * RATIO ** (number + 0.5))
        return None

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


Step = dict[str, Figures]  # by door


@dataclass(frozen=True)
class Statistics:
    """A site's figures in a period, step by step, the oldest first."""

    at: Sequence[datetime]  # when each step begins
    by_door: Sequence[Step | None]  # None: not counted yet

    @property
    def steps(self) -> list[Figures]:
        """The figures of each step; of those that are not counted yet, nothing."""
        return [total((step or {}).values()) for step in self.by_door]

    @property
    def doors(self) -> Step:
        """The figures of each door through which somebody went."""
        counted = [step for step in self.by_door if step]
        doors = {
            str(door): total(step[door] for step in counted if door in step)
            for door in Attempt.Door.values
        }
        return {door: figures for door, figures in doors.items() if figures.begun}

    @property
    def whole(self) -> Figures:
        """The figures of the whole period."""
        return total(self.steps)

    @property
    def since(self) -> datetime | None:
        """When the oldest step begins that is counted, where older ones are not yet."""
        counted = [at for at, step in zip(self.at, self.by_door, strict=True) if step is not None]
        return min(counted) if len(counted) < len(self.at) else None

    @property
    def is_all(self) -> bool:
        """Whether no step has more attempts than are counted."""
        return all(step.begun < MOST for step in self.steps)


def measure(site: Site, period: Period, *, now: datetime | None = None) -> Statistics:
    """Count what happened at a site in a period up to now, the newest steps first."""
    now = now or timezone.now()
    times = period.times(now)
    names = {at: f"site-figures:{site.pk}:{period.name}:{at:%Y-%m-%dT%H}" for at in times}
    kept = cache.get_many(names.values())
    stop: float | None = None  # set when one step at least was counted
    steps: dict[datetime, Step] = {}
    for at in reversed(times):
        if (step := kept.get(names[at])) is not None:
            steps[at] = _from_json(step)
        elif stop is None or time.monotonic() < stop:
            stop = stop or time.monotonic() + PATIENCE
            steps[at] = replica.read(partial(_count, site, at, at + period.step))
            is_over = at + period.step + OVER < now
            cache.set(names[at], _as_json(steps[at]), KEPT if is_over else FRESH)
    return Statistics(times, [steps.get(at) for at in times])


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


def total(figures: Iterable[Figures]) -> Figures:
    """Return the sums of figures."""
    some = list(figures)
    sums = {name: sum(getattr(each, name) for each in some) for name in _COUNTS}
    return Figures(**sums, classes=sum((each.classes for each in some), Counter()))


_COUNTS = [each.name for each in fields(Figures) if each.name != "classes"]


def _count(site: Site, since: datetime, until: datetime) -> Step:
    """Count the attempts that were begun at a site in a time, by door."""
    values: dict[str, Any] = {"site": site.pk, "since": since, "until": until, "most": MOST}
    parts: dict[str, list[Figures]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_FIGURES, values)
        for door, number, *counts in cursor:
            named = dict(zip(_COUNTS, counts, strict=True))
            classes = Counter() if number is None else Counter({int(number): named["solved"]})
            parts.setdefault(door, []).append(Figures(**named, classes=classes))
    return {door: total(some) for door, some in parts.items()}


def _as_json(step: Step) -> dict[str, Any]:
    return {
        door: asdict(figures) | {"classes": list(figures.classes.items())}
        for door, figures in step.items()
    }


def _from_json(kept: dict[str, Any]) -> Step:
    return {
        door: Figures(**(counts | {"classes": Counter(dict(counts["classes"]))}))
        for door, counts in kept.items()
    }


def _ratio(of: float, by: int) -> float | None:
    return of / by if by else None
