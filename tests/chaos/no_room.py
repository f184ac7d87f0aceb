"""What is done to an installation so that something has no room for a while, and what it says then.

The disk of the database, of a worker and of Valkey, Valkey's memory, and the bucket.
"""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import redis
import urllib3

from tests.chaos import rooms
from tests.chaos.installation import BUCKET, VALKEY_PORT, WEB, WEB_PORT, Installation
from tests.chaos.network import Network
from tests.chaos.scenarios import Scenario, trainer

FULL = 20.0  # seconds for which there is no room
LOOK_EVERY = 1.0  # seconds


@dataclass(frozen=True)
class Kind:
    """Something that can be full."""

    name: str
    machines: Callable[[Installation], list[str]]
    watched: float = 20.0  # seconds after there is room again
    said_by: str = ""  # the part that /readyz is to name
    lasts: float = FULL


KINDS = {
    "full-database": Kind(
        "the disk of the database", lambda _: ["postgresql"], 20, "database room"
    ),
    "full-worker": Kind("the disk of the worker that trains", lambda where: [trainer(where)], 80),
    "full-bucket": Kind("the bucket", lambda _: ["s3"], 30, "storage room", 75.0),
    "full-valkey": Kind("the disk of Valkey", lambda _: ["valkey"], 20, "cache"),
    "full-memory": Kind("the memory of Valkey", lambda _: ["valkey"], 20, "cache"),
}


def scenarios() -> dict[str, Scenario]:
    """Return a scenario for each, by its short name."""
    return {
        short: Scenario(
            f"{kind.name} is full for {kind.lasts:.0f} s",
            kind.machines,
            _filling(short, kind),
            watched=kind.watched,
        )
        for short, kind in KINDS.items()
    }


def _filling(short: str, kind: Kind) -> Callable[[Installation, Network, list[str]], None]:
    ways = {"full-bucket": _full_bucket, "full-memory": _full_memory}

    def fill(where: Installation, network: Network, machines: list[str]) -> None:
        """Leave it full for a while, and hear what /readyz says of it."""
        way = ways.get(short)
        full = way(where) if way else rooms.filled([where.folder(each) for each in machines])
        said: dict[str, str] = {}
        with full:
            until = time.monotonic() + kind.lasts
            while time.monotonic() < until:
                said |= _problems(where)
                time.sleep(LOOK_EVERY)
        for part, sentence in said.items():
            print(f"    {part}: {sentence}", flush=True)
        if kind.said_by and kind.said_by not in said:
            where.problems.append(f"/readyz did not say that {kind.name} was full")

    return fill


def _problems(where: Installation) -> dict[str, str]:
    """Return what /readyz of the web machines finds wrong, by part."""
    found = {}
    for name in WEB:
        with suppress(urllib3.exceptions.HTTPError, ValueError):
            address = f"http://{where.parts.address(name)}:{WEB_PORT}/readyz"
            answer = urllib3.request("GET", address, timeout=3, retries=False)
            for part, result in json.loads(answer.data)["checks"].items():
                if not result["ok"]:
                    found[part] = result["error"]
    return found


@contextmanager
def _full_bucket(where: Installation) -> Iterator[None]:
    """Have SeaweedFS refuse what is written as it does where all of its volumes are full."""
    _shell(where, "-readOnly")
    try:
        yield
    finally:
        _shell(where, "-delete")


def _shell(where: Installation, change: str) -> None:
    command = f"fs.configure -locationPrefix=/buckets/{BUCKET}/ {change} -apply\n"
    subprocess.run(
        ["ip", "netns", "exec", "s3", str(where.programs.weed), "shell",
         f"-master={where.parts.address('s3')}:9333"],
        input=command.encode(), capture_output=True, timeout=60, check=True,
    )  # fmt: skip


@contextmanager
def _full_memory(where: Installation) -> Iterator[None]:
    with redis.Redis(where.parts.address("valkey"), VALKEY_PORT) as valkey:
        valkey.config_set("maxmemory", "1")
        try:
            yield
        finally:
            valkey.config_set("maxmemory", "0")
