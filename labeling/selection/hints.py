"""Remember hints between choices in Django's cache.

A hint saves work and decides nothing: without one, or without a cache, a choice looks again. The
values are plain (numbers, text, lists), so that any cache can hold them.
"""

import hashlib
import logging
from typing import Any

from django.core.cache import cache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)


def key(name: str, *depends_on: object) -> str:
    """Return the key of a hint, with all that it depends on in it."""
    digest = hashlib.sha256(repr(depends_on).encode()).hexdigest()
    return f"{name}:{digest[:32]}"


def get(key: str) -> Any:
    """Return the hint, or None where there is none."""
    try:
        return cache.get(key)
    except (OSError, RedisError) as error:
        logger.warning("The cache cannot be read: %s", error)
        return None


def put(key: str, value: Any, seconds: int) -> None:
    """Keep the hint for some seconds, if the cache allows."""
    try:
        cache.set(key, value, seconds)
    except (OSError, RedisError) as error:
        logger.warning("The cache cannot be written: %s", error)
