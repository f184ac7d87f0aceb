"""What is done to an installation, and how long until it goes on."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.chaos.installation import MACHINES, WEB, WORKERS, Installation, wait_for
from tests.chaos.network import Network

CALM = 4.0  # seconds before something is done, so that all is under way
WATCHED = 20.0  # seconds after it, in which all must be back
CUT = 10.0  # seconds for which the network is cut


@dataclass(frozen=True)
class Scenario:
    """One thing that happens."""

    name: str
    machines: Callable[[Installation], list[str]]  # that are hit, found just before
    do: Callable[[Installation, Network, list[str]], None]
    takes_the_run: bool = False  # whether whoever trains is lost with it
    watched: float = 0.0  # seconds from the end of what is done; 0: WATCHED from its beginning


@dataclass(frozen=True)
class Outcome:
    """How long what people and workers do was held up, in seconds."""

    name: str
    answers: int  # acknowledged from the event on
    answers_gap: float  # the longest time without one
    back: float | None  # until a worker renewed the lease of a run again; None: not in time

    def __str__(self) -> str:
        back = "–" if self.back is None else f"{self.back:.1f}"
        return f"| {self.name} | {self.answers} | {self.answers_gap:.1f} | {back} |"


def _kill(where: Installation, network: Network, machines: list[str]) -> None:
    for machine in machines:
        where.parts.kill(machine)


def _other_worker(where: Installation) -> list[str]:
    return [name for name in WORKERS if name != trainer(where)]


def trainer(where: Installation) -> str:
    """Return the machine on which the process of a run is."""
    found: list[str] = []

    def find() -> bool:
        found[:] = [name for name in WORKERS if where.parts.runs(name, b"fit")]
        return bool(found)

    wait_for(find, "the process of a run is found")
    return found[0]


def _cut(where: Installation, network: Network, machines: list[str]) -> None:
    """Cut machines off from all others."""
    for one in machines:
        for other in MACHINES:
            if other not in machines:
                network.cut(one, other)
    time.sleep(CUT)
    network.mend()


def scenarios() -> dict[str, Scenario]:
    """Return every scenario by its short name."""
    killed = [*WEB, "beat", "pgbouncer", "postgresql", "standby", "valkey", "s3", "front"]
    return {
        **{name: Scenario(f"{name} is killed", partial(_same, [name]), _kill) for name in killed},
        "trainer": Scenario(
            "the worker that trains is killed", lambda where: [trainer(where)], _kill, True
        ),
        "worker": Scenario("the other worker is killed", _other_worker, _kill),
        "network": Scenario(
            f"a web process and the worker that trains are cut off for {CUT:.0f} s",
            lambda where: [WEB[0], trainer(where)],
            _cut,
            True,
        ),
    }


def _same(machines: list[str], where: Installation) -> list[str]:
    return machines


class Watch:
    """Reads the book of those who answer."""

    def __init__(self, book: Path) -> None:
        self._book = book

    def acknowledged(self) -> list[float]:
        """Return when answers were acknowledged."""
        return [entry["at"] for entry in self.entries() if entry["event"] == "acknowledged"]

    def entries(self) -> Iterator[dict[str, object]]:
        """Yield what was written so far."""
        for line in self._book.read_text().splitlines():
            yield json.loads(line)
