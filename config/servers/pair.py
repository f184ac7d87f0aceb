"""Both servers of a data folder, or those that are needed."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from config.servers import postgresql, valkey
from config.servers.paths import EmbeddedError, socket_dir
from config.servers.process import PATIENCE, Process

SERVERS = {"postgresql": postgresql, "valkey": valkey}


@contextmanager
def started(data_dir: Path, names: set[str]) -> Iterator[list[Process]]:
    """The named servers, answering; stopped cleanly at the end. Raises `EmbeddedError`.

    The caller holds the data folder's lock, so whatever a killed server left behind is stale.
    """
    for name in SERVERS:
        _wait_for_orphans(data_dir / name)
    for leftover in socket_dir(data_dir).iterdir():
        leftover.unlink()
    with ExitStack() as stack:
        yield [stack.enter_context(SERVERS[name].started(data_dir)) for name in sorted(names)]


def _wait_for_orphans(folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while pids := working_in(folder):
        if time.monotonic() > deadline:
            raise EmbeddedError(f"Processes {pids} still use {folder}: end them and try again.")
        time.sleep(0.1)


def working_in(folder: Path) -> list[int]:
    """Ids of the processes whose working directory is the folder, as both servers' is."""
    pids = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            if link.readlink() == folder:
                pids.append(int(link.parent.name))
    return pids
