"""How waitress is set up: what it takes of a client, and how long it waits for one."""

import socket
from functools import partial
from typing import Any

from django.conf import settings
from waitress.server import create_server

from config import slow_clients

CONNECTIONS = 500  # at once; more of them wait to be accepted
LOOK = 5  # seconds between two looks at who is too slow
HEADERS = 32 * 1024  # bytes of a request's address and headers at most


def create(listener: socket.socket, application: Any, threads: int) -> Any:
    """Return a server that answers by an application, on a socket that listens."""
    server = create_server(
        application,
        sockets=[listener],
        threads=threads,
        connection_limit=CONNECTIONS,
        inbuf_overflow=64 * 1024,  # bytes of a body in memory; the rest waits in a file
        cleanup_interval=LOOK,
        max_request_header_size=HEADERS,
        max_request_body_size=max(settings.IMAGE_MAX_BYTES, settings.UPLOAD_PART_BYTES)
        + settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
        clear_untrusted_proxy_headers=False,  # Django's settings say which of them count
        asyncore_use_poll=True,
        ident=None,
    )
    server.channel_class = slow_clients.Channel
    server.maintenance = partial(slow_clients.close, server)
    return server
