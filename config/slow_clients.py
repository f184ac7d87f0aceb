"""Connections of waitress that end where a client sends or reads too slowly, or has too many.

waitress itself closes a connection on which nothing happens. One byte now and then keeps it open,
and one that takes nothing of an answer is never closed: some hundred of these, and no other client
is let in; a few that read a large answer so, and no thread is left.
"""

import time
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

from django.conf import settings
from waitress.channel import HTTPChannel

from labeling.addresses import network

IDLE = 30  # seconds after which a connection between two requests is closed
WINDOW = 20.0  # seconds over which it is looked at how much has come or gone
LEAST_RATE = 4 * 1024  # bytes a second, less than any telephone network
OF_AN_ADDRESS = 100  # connections at once: an office or a school class

_Channel: Any = HTTPChannel  # which has no types


class Channel(_Channel):  # type: ignore[misc]
    """A connection that knows how much came and went over it."""

    def __init__(self, server: Any, sock: Any, address: Any, *args: Any, **options: Any) -> None:
        self._moved = 0  # bytes, either way
        self._looked: tuple[float, int] | None = None  # when, and what had moved by then
        self.network = network(str(address[0]))
        super().__init__(server, sock, address, *args, **options)
        if is_crowded(self.network, (each.network for each in server.active_channels.values())):
            self.handle_close()

    def received(self, data: bytes) -> bool:
        """Take bytes of a request."""
        self._moved += len(data)
        return bool(super().received(data))

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Send bytes of an answer; return how many went."""
        sent = int(super().send(data, do_close))
        self._moved += sent
        return sent

    def is_too_slow(self, now: float) -> bool:
        """Look whether the connection is to be closed; it is looked at every few seconds."""
        if self.request is None and not self.total_outbufs_len:
            self._looked = None
            return not self.requests and now - self.last_activity > IDLE
        if self._looked is None:
            self._looked = now, self._moved
            return False
        since, before = self._looked
        if now - since < WINDOW:
            return False
        self._looked = now, self._moved
        return self._moved - before < LEAST_RATE * (now - since)


def close(server: Any, now: float | None = None) -> None:
    """Close the connections that are too slow."""
    now = time.time() if now is None else now
    for channel in list(server.active_channels.values()):
        if channel.is_too_slow(now):
            channel.handle_close()


def is_crowded(own: str, networks: Iterable[str]) -> bool:
    """Whether an address has too many connections, of those that are open.

    Behind a proxy all come from there, and it is the proxy that counts; clients on this machine
    are not counted.
    """
    if settings.PROXIES or _is_of_this_machine(own):
        return False
    return sum(each == own for each in networks) > OF_AN_ADDRESS


def _is_of_this_machine(address: str) -> bool:
    try:
        return ip_address(address.partition("/")[0]).is_loopback
    except ValueError:
        return True  # a socket of another kind
