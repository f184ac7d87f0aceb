"""Which addresses may be told anything: https, and no host of a private network."""

import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from labeling import outbound

HTTPS = 443
PORTS_FROM = 1024  # others belong to mail servers, shells, databases


class AddressError(ValueError):
    """Nothing may be sent to an address; the message says why and what to do."""


def check(url: str) -> SplitResult:
    """Return the parts of an address that may be told something. Resolves nothing.

    Raises AddressError.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or HTTPS
    except ValueError:
        raise AddressError("This is no address.") from None
    if not host or any(letter <= " " or letter == "\x7f" for letter in url):
        raise AddressError("This is no address.")
    if parts.username is not None or parts.fragment:
        raise AddressError("Leave out the user name and what follows a #.")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_allowed(host)):
        raise AddressError("The address must begin with https://.")
    if port != HTTPS and port < PORTS_FROM and not is_allowed(host):
        raise AddressError("The port must be 443, or 1024 and more.")
    if _is_literal(host):  # a name is resolved when something is sent
        _check_public(host, host)
    return parts


def resolve(host: str, port: int) -> str:
    """Return the IP address of a host that may be told something. Raises AddressError.

    The caller connects to this address, so that a name that means another one a moment later leads
    nowhere else. One private address among a name's refuses it.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise AddressError("There is no host of this name.") from None
    addresses = [str(each[4][0]).partition("%")[0] for each in found]
    for address in addresses:
        _check_public(address, host)
    return addresses[0]


def is_allowed(host: str) -> bool:
    """Whether a setting allows a host although it is private, or speaks http."""
    return host.lower() in {allowed.lower() for allowed in settings.WEBHOOK_HOSTS}


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _check_public(address: str, host: str) -> None:
    if not is_allowed(host) and not outbound.is_public(address):
        raise AddressError("The host is of a private network.")
