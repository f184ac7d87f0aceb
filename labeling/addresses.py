"""Where a request comes from, as limits count it."""

import ipaddress
from contextlib import suppress

from django.http import HttpRequest
from rest_framework.settings import api_settings

IPV6_PREFIX = 64  # bits that one subscriber is given: the rest costs nothing to change


def client_address(request: HttpRequest) -> str:
    """Return the client's IPv4 address, or the network of its IPv6 address.

    Behind `PROXIES` reverse proxies it is the address that the first of them saw; without any,
    headers that anybody can send are not believed.
    """
    address = request.META.get("REMOTE_ADDR", "")
    proxies = int(api_settings.NUM_PROXIES or 0)
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
    if proxies and forwarded:
        hops = forwarded.split(",")
        address = _without_port(hops[-min(proxies, len(hops))].strip()) or address
    return network(address)


def _without_port(address: str) -> str:
    """Return the address in `192.0.2.1:443` or `[2001:db8::1]:443`, as some proxies write it."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    host, _, port = address.rpartition(":")
    return host if port.isdigit() and ":" not in host else address


def network(address: str) -> str:
    """Return an IPv4 address as it is, and an IPv6 address's network."""
    with suppress(ValueError):
        parsed = ipaddress.ip_address(address)
        if isinstance(parsed, ipaddress.IPv6Address):
            if parsed.ipv4_mapped:
                return str(parsed.ipv4_mapped)
            return str(ipaddress.ip_network((int(parsed), IPV6_PREFIX), strict=False))
    return address
