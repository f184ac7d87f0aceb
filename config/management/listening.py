"""The address that web processes listen on."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError

SYSTEMD_FD = 3  # the first of the sockets that it passes on


def url(host: str, port: int) -> str:
    """Return an address at which this machine reaches the host's port."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


@contextmanager
def on(host: str, port: int) -> Iterator[socket.socket]:
    """Open the web processes' socket, here so that a taken port is known before anything else.

    Where systemd has opened one (a `.socket` unit), it is taken: whoever connects to it while the
    service is restarted waits for that.
    """
    if os.environ.get("LISTEN_PID") == str(os.getpid()) and os.environ.get("LISTEN_FDS") == "1":
        with socket.socket(fileno=SYSTEMD_FD) as listener:
            yield listener
        return
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(1024)
        except OSError as error:
            raise CommandError(
                f"Port {port} of {host} cannot be used ({error.strerror}): "
                "stop what uses it, or choose another one, as in PORT=8001."
            ) from error
        yield listener
