"""The web process: waitress, with threads that share a pool of database connections.

    python -m config.web FD

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
from threading import Thread

from django.conf import settings
from waitress.server import create_server

from config import language
from config.monitoring import heartbeats
from config.wsgi import application

THREADS = 8
CONNECTIONS = 500  # at once; more of them wait to be accepted
IDLE = 30  # seconds after which a connection that neither sends nor reads is closed


def serve(listener: socket.socket) -> None:
    """Answer requests until SIGTERM; those being answered then have five seconds to end."""
    _allow_open_files(3 * CONNECTIONS)  # each may spool its request and its answer
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a line for each that waits
    gc.freeze()  # what was loaded stays; and fewer passes through what a request leaves behind
    gc.set_threshold(20_000, 20, 20)
    server = create_server(
        application,
        sockets=[listener],
        threads=THREADS,
        connection_limit=CONNECTIONS,
        inbuf_overflow=64 * 1024,  # bytes of a body in memory; the rest waits in a file
        channel_timeout=IDLE,
        cleanup_interval=IDLE // 3,
        max_request_body_size=max(settings.IMAGE_MAX_BYTES, settings.UPLOAD_PART_BYTES)
        + settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
        clear_untrusted_proxy_headers=False,  # Django's settings say which of them count
        asyncore_use_poll=True,
        ident=None,
    )
    Thread(target=language.preload, daemon=True).start()
    name = f"web-{os.getpid()}@{socket.gethostname()}"
    heartbeats.begin(name=name, kind="web", in_file=False)
    server.run()


def _allow_open_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


def main(fd: str) -> None:
    """Answer requests that come in on a socket, until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    serve(socket.socket(fileno=int(fd)))


if __name__ == "__main__":
    main(*sys.argv[1:])
