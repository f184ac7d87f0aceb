"""Fetch what strangers name: from hosts that were allowed, at public addresses, within bounds.

A name is resolved once, every address of it must be public, and the connection is made to the
address that was checked: a name that resolves otherwise a moment later leads nowhere else. Each
redirect is checked like the first address. Time and bytes are bounded as a whole, whatever drips.
"""

import contextlib
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import NamedTuple
from urllib.parse import quote, urljoin, urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

REDIRECTS = 5
STEP = 10.0  # seconds without a byte
PIECE = 64 * 1024  # bytes that are read at a time
URL_LENGTH = 4_000  # characters
PORTS = {"http": 80, "https": 443}
HEADERS = {"User-Agent": "Tessera", "Accept-Encoding": "identity", "Connection": "close"}
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class FetchError(Exception):
    """Something cannot be fetched, for a reason that follows its address."""


class Limits(NamedTuple):
    """What one fetch may take."""

    bytes: int
    seconds: float = 60.0


class Target(NamedTuple):
    """A checked address."""

    scheme: str
    host: str
    port: int
    path: str  # with its query

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


class Allowed(NamedTuple):
    """A host from which may be fetched: `images.example`, `http://images.example:8000`."""

    scheme: str
    host: str  # "*" for any, "*.example" for all below example
    port: int

    @classmethod
    def of(cls, text: str) -> "Allowed":
        """Read one; without a scheme it is https. Raises ValueError."""
        parts = urlsplit(text if "://" in text else f"https://{text}")
        if parts.scheme not in PORTS or not parts.hostname or parts.path.strip("/"):
            raise ValueError(f"{text!r} is no host: write images.example, or http://images.example")
        return cls(parts.scheme, parts.hostname, parts.port or PORTS[parts.scheme])

    def fits(self, target: Target) -> bool:
        """Whether an address is of this host."""
        if (self.scheme, self.port) != (target.scheme, target.port):
            return False
        if self.host.startswith("*."):
            return target.host.endswith(self.host[1:])
        return self.host in {"*", target.host}


def fetch(url: str, *, allowed: Sequence[Allowed], limits: Limits) -> Iterator[bytes]:
    """Yield the bytes at an address, piece by piece. Raises FetchError."""
    with contextlib.ExitStack() as stack:
        watch = stack.enter_context(_Watch(limits.seconds))
        try:
            response = _opened(url, allowed, watch, stack)
            total = 0
            while piece := response.read1(PIECE, decode_content=False):
                total += len(piece)
                if total > limits.bytes:
                    raise FetchError(f"it is larger than {limits.bytes:,} bytes")
                yield piece
        except (HTTPError, OSError, ValueError) as error:
            raise FetchError(_reason(error, watch, limits)) from error
        if watch.is_over:
            raise FetchError(f"it took longer than {limits.seconds:g} seconds")


def checked(url: str, allowed: Sequence[Allowed]) -> Target:
    """Return an address that may be fetched. Raises FetchError."""
    target = _parsed(url)
    if not any(each.fits(target) for each in allowed):
        raise FetchError(f"{target.scheme}://{target.host} is not among the hosts that are allowed")
    return target


def is_public(address: str) -> bool:
    """Whether an IP address is of the public internet, and leads to no other one that is not."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:  # which stands for an address of IPv4
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo and ip.teredo[1])
        if (inner and not is_public(str(inner))) or ip not in _GLOBAL_UNICAST:
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def resolve(host: str, port: int) -> str:
    """Return an address of a host, all of whose addresses are public. Raises FetchError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise FetchError(f"there is no host {host}") from error
    addresses = [str(each[4][0]) for each in found]
    if not all(is_public(address) for address in addresses):
        raise FetchError(f"{host} is at a private address")
    return addresses[0]


class _Watch:
    """Shuts down the connections of a fetch once its time is over, whatever they wait for."""

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._copies: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> "_Watch":
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        for copy in self._copies:
            copy.close()

    def add(self, connected: socket.socket) -> None:
        """Watch a connection: a copy of it, as TLS takes over the socket itself.

        Raises TimeoutError where the time is over already.
        """
        self._copies.append(connected.dup())
        if self.is_over:
            raise TimeoutError

    def _end(self) -> None:
        self.is_over = True
        for copy in self._copies:
            with contextlib.suppress(OSError):
                copy.shutdown(socket.SHUT_RDWR)


def _opened(
    url: str, allowed: Sequence[Allowed], watch: _Watch, stack: contextlib.ExitStack
) -> BaseHTTPResponse:
    """Return the response at the end of all redirects, each of which is checked."""
    for _ in range(REDIRECTS + 1):
        target = checked(url, allowed)
        connection = _connection(target, watch)
        stack.callback(connection.close)
        connection.request(
            "GET", target.path, headers=HEADERS, preload_content=False, decode_content=False
        )
        response = connection.getresponse()
        if response.status == 200:
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise FetchError("its answer is compressed")
            return response
        location = response.headers.get("Location")
        if response.status not in {301, 302, 303, 307, 308} or not location:
            raise FetchError(f"the server answers {response.status}")
        url = urljoin(target.url, location)
    raise FetchError(f"it redirects more than {REDIRECTS} times")


def _connection(target: Target, watch: _Watch) -> HTTPConnection:
    connect = _connect(target, watch)
    if target.scheme == "http":
        plain = HTTPConnection(target.host, target.port, timeout=STEP)
        plain._new_conn = connect  # type: ignore[method-assign]
        return plain
    secure = HTTPSConnection(target.host, target.port, timeout=STEP, ssl_context=_tls())
    secure._new_conn = connect  # type: ignore[method-assign]
    return secure


def _connect(target: Target, watch: _Watch) -> Callable[[], socket.socket]:
    """Return a function that connects to the address that was checked, and to no other."""

    def connect() -> socket.socket:
        address = resolve(target.host, target.port)
        connected = socket.create_connection((address, target.port), timeout=STEP)
        watch.add(connected)
        return connected

    return connect


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _parsed(url: str) -> Target:
    if len(url) > URL_LENGTH or not url.isprintable() or " " in url or "\\" in url:
        raise FetchError("it is no address")
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), parts.hostname or "", parts.port
        host = host if ":" in host else host.rstrip(".").encode("idna").decode("ascii")
    except (ValueError, UnicodeError) as error:
        raise FetchError("it is no address") from error
    if scheme not in PORTS or not host or parts.username is not None:
        raise FetchError("it is no address that begins with https:// or http://")
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = f"?{quote(parts.query, safe='/%:@!$&()*+,;=~-._?[]')}" if parts.query else ""
    return Target(scheme, host.lower(), port or PORTS[scheme], f"{path}{query}")


def _reason(error: Exception, watch: _Watch, limits: Limits) -> str:
    if watch.is_over:
        return f"it took longer than {limits.seconds:g} seconds"
    if isinstance(error, TimeoutError):
        return f"the server says nothing for {STEP:g} seconds"
    if isinstance(error, ssl.SSLError):
        return "its certificate or its encryption is not in order"
    return "the connection failed, or broke off"
