"""The web process: waitress, with threads that share a pool of database connections.

    python -m config.web FD [THREADS]

`FD` is a listening socket, which several such processes may share. One loop reads requests and
writes answers; a thread gets a request once it has arrived whole, so that clients who send or read
slowly hold memory but no thread.
"""

import gc
import logging
import os
import resource
import signal
import socket
import sys
import threading
import time
from typing import Any

from config import language, web_server
from config.services import WEB_THREADS
from config.wsgi import application

GRACE = 25  # seconds for requests that have arrived when the process is asked to end


def serve(listener: socket.socket, threads: int = WEB_THREADS) -> None:
    """Answer requests until SIGTERM; those that have arrived by then are answered before the end.

    From then on no connection is accepted. A second SIGTERM ends the process at once.
    """
    _allow_open_files(3 * web_server.CONNECTIONS)  # each may spool its request and its answer
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a line for each that waits
    gc.freeze()  # what was loaded stays
    server = web_server.create(listener, application, threads)
    threading.Thread(target=language.preload, daemon=True).start()
    from config.monitoring import heartbeats  # models can be imported by now

    name = f"web-{os.getpid()}@{socket.gethostname()}"
    heartbeats.begin(name=name, kind="web", in_file=False)
    _end_on_sigterm(server)
    server.run()


def _end_on_sigterm(server: Any) -> None:
    """End the process when SIGTERM comes, once nobody waits for an answer."""

    def stop(*_: Any) -> None:
        signal.signal(signal.SIGTERM, _end)
        server.del_channel()  # accepts nobody any more; another process may
        threading.Thread(target=_wait_until_answered, args=[server], daemon=True).start()

    signal.signal(signal.SIGTERM, stop)


def _wait_until_answered(server: Any) -> None:
    deadline = time.monotonic() + GRACE
    while time.monotonic() < deadline and any(
        channel.requests or channel.total_outbufs_len
        for channel in list(server.active_channels.values())
    ):
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGTERM)


def _end(*_: Any) -> None:
    sys.exit()


def _allow_open_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


def main(fd: str, threads: str = str(WEB_THREADS)) -> None:
    """Answer requests that come in on a socket, until SIGTERM."""
    signal.signal(signal.SIGTERM, _end)
    serve(socket.socket(fileno=int(fd)), int(threads))


if __name__ == "__main__":
    main(*sys.argv[1:])
