"""Database, replica, broker and cache."""

from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from config import broker, cache, environment, servers
from config.settings.running import DATA_DIR


def _database(name: str, url: str) -> dict[str, Any]:
    """Return the database of a URL, else the embedded PostgreSQL."""
    if not url:
        database = servers.database(DATA_DIR)
    elif urlsplit(url).scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(
            f"{name} must begin with postgresql://: Tessera needs PostgreSQL."
        )
    else:
        try:
            database = dict(dj_database_url.parse(url))
            if {"@", "/"} & {*database["NAME"]}:  # of a password that ended too early
                raise ValueError("The name of the database holds a part of an address.")
        except ValueError as error:  # whose text may hold the password
            raise ImproperlyConfigured(
                f"{name} cannot be read: it is postgresql://USER:PASSWORD@HOST:5432/NAME, with"
                " special characters of the password written as %40 and the like."
            ) from error
    # A database that was restarted is used again.
    return {
        **database,
        "ENGINE": "config.postgresql",
        "CONN_HEALTH_CHECKS": True,
        "CONN_MAX_AGE": DATABASE_CONNECTION_SECONDS,
    }


def _cache(url: str, broker_url: str) -> dict[str, Any]:
    """`CACHE_URL`, else the broker where it is a Redis or Valkey, else the process's own memory."""
    if url and urlsplit(url).scheme not in cache.SCHEMES:
        raise ImproperlyConfigured("CACHE_URL must begin with redis://, rediss:// or unix://.")
    if location := url or cache.url_of_broker(broker_url):
        backend = f"{cache.SharedCache.__module__}.{cache.SharedCache.__qualname__}"
        return {"BACKEND": backend, "LOCATION": location, "KEY_PREFIX": "tessera-cache"}
    backend = f"{cache.OwnCache.__module__}.{cache.OwnCache.__qualname__}"
    return {"BACKEND": backend, "OPTIONS": {"MAX_ENTRIES": 100_000}}


environment.section("Servers")
_database_url = environment.text(
    "DATABASE_URL",
    secret=True,
    shown="the embedded PostgreSQL",
    about="a PostgreSQL of your own, best with the extension [pg_trgm](#a-postgresql-of-your-own)",
)
_direct_url = environment.text(
    "DATABASE_DIRECT_URL",
    secret=True,
    about="the same database past a pooler, for `migrate` and `dbshell`",
)
if _direct_url and not _database_url:
    raise ImproperlyConfigured("Set DATABASE_URL with DATABASE_DIRECT_URL, or neither.")
DATABASE_CONNECTION_SECONDS = environment.number(
    "DATABASE_CONNECTION_SECONDS",
    0,
    shown="`0`, but 60 in workers and beat",
    about="seconds for which a connection that is in no pool is kept for the next request or task",
)
DATABASES = {"default": _database("DATABASE_URL", _database_url)}
_replica_url = environment.text(
    "DATABASE_REPLICA_URL",
    secret=True,
    about="a standby of that database, from which is read [what takes long](#a-replica)",
)
if _replica_url and not _database_url:
    raise ImproperlyConfigured("Set DATABASE_URL with DATABASE_REPLICA_URL, or neither.")
if _replica_url:
    DATABASES["replica"] = _database("DATABASE_REPLICA_URL", _replica_url)
    DATABASES["replica"]["TEST"] = {"MIRROR": "default"}
DATABASE_REPLICA_SECONDS = environment.number(
    "DATABASE_REPLICA_SECONDS",
    2,
    about="seconds that a reader waits for the standby to have all that was stored before",
)
DATABASE_DIRECT = _database("DATABASE_DIRECT_URL", _direct_url) if _direct_url else {}
_options = DATABASES["default"].setdefault("OPTIONS", {})
_prepare = environment.text(
    "DATABASE_PREPARE",
    options=("0", "1"),
    shown="`1`, but 0 [behind a pooler](#behind-pgbouncer)",
    about="whether the frequent queries are prepared once a connection",
)
DATABASE_PREPARE = _prepare == "1" if _prepare else None  # None: unless there is a pooler
_pool = {
    "min_size": 2,
    "max_size": environment.number(
        "DATABASE_POOL_SIZE", 16, least=2, about="connections of the pool of a process at most"
    ),
}
if environment.flag(  # the web process: many threads, few connections
    "DATABASE_POOL",
    False,
    shown="`0`, but 1 under `config/wsgi.py`",
    about="whether the threads of a process share a pool of connections",
):
    _options["pool"] = _pool
    DATABASES["default"]["CONN_MAX_AGE"] = 0  # the pool keeps them
_broker_url = environment.text(
    "CELERY_BROKER_URL",
    secret=True,
    shown="the embedded Valkey",
    about="a Redis or Valkey of your own (redis://, rediss://), or RabbitMQ (amqp://, amqps://)",
)
_cache_url = environment.text(
    "CACHE_URL",
    secret=True,
    shown="the broker, if it is a Redis or Valkey",
    about="a Redis or Valkey for the cache: redis://, rediss:// or unix://",
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The broker only wakes workers: everything that it carries can be found again in the database.
CELERY_BROKER_URL = broker.checked(_broker_url or servers.broker_url(DATA_DIR))
# One cache for all processes. Without a Redis (the broker is RabbitMQ and CACHE_URL is not set),
# each process has a cache, and counts limits, of its own.
CACHES = {"default": _cache(_cache_url, CELERY_BROKER_URL)}
CELERY_BROKER_TRANSPORT_OPTIONS = broker.transport_options(CELERY_BROKER_URL)
CELERY_BROKER_CONNECTION_TIMEOUT = broker.CONNECT_SECONDS
