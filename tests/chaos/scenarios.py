"""What is done to an installation, and how long until it goes on."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
    do: Callable[[Installation, Network], None]
    takes_the_run: bool = False  # whether whoever trains is lost with it


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


def _kill(machine: str) -> Scenario:
    return Scenario(f"{machine} is killed", lambda where, network: where.parts.kill(machine))


def _kill_trainer(where: Installation, network: Network) -> None:
    where.parts.kill(_trainer(where))


def _kill_other_worker(where: Installation, network: Network) -> None:
    (other,) = {*WORKERS} - {_trainer(where)}
    where.parts.kill(other)


def _trainer(where: Installation) -> str:
    """Return the machine on which the process of a run is."""
    found: list[str] = []

    def find() -> bool:
        found[:] = [name for name in WORKERS if where.parts.runs(name, b"fit")]
        return bool(found)

    wait_for(find, "the process of a run is found")
    return found[0]


def _cut(where: Installation, network: Network) -> None:
    """Cut off one web machine, and the worker that trains, from all others."""
    lost = (WEB[0], _trainer(where))
    for one in lost:
        for other in MACHINES:
            if other not in lost:
                network.cut(one, other)
    time.sleep(CUT)
    network.mend()


def scenarios() -> dict[str, Scenario]:
    """Return every scenario by its short name."""
    killed = [*WEB, "beat", "pgbouncer", "postgresql", "standby", "valkey", "s3", "front"]
    all_of_them = {name: _kill(name) for name in killed}
    all_of_them["trainer"] = Scenario("the worker that trains is killed", _kill_trainer, True)
    all_of_them["worker"] = Scenario("the other worker is killed", _kill_other_worker)
    all_of_them["network"] = Scenario(f"the network is cut for {CUT:.0f} s", _cut, True)
    return all_of_them


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
