"""How much an address, a site and all together may ask for, and how hard a site is attacked.

Counted in the cache that all processes share. While it is away nothing is counted, so that no
visitor is turned away for that: responses are the database's, and are good once all the same.
"""

import math
import time
from typing import Any, Literal, cast
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from labeling.captcha.errors import QuotaReached, TooMany
from labeling.models import Site

MINUTE, HOUR, DAY = 60, 3600, 24 * 3600  # seconds
ADDRESS_HOUR = 10  # times the rate of a minute that an address may begin in an hour
SHEETS = 3  # times that a round's sheet is drawn: a browser asks once
LEVEL_SECONDS = 300  # that tell how hard a site is attacked
LEVEL_LEAST = 40  # attempts that ended in them, below which nothing is concluded
LEVEL_OF_ADDRESS = 3  # … of one address that count
LEVELS = 0.5, 0.75, 0.9  # shares of failed ones from which on a level is reached
LEVEL_EVIDENCE = math.log(10) / 2  # nats that each level adds to what passes
REMEMBERED = 5.0  # seconds for which a process remembers a level
KEY_LETTERS = 32

_levels: dict[int, tuple[float, int]] = {}


def address_key(address: str) -> str:
    """Return the keyed hash of an address, whose key changes every day (UTC)."""
    salt = f"labeling.captcha.address.{timezone.now().date().isoformat()}"
    return salted_hmac(salt, address, algorithm="sha256").hexdigest()[:KEY_LETTERS]


def count_attempt(site: Site, address: str) -> None:
    """Count an attempt that begins. Raises TooMany or QuotaReached.

    What an address is refused counts nowhere else, and what a site is refused not among all: so
    nobody uses up alone what others may ask for.

    address: its keyed hash.
    """
    rate = settings.CAPTCHA_ADDRESS_RATE
    _count((f"address:{address}", MINUTE, rate), (f"address:{address}", HOUR, rate * ADDRESS_HOUR))
    _count((f"site:{site.pk}", MINUTE, settings.CAPTCHA_SITE_RATE))
    (_all, today) = _count(("all", MINUTE, settings.CAPTCHA_RATE), (f"quota:{site.pk}", DAY, None))
    if today > site.daily_quota:
        raise QuotaReached(
            _("This site has asked as many questions today as it may: try again tomorrow."),
            _left(DAY),
        )


def count_sheet(attempt: UUID, number: int) -> None:
    """Count that a round's sheet is drawn, which costs more than all else. Raises TooMany."""
    _count((f"sheet:{attempt.hex}:{number}", HOUR, SHEETS))


def count_end(site: int, end: Literal["passed", "failed"], address: str) -> None:
    """Count an attempt that ended, by which the level of an attack is known.

    address: its keyed hash. Few of one address count, or it would make the site hard for all.
    """
    (count,) = _counted((f"ended:{site}:{address}", LEVEL_SECONDS))
    if count <= LEVEL_OF_ADDRESS:
        _counted((f"{end}:{site}", LEVEL_SECONDS))


def level(site: Site) -> int:
    """Return how hard a site is attacked, 0 to 3: by the share of attempts that failed of late."""
    now = time.monotonic()
    remembered = _levels.get(site.pk)
    if remembered is None or remembered[0] <= now:
        remembered = _levels[site.pk] = (now + REMEMBERED, _level(site.pk))
    return remembered[1]


def forget() -> None:
    """Forget the levels that this process remembers."""
    _levels.clear()


def _level(site: int) -> int:
    window = int(time.time() // LEVEL_SECONDS)
    keys = {
        end: [f"captcha:{end}:{site}:{LEVEL_SECONDS}:{window - back}" for back in (0, 1)]
        for end in ("passed", "failed")
    }
    counts = cache.get_many([key for some in keys.values() for key in some])
    passed, failed = (sum(counts.get(key, 0) for key in keys[end]) for end in ("passed", "failed"))
    if passed + failed < LEVEL_LEAST:
        return 0
    share = failed / (passed + failed)
    return sum(share >= bound for bound in LEVELS)


def _count(*limits: tuple[str, int, int | None]) -> list[int]:
    """Count one more of each of these; return how many there are. Raises TooMany.

    limits: what is counted, the seconds of a window, and how many it may be in one, if that is
    limited here.
    """
    counts = _counted(*((what, seconds) for what, seconds, _most in limits))
    for (_what, seconds, most), count in zip(limits, counts, strict=True):
        if most is not None and count > most:
            raise TooMany(
                _("Too much was asked for from here: wait a little and try again."), _left(seconds)
            )
    return counts


def _counted(*windows: tuple[str, int]) -> list[int]:
    """Count one more of each of these in their present windows; return how many there are.

    windows: what is counted, and the seconds of a window. While the cache is away it is 0.
    """
    now = int(time.time())
    timeouts = {f"captcha:{what}:{s}:{now // s}": 2 * s for what, s in windows}
    counts: list[int] = cast(Any, cache).count_many(timeouts)
    return counts


def _left(seconds: int) -> int:
    """Return the seconds until the present window ends."""
    return max(1, math.ceil(seconds - time.time() % seconds))
