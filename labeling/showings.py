"""Bound how often one network address is shown a known question, so that counting tells nothing.

Gold never settles: whoever comes back under many pseudonyms would see it again and again, and
open questions only until they settle. So what an address was shown of a project on a day is
counted, and a known question (gold, or a settled one that serves as a check) is shown there as an
open one is:

- once as a rule. It may be shown a k-th time with the share of that address's open questions that
  were, which is drawn by a secret hash once a day for each question; and then as soon after the
  last time as they were, and no later.
- on tiles that were shown there for another question, as often as open ones are.
- as often with the answer yes as open ones are believed to be true.
- in the same share of all tiles from the first challenge to the last, in grids and alone, whoever
  asks: what is known of a concept lasts for as many tiles as the address may see
  (`selection.known.Stock`). So a grid has fewer known tiles where little is known.
- a check was settled before the address came, so that it was not shown there as open before, and
  there are as many in the evening as in the morning.

Rows are PostgreSQL's and not the cache's: candidates are filtered by them in the query that reads
candidates, they are exact since they are written in the challenge's own transaction, and a cache
that is away would show all gold to everybody. Addresses are stored as a keyed hash of the address,
whose key follows from `SECRET_KEY` and the day, and are deleted a day later (`forget`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.utils import timezone
from django.utils.crypto import salted_hmac

from labeling import prepared
from labeling.models import Project

KEPT = timedelta(days=1)  # after its day
MOST_TILES = 10_000  # that an address can see on a day
MOST_LAG = 40  # challenges, as which longer ones count: few come back so late
LONGEST_LAG = 3  # times the mean lag, after which a known question is not shown again
KEY_LETTERS = 32  # of the keyed hash, in hexadecimal

_OPEN = """
INSERT INTO labeling_addressday AS address (key, day, since, newcomers, asked, skips, firsts,
    seconds, thirds, fourths, lags, elsewhere, truths, known, known_elsewhere, known_truths)
VALUES (%(key)s, %(day)s::date, %(now)s, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
ON CONFLICT (key) DO UPDATE SET asked = address.asked + 1
RETURNING id, since, asked, skips, skipped_at, firsts, seconds, thirds, fourths, lags, elsewhere,
    truths, known, known_elsewhere, known_truths
"""

_ADMIT = """
INSERT INTO labeling_addressday AS address (key, day, since, newcomers, asked, skips, firsts,
    seconds, thirds, fourths, lags, elsewhere, truths, known, known_elsewhere, known_truths)
VALUES (%(key)s, %(day)s::date, %(now)s, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
ON CONFLICT (key) DO UPDATE SET newcomers = address.newcomers + 1
WHERE address.newcomers < %(most)s
RETURNING id
"""

_NOTE = """
WITH noted AS (
    INSERT INTO labeling_showing AS showing (address_id, tile, question, known, shown, last, lag)
    SELECT %(address)s::bigint, new.*, 1, %(asked)s, 0
    FROM unnest(%(tiles)s::bigint[], %(questions)s::bigint[], %(known)s::boolean[]) AS new
    ON CONFLICT (address_id, tile, question)
    DO UPDATE SET shown = showing.shown + 1, known = EXCLUDED.known, last = EXCLUDED.last,
        lag = EXCLUDED.last - showing.last
    RETURNING tile, question, known, shown, lag
), open AS (SELECT shown, lag FROM noted WHERE NOT known), first AS (
    SELECT known, (SELECT probability FROM labeling_question WHERE id = question) AS truth,
        EXISTS (
            SELECT FROM labeling_showing AS other WHERE other.address_id = %(address)s
                AND other.tile = noted.tile AND other.question <> noted.question
        ) AS elsewhere
    FROM noted WHERE shown = 1
)
UPDATE labeling_addressday SET
    firsts = firsts + (SELECT count(*) FROM open WHERE shown = 1),
    seconds = seconds + (SELECT count(*) FROM open WHERE shown = 2),
    thirds = thirds + (SELECT count(*) FROM open WHERE shown = 3),
    fourths = fourths + (SELECT count(*) FROM open WHERE shown = 4),
    lags = lags + (
        SELECT coalesce(sum(least(lag, %(most)s)), 0) FROM open WHERE shown BETWEEN 2 AND 4
    ),
    elsewhere = elsewhere + (SELECT count(*) FROM first WHERE NOT known AND elsewhere),
    truths = truths + (SELECT coalesce(sum(truth), 0) FROM first WHERE NOT known),
    known = known + (SELECT count(*) FROM first WHERE known),
    known_elsewhere = known_elsewhere + (SELECT count(*) FROM first WHERE known AND elsewhere),
    known_truths = known_truths + (SELECT coalesce(sum(truth), 0) FROM first WHERE known)
WHERE id = %(address)s
"""

_FORGET = """
WITH old AS (SELECT id FROM labeling_addressday WHERE day < %(day)s::date), emptied AS (
    DELETE FROM labeling_showing USING old WHERE address_id = old.id
)
DELETE FROM labeling_addressday USING old WHERE labeling_addressday.id = old.id
"""

# A number in [0, 1), drawn once for a row by a seed that nobody outside knows.
_UNIT = "((hashint8extended({q}.id, {seed}) & 2147483647) / 2147483648.0)"
_REPEATED = _UNIT.format(q="{q}", seed="%(address_seed)s")
_LAG = _UNIT.format(q="{q}", seed="%(address_seed)s + 1")

_NEVER = """coalesce((
        SELECT bool_and(showing.question <> {q}.id AND %(elsewhere)s)
        FROM labeling_showing AS showing
        WHERE showing.address_id = %(address)s AND showing.tile = {q}.tile_id
    ), true)"""
_AGAIN = f"""EXISTS (
        SELECT FROM labeling_showing AS showing
        WHERE showing.address_id = %(address)s AND showing.tile = {{q}}.tile_id
            AND showing.question = {{q}}.id
            AND {_REPEATED} < (%(repeats)s::float8[])[showing.shown]
            AND %(asked)s - showing.last BETWEEN {_LAG} * %(lag)s AND %(longest_lag)s
    )"""
_BEFORE = "{q}.settled_at < %(since)s"


class Showings(NamedTuple):
    """What is known of an address today, as far as it decides which known questions it is shown."""

    address: int = 0  # id of its `AddressDay`; 0: nobody knows where the request came from
    seed: int = 0
    since: datetime = datetime.max.replace(tzinfo=UTC)  # its first challenge of the day
    repeats: Sequence[float] = ()  # share of open questions that were shown a 2nd, 3rd, 4th time
    lags: int = 0  # challenges between a showing and the next one, in all of these
    asked: int = 0  # challenges
    skips: int = 0
    skipped_at: datetime | None = None
    firsts: int = 0  # open questions that were shown
    elsewhere: int = 0  # of them, those whose tile was shown for another question before
    truths: float = 0.0  # the sum of their probabilities then
    known: int = 0  # the same of known questions
    known_elsewhere: int = 0
    known_truths: float = 0.0

    @property
    def lag(self) -> float:
        """The mean number of challenges after which an open question was shown again."""
        again = sum(self.repeats) * max(self.firsts, 1)
        return self.lags / again if again else 0.0

    @property
    def longest_lag(self) -> float:
        """The number of challenges after which a known question is not shown again."""
        return LONGEST_LAG * self.lag

    def parameters(self) -> dict[str, Any]:
        """Return the query parameters that `may_be_shown` and `settled_before` read."""
        expected = self.elsewhere / max(self.firsts, 1) * (self.known + 1)
        return {
            "address": self.address,
            "address_seed": self.seed,
            "since": self.since,
            "repeats": list(self.repeats),
            "asked": self.asked,
            "lag": self.lag,
            "longest_lag": self.longest_lag,
            "elsewhere": not self.address or self.known_elsewhere < expected,
        }


ANYWHERE = Showings()


@dataclass(frozen=True)
class Shown:
    """A tile on the screen, and the question about it."""

    tile: int
    question: int
    known: bool  # gold, or a check


def open_day(address: str, project: Project, *, now: datetime | None = None) -> Showings:
    """Count a challenge of a project that an address asks for; return what it was shown today.

    Call it inside the transaction that issues the challenge: the address's row is locked until it
    ends, so that two who ask at once are not shown the same known question once too often. Whoever
    calls it waits for no annotator afterwards.
    """
    now = now or timezone.now()
    if not address:
        return ANYWHERE
    values = {"key": key(address, project.pk, now=now), "day": now.date(), "now": now}
    ((pk, since, asked, skips, skipped_at, *counts),) = prepared.fetch(_OPEN, values)
    firsts, seconds, thirds, fourths, lags, *others = counts
    return Showings(
        pk,
        _seed(address, now),
        since,
        [count / max(firsts, 1) for count in (seconds, thirds, fourths)],
        lags,
        asked,
        skips,
        skipped_at,
        firsts,
        *others,
    )


def admit_newcomer(address: str, *, most: int, now: datetime | None = None) -> bool:
    """Count a new pseudonym at an address; return False where it was given `most` today."""
    now = now or timezone.now()
    values = {"key": key(address, now=now), "day": now.date(), "now": now, "most": most}
    return bool(prepared.fetch(_ADMIT, values))


def note(showings: Showings, shown: Collection[Shown]) -> None:
    """Count what a challenge shows at an address."""
    if showings.address and shown:
        values = {
            "address": showings.address,
            "asked": showings.asked,
            "most": MOST_LAG,
            "tiles": [each.tile for each in shown],
            "questions": [each.question for each in shown],
            "known": [each.known for each in shown],
        }
        prepared.execute(_NOTE, values)


def may_be_shown(question: str, *, again: bool = False) -> str:
    """Return SQL: whether a known question may be shown at an address now, first or again.

    `question` is the row's name in the query, whose parameters are those of `Showings`.
    """
    return (_AGAIN if again else _NEVER).format(q=question)


def settled_before(question: str) -> str:
    """Return SQL: whether a question had settled when the address came; as `may_be_shown`."""
    return _BEFORE.format(q=question)


def forget(*, now: datetime | None = None) -> int:
    """Delete the days that are over for so long; return how many there were."""
    day = ((now or timezone.now()) - KEPT).date()
    return prepared.execute(_FORGET, {"day": day})


def key(address: str, project: int = 0, *, now: datetime) -> str:
    """Return the keyed hash of an address, a project (0: of none in particular) and a day."""
    value = f"{address} {project}"
    return salted_hmac(_salt(now), value, algorithm="sha256").hexdigest()[:KEY_LETTERS]


def _seed(address: str, now: datetime) -> int:
    """Return the seed by which an address's known questions are drawn on a day."""
    digest = salted_hmac(f"{_salt(now)}.seed", address, algorithm="sha256").digest()
    return int.from_bytes(digest[:7])


def _salt(now: datetime) -> str:
    return f"labeling.showings.{now.date().isoformat()}"
