"""PostgreSQL on a unix socket."""

import shutil
import signal
import subprocess
from pathlib import Path

import psycopg
from psycopg import sql

from config.servers import identity, programs
from config.servers.paths import DATABASE, PORT, USER, EmbeddedError, open_log, socket_dir
from config.servers.server import Server, environment
from labeling.processes import bound

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


class PostgreSQL(Server):
    name = "postgresql"
    programs = frozenset({"postgres"})
    stop_signal = signal.SIGINT  # a fast shutdown: nobody is waited for

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir)
        self.identity = identity.choose()

    def prepare(self) -> None:
        if self.folder.exists():
            self._check_version()
        else:
            self._initialise()
        identity.give(self.folder, self.identity.owner)
        (self.folder / "postmaster.pid").unlink(missing_ok=True)
        for stale in socket_dir(self.data_dir).glob(".s.PGSQL.*"):
            stale.unlink(missing_ok=True)

    def command(self) -> list[str]:
        settings = SETTINGS | {"unix_socket_directories": str(socket_dir(self.data_dir))}
        command = [
            str(programs.find_postgresql() / "postgres"),
            "-D",
            str(self.folder),
            "-p",
            str(PORT),
        ]
        for key, value in settings.items():
            command += ["-c", f"{key}={value}"]
        return [*self.identity.prefix, *bound(command, at_death=signal.SIGQUIT)]

    def answers(self) -> bool:
        """Whether the server takes connections; make the database with the first one."""
        try:
            connection = psycopg.connect(
                host=str(socket_dir(self.data_dir)),
                port=PORT,
                user=USER,
                dbname="postgres",
                autocommit=True,
                connect_timeout=5,
            )
        except psycopg.OperationalError:
            return False
        with connection:
            query = "SELECT 1 FROM pg_database WHERE datname = %s"
            if not connection.execute(query, [DATABASE]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
        return True

    def _check_version(self) -> None:
        """Raise `EmbeddedError` for a cluster that another major version has made."""
        made_by = (self.folder / "PG_VERSION").read_text().strip()
        version = programs.postgresql_version()
        if made_by != str(version):
            raise EmbeddedError(
                f"The database in {self.folder} was made by PostgreSQL {made_by}, and the one found"
                f" is {version}: have PostgreSQL {made_by} again ({programs.EXTRA}, or the"
                " machine's), or convert it with pg_upgrade."
            )

    def _initialise(self) -> None:
        """Make the cluster under another name first, so that it is there whole or not at all."""
        draft = self.folder.with_name("postgresql.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        identity.give(draft, self.identity.owner)
        with open_log(self.data_dir, self.name) as log:
            made = subprocess.run(
                [*self.identity.prefix, *bound(initdb(draft))],
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=False,
            )
        if made.returncode:
            raise self.failed()
        draft.rename(self.folder)


def initdb(folder: Path) -> list[str]:
    """Return the command that makes a cluster in a folder."""
    command = [str(programs.find_postgresql() / "initdb"), "-D", str(folder), "-U", USER]
    command += ["--auth=trust", "--encoding=UTF8"]
    if programs.postgresql_version() < 17:  # which has no locale of its own that knows letters
        return [*command, "--locale=C.UTF-8"]
    return [*command, "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
