"""Run processes in the foreground until a signal comes: what `serve`, `worker` and `beat` share."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from django.conf import settings
from django.core.management.base import CommandError
from django.db import connection

from config import servers, start
from config.management import database, interrupts
from config.servers.client import Client
from config.servers.restarts import Restarts
from config.servers.supervisor import Service, Supervisor, SupervisorError

POLL = 0.5  # seconds between two looks at the processes
logger = logging.getLogger(__name__)


def run(
    services: Sequence[Service],
    *,
    role: str,
    grace: float,
    ready: str,
    write: Callable[[str], None],
) -> None:
    """Run services with their output in this one's, the database and the broker behind them.

    What `config.start` looks at for this role comes first. A service that dies is started again.
    When a signal comes, they have `grace` seconds to end. Where the log is for programs, what is
    to be said is a record of it, too. Raises `CommandError`.
    """
    if settings.LOG_FORMAT == "json":
        write = logger.info
    interrupts.raise_on_signals()
    try:
        with _servers() as client:
            start.check(role)
            supervisor = Supervisor(
                data_dir=settings.DATA_DIR, notify=write, logs=False, grace=grace
            )
            try:
                for service in services:
                    supervisor.start(service)
                write(ready)
                watch(supervisor, client, write)
            finally:
                interrupts.ignore_signals()
                supervisor.stop()
    except interrupts.Interrupted:
        pass
    except (servers.EmbeddedError, SupervisorError) as error:
        raise CommandError(str(error)) from error


def watch(supervisor: Supervisor, client: Client, write: Callable[[str], None]) -> None:
    """Restart services that died, and the embedded servers' daemon if it was killed."""
    restarts = Restarts()
    while True:
        if not client.is_connected():
            if not restarts.allow_another():
                raise SupervisorError("PostgreSQL and Valkey keep dying: see their logs.")
            write("PostgreSQL and Valkey died. They are started again.")
            client.connect()
        supervisor.check()
        time.sleep(POLL)


@contextmanager
def _servers() -> Iterator[Client]:
    with servers.ensure(settings.DATA_DIR) as client:
        database.connect()
        database.set_up()
        connection.close()
        yield client
