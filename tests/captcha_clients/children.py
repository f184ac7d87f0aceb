"""Programs that run for a while."""

import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from labeling.processes import bound

PATIENCE = 60.0  # seconds, which only a failure ever needs


class Failure(Exception):
    """Something did not come about; the message says what."""


@contextmanager
def running(
    command: list[str], *, environment: Mapping[str, str], port: int, fds: Sequence[int] = ()
) -> Iterator[None]:
    """Run a program that listens at a port, until it is no longer needed. Raises Failure.

    fds: which it inherits.
    """
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            bound(command),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=fds,
        )
        try:
            wait_for(lambda: process.poll() is not None or _listens(port), f"{command[0]} listens")
            if process.poll() is not None:
                raise Failure(f"{' '.join(command)} ended.")
            yield
        except Exception as error:
            log.seek(0)
            error.add_note(f"{command[0]} said:\n{log.read()[-4000:].decode(errors='replace')}")
            raise
        finally:
            process.kill()
            process.wait()


def wait_for(condition: Callable[[], object], name: str) -> None:
    """Return once the condition holds. Raises Failure."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise Failure(f"It never came about that {name}.")
        time.sleep(0.02)


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
