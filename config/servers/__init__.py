"""PostgreSQL and Valkey as child processes, where no server is configured.

One *keeper* process a data folder starts both and holds them for as long as anybody is joined to
it. Joining is an open connection to the keeper's control socket, so the kernel itself takes leave
for whoever is killed, and the last to leave closes the servers. Should the keeper be killed, its
servers die with it; the next one finds their files and recovers.
"""

from config.servers.client import ensure, running
from config.servers.paths import (
    EmbeddedError,
    broker_url,
    data_dir,
    database,
    database_url,
    socket_dir,
)

__all__ = [
    "EmbeddedError",
    "broker_url",
    "data_dir",
    "database",
    "database_url",
    "ensure",
    "running",
    "socket_dir",
]
