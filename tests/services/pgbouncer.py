"""A real PgBouncer, in transaction mode, before the tests' PostgreSQL."""

import os
import shutil
import signal
from pathlib import Path

import psycopg

from config.servers import identity, paths
from config.servers.server import Server
from labeling.processes import bound

PORT = 6432  # no TCP: it only names the socket
PROGRAM = os.environ.get("PGBOUNCER") or shutil.which("pgbouncer")
CONFIGURATION = """
[databases]
* = host={sockets} port={port} user={user}
[pgbouncer]
unix_socket_dir = {sockets}
listen_port = {own_port}
auth_type = any
pool_mode = transaction
max_client_conn = 500
default_pool_size = 20
logfile =
"""


class PgBouncer(Server):
    name = "pgbouncer"
    programs = frozenset({"pgbouncer"})
    stop_signal = signal.SIGINT

    def prepare(self) -> None:
        self.folder.mkdir(exist_ok=True)
        sockets = paths.socket_dir(self.data_dir)
        text = CONFIGURATION.format(
            sockets=sockets, port=paths.PORT, user=paths.USER, own_port=PORT
        )
        (self.folder / "pgbouncer.ini").write_text(text)

    def command(self) -> list[str]:
        assert PROGRAM
        prefix = identity.choose().prefix
        return [*prefix, *bound([PROGRAM, str(self.folder / "pgbouncer.ini")])]

    def answers(self) -> bool:
        try:
            psycopg.connect(database_url(self.data_dir)).close()
        except psycopg.OperationalError:
            return False
        return True


def database_url(data_dir: Path, *, name: str = paths.DATABASE) -> str:
    """Return the URL of a database of the embedded server, by way of PgBouncer."""
    return paths.database_url(data_dir, name=name).replace(f":{paths.PORT}/", f":{PORT}/")
