"""Addresses of buckets, `s3://bucket/prefix`, and which of them the installation's owner allows.

An allowed one is an address, after which a space and an endpoint may stand: `s3://photos/incoming`,
or `s3://photos http://minio.internal:9000`. What lies below its prefix may be named, nothing else.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from labeling.buckets.errors import BucketError
from labeling.captions import has_controls

SCHEME = "s3://"
NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
KEY_BYTES = 1_000  # of a prefix; a key has 1,024 at most
EXAMPLE = "s3://photos/incoming"


class Address(NamedTuple):
    """A bucket, and the prefix of the keys in it that are meant; empty: all of them."""

    bucket: str
    prefix: str = ""

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.prefix}".rstrip("/")

    @property
    def name(self) -> str:
        """The last part of it."""
        return self.prefix.rpartition("/")[2] or self.bucket

    @property
    def folder(self) -> str:
        """What the keys of the objects in it begin with."""
        return f"{self.prefix}/" if self.prefix else ""

    def holds(self, other: "Address") -> bool:
        """Whether another address is this one, or lies below it."""
        if self.bucket != other.bucket:
            return False
        return self.prefix == other.prefix or other.prefix.startswith(self.folder)


class Place(NamedTuple):
    """An address that is allowed, and the endpoint where it is; empty: AWS's own."""

    address: Address
    endpoint: str = ""


def is_address(text: str) -> bool:
    """Whether a text names a bucket, and no file of this machine."""
    return text.lower().startswith(SCHEME)


def parse(text: str) -> Address:
    """Read an address. Raises BucketError."""
    plain = text.strip()
    if not is_address(plain):
        raise BucketError(f"An address of a bucket begins with {SCHEME}, as {EXAMPLE} does.")
    bucket, _, prefix = plain[len(SCHEME) :].partition("/")
    prefix = prefix.removesuffix("/")
    if not NAME.fullmatch(bucket) or ".." in bucket:
        raise BucketError(f"“{bucket[:80]}” is no name of a bucket: write {EXAMPLE}.")
    if has_controls(prefix) or "\\" in prefix or len(prefix.encode()) > KEY_BYTES:
        raise BucketError(f"This is no prefix of keys: write {EXAMPLE}.")
    if prefix and any(part in {"", ".", ".."} for part in prefix.split("/")):
        raise BucketError(f"A prefix has no empty part, and none that is a dot or two: {EXAMPLE}.")
    return Address(bucket, prefix)


def listed(allowed: Sequence[str], *, setting: str) -> list[Place]:
    """Return what a setting allows. Raises BucketError, naming it."""
    return [_allowed(text, setting) for text in allowed]


def find(text: str, *, allowed: Sequence[str], setting: str) -> Place:
    """Return the place that an address names, if it is allowed. Raises BucketError."""
    address = parse(text)
    places = listed(allowed, setting=setting)
    if not places:
        raise BucketError(
            f"No bucket is allowed on this server: whoever runs it sets {setting} to {EXAMPLE}, "
            "for example."
        )
    for place in places:
        if place.address.holds(address):
            return Place(address, place.endpoint)
    raise BucketError(f"{address} is not among the buckets that {setting} allows on this server.")


def _allowed(text: str, setting: str) -> Place:
    address, _, endpoint = text.strip().partition(" ")
    endpoint = endpoint.strip()
    try:
        if endpoint and not _is_endpoint(endpoint):
            raise BucketError("An endpoint is written http://minio.internal:9000.")
        return Place(parse(address), endpoint.rstrip("/"))
    except BucketError as error:
        raise BucketError(f"{setting}: {error}") from error


def _is_endpoint(text: str) -> bool:
    try:
        parts = urlsplit(text)
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        return False
    plain = not parts.path.strip("/") and not parts.query and parts.username is None
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and plain and has_port
