"""The whole of Tessera on one machine, with the demo project: what `make demo` runs."""

import fcntl
import os
import secrets
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from config import servers
from config.servers.paths import in_use, make_data_dir
from config.servers.supervisor import Service, Supervisor, SupervisorError

PATIENCE = 60.0  # seconds for the first page
WEB_WORKERS, WEB_THREADS, TASKS_AT_ONCE = 2, 8, 2


class _Stop(BaseException):
    """Somebody asked for the end."""


class Command(BaseCommand):
    help = "Run everything with the demo project; PORT, HOST and DATA_DIR are honoured."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        data_dir: Path = settings.DATA_DIR
        host, port = _address()
        _stop_on_signals()
        try:
            with (
                _listening(host, port) as listener,
                _alone(data_dir),
                servers.ensure(data_dir) as up,
            ):
                password = self._prepare(data_dir)
                supervisor = Supervisor(data_dir=data_dir, say=self._say)
                try:
                    _start(supervisor, listener, data_dir)
                    _wait_for_page(supervisor, host, port)
                    self._ready(host, port, data_dir, password)
                    _watch(supervisor, up)
                finally:
                    _ignore_signals()
                    self._say("Stopping.")
                    supervisor.stop()
        except _Stop:
            pass
        except (servers.EmbeddedError, SupervisorError) as error:
            raise CommandError(str(error)) from error

    def _prepare(self, data_dir: Path) -> str | None:
        """Bring the database up to date and fill it; gives the admin's password if it is new."""
        call_command("migrate", verbosity=0, interactive=False)
        call_command("load_demo")
        password = _make_admin(data_dir / "admin-password")
        connection.close()
        return password

    def _ready(self, host: str, port: int, data_dir: Path, password: str | None) -> None:
        url = _url(host, port)
        self._say(f"Tessera is ready at {url}")
        self._say(f"  Take part at {url}, review, train and draw at {url}admin/ as 'admin'.")
        if password:
            self._say(f"  A password was made for 'admin': {password}")
        self._say(
            f"  It is kept in {data_dir / 'admin-password'}, the logs in {data_dir / 'logs'}."
        )
        self._say("  Ctrl-C stops everything; the data stays.")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


def _address() -> tuple[str, int]:
    port = os.environ.get("PORT") or "8000"
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise CommandError(f"PORT must be a number from 1 to 65535, not {port!r}.")
    return os.environ.get("HOST") or "127.0.0.1", int(port)


def _url(host: str, port: int) -> str:
    return f"http://{'127.0.0.1' if host in {'0.0.0.0', '::'} else host}:{port}/"


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """The web process's socket, taken here so that a taken port is known before anything else."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(128)
        except OSError as error:
            raise CommandError(
                f"Port {port} of {host} cannot be used ({error.strerror}): "
                "stop what uses it, or choose another one, as in PORT=8001 make demo."
            ) from error
        yield listener


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """Hold the data folder against a second demo; commands may still use its servers."""
    make_data_dir(data_dir)
    with (data_dir / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise in_use(data_dir) from None
        yield


def _make_admin(path: Path) -> str | None:
    """Make the user `admin` once; the password is kept beside the data, for its owner alone."""
    users = get_user_model().objects
    if users.filter(username="admin").exists():
        return None
    password = secrets.token_urlsafe(12)
    path.unlink(missing_ok=True)
    with open(path, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(password + "\n")
    users.create_superuser("admin", password=password)
    return password


def _start(supervisor: Supervisor, listener: socket.socket, data_dir: Path) -> None:
    web = ["-m", "gunicorn", "config.wsgi", "--bind", f"fd://{listener.fileno()}"]
    web += ["--workers", str(WEB_WORKERS), "--threads", str(WEB_THREADS)]
    web += ["--graceful-timeout", "3", "--no-control-socket"]
    worker = ["-m", "celery", "-A", "config.celery", "worker", "-l", "INFO"]
    worker += ["--without-gossip", "--without-mingle"]
    sampler = [*worker, "-Q", "generate", "-P", "solo", "-n", "sampler@%h"]
    worker += ["-B", "-s", str(data_dir / "beat-schedule"), "-Q", "celery"]
    worker += ["-c", str(TASKS_AT_ONCE), "-n", "worker@%h"]
    supervisor.start(Service("web", [sys.executable, *web], fds=(listener.fileno(),)))
    supervisor.start(Service("worker", [sys.executable, *worker]))
    supervisor.start(Service("sampler", [sys.executable, *sampler]))


def _wait_for_page(supervisor: Supervisor, host: str, port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        supervisor.check()
        try:
            urllib.request.urlopen(_url(host, port), timeout=10).close()
            return
        except urllib.error.HTTPError as error:
            raise SupervisorError(
                f"The first page fails ({error}): see the log of 'web'."
            ) from error
        except OSError:
            if time.monotonic() > deadline:
                raise SupervisorError("The web process does not answer: see its log.") from None
        time.sleep(0.2)


def _watch(supervisor: Supervisor, up: Callable[[], bool]) -> None:
    while True:
        if not up():
            raise SupervisorError("PostgreSQL or Valkey died: see their logs, and start again.")
        supervisor.check()
        time.sleep(0.5)


def _stop_on_signals() -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        _ignore_signals()
        raise _Stop

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    threading.Thread(target=_stop_with_make, daemon=True).start()


def _stop_with_make() -> None:
    """Make holds a SIGINT back until its recipe has ended, which therefore has to look for it."""
    while not _make_was_interrupted():
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)


def _make_was_interrupted() -> bool:
    try:
        lines = Path(f"/proc/{os.getppid()}/status").read_text().splitlines()
    except OSError:
        return False
    parent = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    held_back = int(parent["SigBlk"], 16) >> (signal.SIGINT - 1) & 1
    return parent["Name"] == "make" and bool(held_back)


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
