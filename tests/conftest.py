"""The servers behind the tests: a PostgreSQL and a Valkey for each test process."""

import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import django
import psycopg
import pytest
import pytest_django
from django.conf import settings
from django.contrib.staticfiles import handlers
from django.db import connection
from django.test import TransactionTestCase, testcases
from psycopg_pool import ConnectionPool
from xdist.remote import Producer
from xdist.scheduler.loadfile import LoadFileScheduling

from config import servers
from labeling import picture_cache
from labeling.stored_folders import ownership
from tests import emptying
from tests.live_requests import CountingHandler, close_pool
from tests.services import pgbouncer

pytest_plugins = [
    "tests.browser",
    "tests.buckets",
    "tests.cast",
    "tests.openid_provider",
    "tests.receiver",
    "tests.worker",
]
TOGETHER = "tests/training/engine/"  # in one process, which trains what they share once
LONGEST = (
    TOGETHER,
    "tests/training/test_worker.py",
    "tests/frontend/test_accessibility.py",
    "tests/config/test_demo.py",
    "tests/frontend/test_every_page.py",
    "tests/test_loop.py",
    "tests/labeling/api/test_fuzz.py",
    "tests/labeling/api/test_roles.py",
    "tests/training/test_commands.py",
)
_until_the_end = ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers before the settings are read, which happens here and not sooner.

    Under `pytest -n` each worker does so; the process that hands out the tests needs neither.
    """
    if not hasattr(config, "workerinput") and config.getoption("numprocesses", None):
        os.environ.pop("DJANGO_SETTINGS_MODULE", None)  # the workers would read them too soon
        return
    for name in ("DATABASE_URL", "CACHE_URL", "CELERY_BROKER_URL", "SECRET_KEY", "DEBUG", "HTTPS"):
        os.environ.pop(name, None)
    os.environ["ENV_FILE"] = ""  # no .env of whoever runs the tests
    os.environ["OMP_NUM_THREADS"] = "1"  # two of PyTorch's on a core wait for each other, busily
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else each process that is started compiles
    sys.dont_write_bytecode = False
    data_dir = tempfile.mkdtemp(prefix="tessera-tests-")
    _until_the_end.callback(shutil.rmtree, data_dir, ignore_errors=True)
    Path(data_dir, "static").mkdir()  # which WhiteNoise expects
    os.environ["DATA_DIR"] = data_dir
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright runs an event loop in this thread
    try:
        _until_the_end.enter_context(servers.ensure(Path(data_dir)))
    except servers.EmbeddedError as error:
        raise pytest.UsageError(str(error)) from error
    _write_without_waiting(Path(data_dir))
    if os.environ.get("THROUGH_PGBOUNCER"):
        _pool_connections(Path(data_dir))
    django.setup()
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick
    settings.WHITENOISE_AUTOREFRESH = True  # else each client looks through all static files
    settings.WHITENOISE_MAX_AGE = 3600  # seconds, in which a browser asks for no file again
    TransactionTestCase._fixture_teardown = lambda _: emptying.empty_tables()
    _serve_as_the_product_does()
    picture_cache._begun = True  # each test has a cache of its own, and few pictures in it
    gc.collect()
    gc.disable()  # until all is imported


def pytest_collection_finish() -> None:
    """Keep all modules and tests out of what the collector of garbage looks through.

    It would look through them again and again, for a sixth of the time.
    """
    gc.enable()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, lest one worker is at it when the other has nothing left."""

    def place(item: pytest.Item) -> int:
        longest = (at for at, start in enumerate(LONGEST) if item.nodeid.startswith(start))
        return next(longest, len(LONGEST))

    items.sort(key=place)


class ByFile(LoadFileScheduling):
    """Hands each worker a file at a time, and one of them all that is to stay together."""

    def _split_scope(self, nodeid: str) -> str:
        return TOGETHER if nodeid.startswith(TOGETHER) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile | None:
    """Let `--dist loadfile` keep together what shares more than a file."""
    return ByFile(config, log) if config.getoption("dist") == "loadfile" else None


def _serve_as_the_product_does() -> None:
    """Let live servers have nothing but the product's own handler, which serves its files, too."""
    handlers.StaticFilesHandler = lambda handler: handler
    testcases._MediaFilesHandler = lambda _handler: CountingHandler()  # it would publish them
    ConnectionPool._jitter = lambda _pool, value, *_: value  # a draw of what `chance` seeds


def _write_without_waiting(data_dir: Path) -> None:
    """Let the database leave it to the system when to write to the disk: it ends with the tests.

    Nor does it vacuum: between two tests tables are empty, and whoever plans for that joins each
    row with each.
    """
    with psycopg.connect(servers.database_url(data_dir), autocommit=True) as database:
        for name in ("fsync", "full_page_writes", "synchronous_commit", "autovacuum"):
            database.execute(f"ALTER SYSTEM SET {name} = off")
        database.execute("SELECT pg_reload_conf()")


def _pool_connections(data_dir: Path) -> None:
    """Have all that asks the database do so by way of a PgBouncer."""
    pooler = pgbouncer.PgBouncer(data_dir)
    pooler.start()
    _until_the_end.callback(pooler.stop)
    os.environ["DATABASE_URL"] = pgbouncer.database_url(data_dir)


def pytest_unconfigure() -> None:
    _until_the_end.close()


@pytest.fixture(autouse=True)
def of_any_installation() -> Iterator[None]:
    """Let each test have a storage of its own, whatever installation one before it has begun."""
    yield
    ownership.expect("")


@pytest.fixture(scope="session")
def django_db_setup(
    django_db_setup: None, django_db_blocker: pytest_django.DjangoDbBlocker
) -> Iterator[None]:
    """End the sessions that killed processes left, which would keep the database from going."""
    yield
    close_pool()
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
