"""Host names on which a site's challenges may be shown, as browsers write them."""

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

import idna

MOST = 50  # of one site
LONGEST = 253
ALL_BELOW = "*."


class HostError(ValueError):
    """This is no host name; the message says why and what to do."""


def cleaned(hosts: Iterable[str]) -> list[str]:
    """Return host names as they are stored, each once, in the order given. Raises HostError.

    Of an address that somebody pasted, its host counts.
    """
    names = list(dict.fromkeys(_cleaned(host) for host in hosts if host.strip()))
    if not names:
        raise HostError("Give at least one host name, such as shop.example.com.")
    if len(names) > MOST:
        raise HostError(f"A site has {MOST} host names at most; *.example.com is one.")
    return names


def is_among(host: str, hosts: Iterable[str]) -> bool:
    """Return whether a host, as a browser names it, is one of a site's."""
    if len(host) > LONGEST:
        return False
    host = host.lower().removesuffix(".").strip("[]")
    return bool(host) and any(_matches(host, each) for each in hosts)


def _matches(host: str, stored: str) -> bool:
    if stored.startswith(ALL_BELOW):
        below = stored.removeprefix("*")
        return host.endswith(below) and len(host) > len(below)
    return host == stored


def _cleaned(text: str) -> str:
    host = _host_of(text.strip())
    star = ALL_BELOW if host.startswith(ALL_BELOW) else ""
    name = host.removeprefix(star).strip("[]").removesuffix(".")
    if "*" in name:
        raise HostError(f"“{text.strip()}”: a * stands at the beginning alone: *.example.com.")
    address = _address(name)
    if address and not star:
        return address
    ascii_name = _ascii(name, text)
    if address or (star and "." not in ascii_name and ascii_name != "localhost"):
        raise HostError(f"“{text.strip()}” is too much: name the host below which all is yours.")
    return star + ascii_name


def _host_of(text: str) -> str:
    """Return the host of an address, or of a host name with a port or path."""
    if _address(text):
        return text
    try:
        parts = urlsplit(text if "://" in text else f"//{text.removeprefix('//')}")
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host or not text.isprintable() or " " in text:
        raise HostError(f"“{text}” is no host name. Write one like shop.example.com.")
    return host


def _address(name: str) -> str:
    """Return an IP address as browsers write it; empty where it is none."""
    try:
        return ipaddress.ip_address(name.strip("[]")).compressed
    except ValueError:
        return ""


def _ascii(name: str, text: str) -> str:
    """Return a name as domain name servers know it, by the rules of browsers (UTS 46)."""
    try:
        return idna.encode(name, uts46=True, transitional=False).decode()
    except (idna.IDNAError, UnicodeError):
        raise HostError(
            f"“{text.strip()}” is no host name. Write one like shop.example.com."
        ) from None
