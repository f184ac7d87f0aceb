"""Limits on how often anybody may call the API."""

import hashlib
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, cast

from django.conf import settings
from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from labeling.addresses import client_address
from labeling.api import visitors

if TYPE_CHECKING:  # views import this module by their settings
    from rest_framework.views import APIView

CROWD = 20  # annotators who may share an address: a class, an office
WINDOW = 60  # seconds for which a call counts

Seconds = list[tuple[int, int]]  # by second: (when, how many), the oldest first


def _address(request: Request) -> str:
    return client_address(request._request)


def _annotator(request: Request) -> str:
    annotator = visitors.known(request)
    return str(annotator.pk) if annotator else _address(request)


def _newcomer(request: Request) -> str | None:
    return None if visitors.known(request) else _address(request)


def _account(request: Request) -> str | None:
    if request.auth is not None:
        return f"token-{request.auth.pk}"
    return f"user-{request.user.pk}" if request.user.is_authenticated else None


class Limit(NamedTuple):
    """`times` times `CHALLENGE_RATE`, or another setting, calls a minute of the same caller."""

    scope: str
    times: int
    caller: Callable[[Request], str | None]  # None: the limit is not for them
    setting: str = "CHALLENGE_RATE"


class RateLimit(NamedTuple):
    """How many calls a caller has left, by the limit that is nearest."""

    scope: str
    most: int
    left: int
    seconds: int  # until the oldest call no longer counts
    window: int


ADDRESS = Limit("address", CROWD, _address)  # all calls from one address
NEWCOMERS = Limit("newcomers", 1, _newcomer)  # pseudonyms given to one address
ASKS = Limit("asks", 3, _annotator)  # more than answers, as some challenges are prefetched
AHEAD = Limit("ahead", 4, _annotator)  # fetched to be answered offline
ANSWERS = Limit("answers", 1, _annotator)  # or skips
FLAGS = Limit("flags", 1, _annotator)
CALLS = Limit("calls", 1, _account, "API_RATE")  # of a token, or of who is signed in
CALLS_OF_ADDRESS = Limit("address-calls", CROWD, _address, "API_RATE")
PARTS = Limit("parts", 10, _account, "API_RATE")  # of uploads
# Times `CHALLENGE_RATE` pictures of tiles a minute. All challenges that may be fetched ahead in a
# minute have 4 × 16 at most; the people of an address see as many as a few of them fetch ahead.
TILES = 64
TILES_PER_ADDRESS = 4 * TILES


class _PerMinute(BaseThrottle):
    """Hold a call to several limits at once, in one step of the cache.

    A limit counts the calls of each of the last sixty seconds, so that its cost is the same
    however many are allowed. Calls beyond it are not counted.
    """

    limits: ClassVar[tuple[Limit, ...]] = ()

    def __init__(self) -> None:
        self._wait = 0.0

    def allow_request(self, request: Request, view: "APIView") -> bool:
        now = time.time()
        scopes = {
            f"calls:{limit.scope}:{caller}": limit
            for limit in self.limits
            if (caller := limit.caller(request)) is not None
        }
        rates = {
            key: getattr(settings, limit.setting) * limit.times for key, limit in scopes.items()
        }
        counted = _count_calls(rates, now)
        exceeded = [key for key, (is_counted, _) in counted.items() if not is_counted]
        calls = {key: counts for key, (_, counts) in counted.items()}
        self._wait = max((_seconds_left(calls[key], now) for key in exceeded), default=0.0)
        request._request.rate_limit = min(  # type: ignore[attr-defined]
            (_rate_limit(scopes[key].scope, rates[key], calls[key], now) for key in rates),
            key=lambda limit: limit.left,
            default=None,
        )
        return not exceeded

    def wait(self) -> float:
        """Return the seconds until the oldest call no longer counts."""
        return self._wait


class Calls(_PerMinute):
    """Limit the calls of a token, of an account, and of an address, wherever nothing else is."""

    limits = (CALLS, CALLS_OF_ADDRESS)


class Parts(_PerMinute):
    """Limit the requests that bring parts of files."""

    limits = (PARTS,)


class Visits(_PerMinute):
    """Limit all calls."""

    limits = (ADDRESS,)


class Asks(_PerMinute):
    """Limit the challenges issued to one annotator, and to newcomers."""

    limits = (ADDRESS, NEWCOMERS, ASKS)


class AsksAhead(_PerMinute):
    """Limit the challenges that one annotator fetches ahead."""

    limits = (ADDRESS, NEWCOMERS, AHEAD)


class Answers(_PerMinute):
    """Limit the challenges answered or skipped by one annotator."""

    limits = (ADDRESS, ANSWERS)


class Flags(_PerMinute):
    """Limit the tiles flagged by one annotator."""

    limits = (ADDRESS, FLAGS)


class Begun(BaseThrottle):
    """Limit what one account, or one address without an account, begins in a minute."""

    scope: ClassVar[str]
    most: ClassVar[int]

    def __init__(self) -> None:
        self._wait = 0.0

    def allow_request(self, request: Request, view: "APIView") -> bool:
        now = time.time()
        user = request.user
        caller = f"user-{user.pk}" if user.is_authenticated else _address(request)
        key = f"calls:{self.scope}:{caller}"
        ((is_counted, calls),) = _count_calls({key: self.most}, now).values()
        self._wait = 0.0 if is_counted else _seconds_left(calls, now)
        return is_counted

    def wait(self) -> float:
        """Return the seconds until the oldest call no longer counts."""
        return self._wait


class Tiles(BaseThrottle):
    """Limit the pictures of tiles that are sent to one browser or account, and to one address.

    They are counted at once for all processes, however many are asked for together, by the minute.
    It reads no row: whoever invents cookies is limited by address.
    """

    def __init__(self) -> None:
        self._wait = 0.0

    def allow_request(self, request: Request, view: "APIView") -> bool:
        now = time.time()
        minute, seconds = divmod(now, WINDOW)
        callers = {_browser(request): TILES, _address(request): TILES_PER_ADDRESS}
        exceeded = [
            caller
            for caller, times in callers.items()
            if _count(f"tiles:{caller}:{int(minute)}") > settings.CHALLENGE_RATE * times
        ]
        self._wait = WINDOW - seconds
        return not exceeded

    def wait(self) -> float:
        """Return the seconds until the next minute begins."""
        return self._wait


def _rate_limit(scope: str, most: int, calls: Seconds, now: float) -> RateLimit:
    left = max(0, most - sum(count for _, count in calls))
    seconds = math.ceil(_seconds_left(calls, now)) if calls else WINDOW
    return RateLimit(scope, most, left, seconds, WINDOW)


def _count_calls(limits: dict[str, int], now: float) -> dict[str, tuple[bool, Seconds]]:
    """Count a call where that is allowed; return where it was, and all calls that count."""
    counted: dict[str, tuple[bool, Seconds]] = cast(Any, cache).count_calls(
        limits, now=now, window=WINDOW
    )
    return counted


def _seconds_left(calls: Seconds, now: float) -> float:
    """Return the seconds until the oldest call no longer counts."""
    return calls[0][0] + WINDOW + 1 - now if calls else 0.0


def _browser(request: Request) -> str:
    """Return who asks, as far as the request says it: an account, or a cookie."""
    caller = f"{request.user.pk} {request.COOKIES.get(settings.PSEUDONYM_COOKIE)}"
    return hashlib.sha256(caller.encode(errors="replace")).hexdigest()


def _count(key: str) -> int:
    """Count a call; return how many there were. Nothing is counted while the cache is away."""
    cache.add(key, 0, WINDOW + 1)
    try:
        return int(cache.incr(key))
    except ValueError:
        return 0
