"""PostgreSQL and Valkey as child processes, where no server is configured.

A daemon for each data folder starts both, restarts them when they die, and stops them when its last
client has left. A client is a process with an open connection to the daemon's control socket, which
the kernel closes for whoever is killed. If the daemon is killed, its servers die with it, and the
next daemon recovers from their files.
"""

from config.servers.client import ensure, running, unconfigured
from config.servers.paths import (
    EmbeddedError,
    broker_url,
    data_dir,
    database,
    database_url,
    make_data_dir,
    socket_dir,
)

__all__ = [
    "EmbeddedError",
    "broker_url",
    "data_dir",
    "database",
    "database_url",
    "ensure",
    "make_data_dir",
    "running",
    "socket_dir",
    "unconfigured",
]
