"""Bound how often one network address is shown a known question, so that counting tells nothing.

Gold never settles: whoever comes back under many pseudonyms would see it again and again, and
open questions only until they settle. So what an address was shown on a day is counted, and a known
question (gold, or a settled one that serves as a check) is shown there as often as an open one:

- once as a rule. It may be shown a k-th time with the share of that address's open questions that
  were, which is drawn by a secret hash once a day for each question.
- its tile was shown there for another question with the share of open questions of which that is
  so.
- gold is spread evenly over the first `HORIZON` challenges of the day, where settled questions can
  check people meanwhile (`may_be_gold`): else all that is shown early would be gold.

Rows are PostgreSQL's and not the cache's: candidates are filtered by them in the query that reads
candidates, they are exact since they are written in the challenge's own transaction, and a cache
that is away would show all gold to everybody. Addresses are stored as a keyed hash of the address,
whose key follows from `SECRET_KEY` and the day, and are deleted a day later (`forget`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.utils import timezone
from django.utils.crypto import salted_hmac

from labeling import prepared

KEPT = timedelta(days=1)  # after its day
HORIZON = 1_000  # challenges of an address on a day, over which its gold is spread
KEY_LETTERS = 32  # of the keyed hash, in hexadecimal

_OPEN = """
INSERT INTO labeling_addressday AS address (key, day, newcomers, asked, skips, firsts, seconds,
    thirds, fourths, elsewhere)
VALUES (%(key)s, %(day)s::date, 0, 1, 0, 0, 0, 0, 0, 0)
ON CONFLICT (key) DO UPDATE SET asked = address.asked + 1
RETURNING id, asked, skips, skipped_at, firsts, seconds, thirds, fourths, elsewhere
"""

_ADMIT = """
INSERT INTO labeling_addressday AS address (key, day, newcomers, asked, skips, firsts, seconds,
    thirds, fourths, elsewhere)
VALUES (%(key)s, %(day)s::date, 1, 0, 0, 0, 0, 0, 0, 0)
ON CONFLICT (key) DO UPDATE SET newcomers = address.newcomers + 1
WHERE address.newcomers < %(most)s
RETURNING id
"""

_NOTE = """
WITH noted AS (
    INSERT INTO labeling_showing AS showing (address_id, tile, question, known, shown)
    SELECT %(address)s::bigint, new.*, 1
    FROM unnest(%(tiles)s::bigint[], %(questions)s::bigint[], %(known)s::boolean[]) AS new
    ON CONFLICT (address_id, tile, question)
    DO UPDATE SET shown = showing.shown + 1, known = EXCLUDED.known
    RETURNING tile, question, known, shown
), open AS (SELECT * FROM noted WHERE NOT known)
UPDATE labeling_addressday SET
    firsts = firsts + (SELECT count(*) FROM open WHERE shown = 1),
    seconds = seconds + (SELECT count(*) FROM open WHERE shown = 2),
    thirds = thirds + (SELECT count(*) FROM open WHERE shown = 3),
    fourths = fourths + (SELECT count(*) FROM open WHERE shown = 4),
    elsewhere = elsewhere + (SELECT count(*) FROM open WHERE shown = 1 AND EXISTS (
        SELECT FROM labeling_showing AS other WHERE other.address_id = %(address)s
            AND other.tile = open.tile AND other.question <> open.question
    ))
WHERE id = %(address)s
"""

_FORGET = """
WITH old AS (SELECT id FROM labeling_addressday WHERE day < %(day)s::date), emptied AS (
    DELETE FROM labeling_showing USING old WHERE address_id = old.id
)
DELETE FROM labeling_addressday USING old WHERE labeling_addressday.id = old.id
"""

# A number in [0, 1), drawn once for a row by a seed that nobody outside knows.
_UNIT = "((hashint8extended({row}, {seed}) & 2147483647) / 2147483648.0)"

_MAY_BE_SHOWN = f"""coalesce((
    SELECT bool_and(coalesce(CASE WHEN showing.question = {{q}}.id
        THEN {_UNIT.format(row="{q}.id", seed="%(address_seed)s")}
            < (%(repeats)s::float8[])[showing.shown]
        ELSE {_UNIT.format(row="{q}.id", seed="%(address_seed)s + 1")} < %(elsewhere)s
    END, false))
    FROM labeling_showing AS showing
    WHERE showing.address_id = %(address)s AND showing.tile = {{q}}.tile_id
), true)"""


_MAY_BE_GOLD = f"{_UNIT.format(row='{q}.id', seed='%(address_seed)s + 2')} * {HORIZON} <= %(asked)s"


class Showings(NamedTuple):
    """What is known of an address today, as far as it decides which known questions it is shown."""

    address: int = 0  # id of its `AddressDay`; 0: nobody knows where the request came from
    seed: int = 0
    repeats: Sequence[float] = ()  # share of open questions that were shown a 2nd, 3rd, 4th time
    elsewhere: float = 1.0  # share of them whose tile was shown for another question before
    asked: int = HORIZON  # challenges
    skips: int = 0
    skipped_at: datetime | None = None

    def parameters(self) -> dict[str, Any]:
        """Return the query parameters that `may_be_shown` reads."""
        return {
            "address": self.address,
            "address_seed": self.seed,
            "repeats": list(self.repeats),
            "elsewhere": self.elsewhere,
            "asked": self.asked,
        }


ANYWHERE = Showings()


@dataclass(frozen=True)
class Shown:
    """A tile on the screen, and the question about it."""

    tile: int
    question: int
    known: bool  # gold, or a check


def open_day(address: str, *, now: datetime | None = None) -> Showings:
    """Count a challenge that an address asks for; return what it was shown today.

    Call it inside the transaction that issues the challenge: the address's row is locked until it
    ends, so that two who ask at once are not shown the same known question once too often. Whoever
    calls it waits for no annotator afterwards.
    """
    now = now or timezone.now()
    if not address:
        return ANYWHERE
    values = {"key": key(address, now=now), "day": now.date()}
    ((pk, asked, skips, skipped_at, firsts, *repeats, elsewhere),) = prepared.fetch(_OPEN, values)
    return Showings(
        address=pk,
        seed=_seed(address, now),
        repeats=[count / max(firsts, 1) for count in repeats],
        elsewhere=elsewhere / max(firsts, 1),
        asked=asked,
        skips=skips,
        skipped_at=skipped_at,
    )


def admit_newcomer(address: str, *, most: int, now: datetime | None = None) -> bool:
    """Count a new pseudonym at an address; return False where it was given `most` today."""
    now = now or timezone.now()
    values = {"key": key(address, now=now), "day": now.date(), "most": most}
    return bool(prepared.fetch(_ADMIT, values))


def note(showings: Showings, shown: Collection[Shown]) -> None:
    """Count what a challenge shows at an address."""
    if showings.address and shown:
        values = {
            "address": showings.address,
            "tiles": [each.tile for each in shown],
            "questions": [each.question for each in shown],
            "known": [each.known for each in shown],
        }
        prepared.execute(_NOTE, values)


def may_be_shown(question: str) -> str:
    """Return SQL: whether a known question may be shown at an address once more today.

    `question` is the row's name in the query, whose parameters are those of `Showings`.
    """
    return _MAY_BE_SHOWN.format(q=question)


def may_be_gold(question: str) -> str:
    """Return SQL: whether it is the turn of a gold question at an address; as `may_be_shown`."""
    return _MAY_BE_GOLD.format(q=question)


def forget(*, now: datetime | None = None) -> int:
    """Delete the days that are over for so long; return how many there were."""
    day = ((now or timezone.now()) - KEPT).date()
    return prepared.execute(_FORGET, {"day": day})


def key(address: str, *, now: datetime) -> str:
    """Return the keyed hash of an address and a day."""
    return salted_hmac(_salt(now), address, algorithm="sha256").hexdigest()[:KEY_LETTERS]


def _seed(address: str, now: datetime) -> int:
    """Return the seed by which an address's known questions are drawn on a day."""
    digest = salted_hmac(f"{_salt(now)}.seed", address, algorithm="sha256").digest()
    return int.from_bytes(digest[:7])


def _salt(now: datetime) -> str:
    return f"labeling.showings.{now.date().isoformat()}"
