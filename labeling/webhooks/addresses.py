"""Which addresses may be told anything: https, and no host of a private network."""

import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

_EMBEDS_IPV4 = [ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("2002::/16")]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressError(ValueError):
    """Nothing may be sent to an address; the message says why and what to do."""


def check(url: str) -> SplitResult:
    """Return the parts of an address that may be told something. Resolves nothing.

    Raises AddressError.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        raise AddressError("This is no address.") from None
    if not host or any(letter <= " " or letter == "\x7f" for letter in url):
        raise AddressError("This is no address.")
    if parts.username is not None or parts.fragment:
        raise AddressError("Leave out the user name and what follows a #.")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_allowed(host)):
        raise AddressError("The address must begin with https://.")
    try:
        _check_public(ipaddress.ip_address(host), host)
    except AddressError:
        raise
    except ValueError:  # a name: it is resolved when something is sent
        pass
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
        _check_public(ipaddress.ip_address(address), host)
    return addresses[0]


def is_allowed(host: str) -> bool:
    """Whether a setting allows a host although it is private, or speaks http."""
    return host.lower() in {allowed.lower() for allowed in settings.WEBHOOK_HOSTS}


def _check_public(address: Address, host: str) -> None:
    if is_allowed(host):
        return
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        elif any(address in network for network in _EMBEDS_IPV4):
            raise AddressError("The host is of a private network.")
    if not address.is_global or address.is_multicast:
        raise AddressError("The host is of a private network.")
