"""A broker or a cache at which nobody answers, or which refuses this machine."""

from contextlib import closing
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning
from redis import Redis, RedisError

from config.cache import url_of_broker
from config.celery import app

SECONDS = 2


def check_broker(**kwargs: Any) -> list[CheckMessage]:
    """Connect to the broker, and to the cache where it lies elsewhere; keep no connection."""
    found: list[CheckMessage] = []
    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=SECONDS)
    except Exception as error:  # the drivers' own kinds among them
        found.append(_unreachable("broker", "CELERY_BROKER_URL", error))
    location = settings.CACHES["default"].get("LOCATION", "")
    if location and location != url_of_broker(settings.CELERY_BROKER_URL):
        limits = {"socket_timeout": SECONDS, "socket_connect_timeout": SECONDS}
        try:
            with closing(Redis.from_url(location, **limits)) as cache:
                cache.ping()
        except (RedisError, ValueError) as error:
            found.append(_unreachable("cache", "CACHE_URL", error))
    return found


def _unreachable(what: str, variable: str, error: Exception) -> CheckMessage:
    reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return Warning(
        f"The {what} cannot be reached ({reason}): start it, or correct {variable}.",
        id="config.W026",
    )
