"""One cache for all web and worker processes, on the Redis or Valkey that is there.

Limits are counted in it, each count in one step of the server, however many count at once.
"""

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any, ClassVar, cast
from urllib.parse import parse_qs, urlencode, urlsplit

from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis.exceptions import OutOfMemoryError, RedisError

logger = logging.getLogger(__name__)

RETRY_SECONDS = 2.0  # for which a server that failed is not asked again
TIMEOUT_SECONDS = 1.0  # after which a server that does not answer has failed
SCHEMES = {"redis", "rediss", "unix"}

Calls = list[tuple[int, int]]  # by second: (when, how many), the oldest first

# KEYS: what is limited. ARGV: the time, the seconds for which a call counts, and how many calls
# each key allows. A call that one key refuses is counted at the others. Each key's answer: whether
# the call is counted there, and seconds and counts in turn.
COUNT_CALLS = """
local now, window, answer = tonumber(ARGV[1]), tonumber(ARGV[2]), {}
for at, key in ipairs(KEYS) do
    local kept, total, calls = redis.call('HGETALL', key), 0, {}
    for field = 1, #kept, 2 do
        if tonumber(kept[field]) + window + 1 > now then
            total = total + tonumber(kept[field + 1])
            table.insert(calls, kept[field])
            table.insert(calls, kept[field + 1])
        else
            redis.call('HDEL', key, kept[field])
        end
    end
    local counted = 0
    if total < tonumber(ARGV[2 + at]) then
        local second = string.format('%d', math.floor(now))
        counted = redis.call('HINCRBY', key, second, 1)
        redis.call('EXPIRE', key, window + 1)
    end
    answer[at] = {counted, calls}
end
return answer
"""


def url_of_broker(broker_url: str) -> str:
    """Return the URL under which redis-py reaches Celery's broker; empty if it is no Redis."""
    parts = urlsplit(broker_url)
    if parts.scheme == "redis+socket":
        database = parse_qs(parts.query).get("virtual_host", ["0"])[0].strip("/")
        return f"unix://{parts.path}?{urlencode({'db': database})}"
    return broker_url if parts.scheme in SCHEMES else ""


class JSONSerializer:
    """Keep values as JSON, so that nobody who can write to the server can run code here.

    What comes back has lists for tuples and strings for the keys of mappings.
    """

    def dumps(self, value: Any) -> bytes:
        return json.dumps(value).encode()

    def loads(self, data: bytes) -> Any:
        return json.loads(data)


class _Client(RedisCacheClient):
    """Share connections among the threads of a process, each of which has a cache of its own."""

    _shared_pools: ClassVar[dict[tuple[str, ...], dict[int, Any]]] = {}
    _shared_clients: ClassVar[dict[Any, Any]] = {}  # by pool: to make one takes longer than to ask

    def __init__(self, servers: list[str], **options: Any) -> None:
        super().__init__(servers, **options)
        self._pools = self._shared_pools.setdefault(tuple(servers), {})

    def get_client(self, key: Any = None, *, write: bool = False) -> Any:
        django_client = cast(Any, self)  # whose stubs lack these two
        pool = django_client._get_connection_pool(write)
        if pool not in self._shared_clients:
            self._shared_clients[pool] = django_client._client(connection_pool=pool)
        return self._shared_clients[pool]

    def set_many(self, data: Any, timeout: Any) -> None:
        """Set values in one round trip, each with its timeout in the same command."""
        client = self.get_client(None, write=True)
        if timeout == 0:
            client.delete(*data)
            return
        pipeline = client.pipeline(transaction=False)
        for key, value in data.items():
            pipeline.set(key, cast(Any, self)._serializer.dumps(value), ex=timeout)
        pipeline.execute()

    def count_many(self, timeouts: Mapping[str, int]) -> list[int]:
        """Count one more at each of these keys in one round trip; return how many there are."""
        client = self.get_client(None, write=True)
        pipeline = client.pipeline(transaction=False)
        for key, timeout in timeouts.items():
            pipeline.incr(key).expire(key, timeout)
        return [int(count) for count in pipeline.execute()[::2]]

    def count_calls(
        self, limits: Mapping[str, int], *, now: float, window: int
    ) -> list[tuple[bool, Calls]]:
        client = self.get_client(None, write=True)
        script = client.register_script(COUNT_CALLS)
        answers = script(keys=list(limits), args=[f"{now:.3f}", window, *limits.values()])
        return [
            _calls(int(counted), [int(each) for each in kept], int(now))
            for counted, kept in answers
        ]

    def delete_matching(self, pattern: str) -> None:
        client = self.get_client(None, write=True)
        if keys := list(client.scan_iter(match=pattern, count=1000)):
            client.delete(*keys)


def _calls(counted: int, kept: Sequence[int], second: int) -> tuple[bool, Calls]:
    """Return whether a call was counted, and all that count by now.

    counted: how many there are in its second; 0: it was not. kept: seconds and counts in turn,
    before it.
    """
    calls = dict(zip(kept[::2], kept[1::2], strict=True))
    if counted:
        calls[second] = counted
    return bool(counted), sorted(calls.items())


class _Outage:
    """Whether the server is away, as far as this process knows."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._retry_at: float | None = None
        self.is_full = False

    def skips(self) -> bool:
        """Return whether it failed so recently that asking again is not worth the wait."""
        return self._retry_at is not None and time.monotonic() < self._retry_at

    def begin(self, error: Exception) -> None:
        with self._lock:
            if self._retry_at is None:
                logger.warning("The cache is away, answers go on without it: %s", error)
            self._retry_at = time.monotonic() + RETRY_SECONDS
            self.is_full = isinstance(error, OutOfMemoryError) or "MISCONF" in str(error)

    def end(self) -> None:
        if self._retry_at is None:
            return
        with self._lock:
            self._retry_at = None
        logger.warning("The cache is back.")


_outage = _Outage()


def why_away() -> str:
    """Say what was wrong when the server failed last."""
    if _outage.is_full:
        return "It is full: give it more memory, or free its disk."
    return "It is away."


def _or_empty(name: str) -> Callable[..., Any]:
    """Return a method of `RedisCache` that behaves as an empty cache while the server is away."""
    ask = getattr(RedisCache, name)

    def method(self: "SharedCache", *args: Any, **kwargs: Any) -> Any:
        if not _outage.skips():
            try:
                value = ask(self, *args, **kwargs)
            except (RedisError, OSError) as error:
                _outage.begin(error)
            else:
                _outage.end()
                return value
        return getattr(self._empty, name)(*args, **kwargs)

    method.__name__ = name
    return method


class SharedCache(RedisCache):
    """Django's Redis cache, but answers go on while its server is away.

    It is then as if the cache were empty: figures are computed again, and every limit that is
    counted in the cache (REST framework's throttles, attempts to sign in or up) lets everybody
    through until the server is back. The first failure is logged, and the return.

    Keys have a prefix, so the server may be the one that carries Celery's messages; `clear`
    deletes the keys with that prefix alone.
    """

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = _Client
        self._empty: BaseCache = DummyCache(server, params)
        timeouts = {"socket_timeout": TIMEOUT_SECONDS, "socket_connect_timeout": TIMEOUT_SECONDS}
        options = params.get("OPTIONS", {})
        self._options = {"serializer": JSONSerializer, **timeouts, **options}

    add = _or_empty("add")
    get = _or_empty("get")
    set = _or_empty("set")
    touch = _or_empty("touch")
    delete = _or_empty("delete")
    has_key = _or_empty("has_key")
    incr = _or_empty("incr")
    get_many = _or_empty("get_many")
    set_many = _or_empty("set_many")
    delete_many = _or_empty("delete_many")

    def count_many(self, timeouts: Mapping[str, int]) -> list[int]:
        """Count one more at each key, which is kept for so many seconds from now on.

        Return how many there are at each; 0 everywhere while the server is away.
        """
        if not _outage.skips():
            keys = {self.make_key(key): seconds for key, seconds in timeouts.items()}
            try:
                counts = cast(_Client, self._cache).count_many(keys)
            except (RedisError, OSError) as error:
                _outage.begin(error)
            else:
                _outage.end()
                return counts
        return [0] * len(timeouts)

    def count_calls(
        self, limits: Mapping[str, int], *, now: float, window: int
    ) -> dict[str, tuple[bool, Calls]]:
        """Count a call at each key of which fewer than so many count; one counts for a window.

        Return for each whether it was counted, and all calls that count. While the server is away,
        none does, and this one is let through.
        """
        if not _outage.skips():
            keys = {self.make_key(key): most for key, most in limits.items()}
            try:
                calls = cast(_Client, self._cache).count_calls(keys, now=now, window=window)
            except (RedisError, OSError) as error:
                _outage.begin(error)
            else:
                _outage.end()
                return dict(zip(limits, calls, strict=True))
        return {key: _calls(1, [], int(now)) for key in limits}

    def clear(self) -> None:
        try:
            cast(_Client, self._cache).delete_matching(self.make_key("*"))
        except (RedisError, OSError) as error:
            _outage.begin(error)


class OwnCache(LocMemCache):
    """The memory of one process, which counts as `SharedCache` does, but for this process alone."""

    _counting: ClassVar[Lock] = Lock()

    def count_many(self, timeouts: Mapping[str, int]) -> list[int]:
        """Count one more at each key; return how many there are at each."""
        with self._counting:
            for key, timeout in timeouts.items():
                self.set(key, self.get(key, 0) + 1, timeout)
            return [self.get(key, 0) for key in timeouts]

    def count_calls(
        self, limits: Mapping[str, int], *, now: float, window: int
    ) -> dict[str, tuple[bool, Calls]]:
        """Count a call at each key of which fewer than so many count; one counts for a window."""
        with self._counting:
            return {key: self._count_call(key, most, now, window) for key, most in limits.items()}

    def _count_call(self, key: str, most: int, now: float, window: int) -> tuple[bool, Calls]:
        kept = {at: count for at, count in self.get(key, []) if at + window + 1 > now}
        total = sum(kept.values())
        if total < most:
            kept[int(now)] = kept.get(int(now), 0) + 1
            self.set(key, sorted(kept.items()), window + 1)
        return total < most, sorted(kept.items())
