"""What skipping costs: beyond many more skips than answers, the next challenge waits.

There are kinds of questions that somebody cannot answer, and to skip them is right. But whoever
skips without end looks for questions that are known. So a skip makes a debt, and an answered
challenge pays one off: who answers as often as they skip never waits. A challenge that somebody
leaves unanswered until it has to make room for others counts as skipped. What was undone stays
counted. An address waits too, by all that is skipped of a project there on a day.
"""

from datetime import datetime, timedelta

from labeling import prepared, showings
from labeling.models import Annotator
from labeling.showings import Showings

FREE = 20  # skips beyond the answers of one annotator before anything waits
FREE_ADDRESS = 120  # … and of an address, at which many people may be
DOUBLING = 1  # skips after which the wait is twice as long
DOUBLING_ADDRESS = 10
LONGEST = 600.0  # seconds
MAX_DEBT = 1_000  # more is not counted

_SKIP = f"""
UPDATE labeling_annotator SET skip_debt = least(skip_debt + %(count)s, {MAX_DEBT}),
    skipped_at = %(now)s WHERE id = %(annotator)s
"""
_SKIP_AT_ADDRESS = """
UPDATE labeling_addressday SET skips = skips + 1, skipped_at = %(now)s WHERE key = %(key)s
"""


def count(*, annotator: Annotator, project: int, address: str, now: datetime) -> None:
    """Count a skip of an annotator in a project, at an address ("": nobody knows where)."""
    owe(annotator, 1, now=now)
    if address:
        key = showings.key(address, project, now=now)
        prepared.execute(_SKIP_AT_ADDRESS, {"key": key, "now": now})


def owe(annotator: Annotator, count: int, *, now: datetime) -> None:
    """Count challenges that an annotator skipped, or left unanswered."""
    if count:
        prepared.execute(_SKIP, {"annotator": annotator.pk, "count": count, "now": now})


def seconds_to_wait(annotator: Annotator, at: Showings, *, now: datetime) -> float:
    """Return for how long the next challenge waits, in seconds; 0 as a rule."""
    address_debt = 2 * at.skips - at.asked
    return max(
        _wait(annotator.skip_debt - FREE, DOUBLING, annotator.skipped_at, now),
        _wait(address_debt - FREE_ADDRESS, DOUBLING_ADDRESS, at.skipped_at, now),
    )


def _wait(debt: int, doubling: int, since: datetime | None, now: datetime) -> float:
    if debt <= 0 or since is None:
        return 0.0
    seconds = min(2.0 ** min(debt / doubling, 20), LONGEST)
    return max((since + timedelta(seconds=seconds) - now).total_seconds(), 0.0)
