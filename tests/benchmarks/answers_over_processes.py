"""Answers for each CPU second with one web process, with two, and with four.

    python -m tests.benchmarks.answers_over_processes [--processes 1 2 4] [--tiles 100000]

Starts a database of its own in a temporary folder and makes a project there (`large_projects`). As
in `challenges_over_http`, annotators over HTTP ask for a grid and answer it as fast as they can,
each waiting for the response before the next; as many with each number of web processes, and each
from an address of their own. The numbers are measured in turns, each turn with processes that are
new and warm and a new copy of the database, since answers change what the next one costs. Prints
a table in Markdown: answers stored, by wall clock and by CPU second of web, database and Valkey
together, and the CPU milliseconds of each that a hundred answers cost. The last column is what an
answer costs, beside what it costs with the first number of processes.
"""

import argparse
import os
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from tests.benchmarks.challenges_over_http import (
    Annotator,
    Line,
    all_take_part,
    cpu_seconds,
    database_url,
    make_project,
)

if TYPE_CHECKING:
    from tests.benchmarks.large_projects import Truth

PARTS = "web", "database", "Valkey"
WARM = 4.0  # seconds
COPY = "CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy"
HEADER = (
    "| web processes | answers/s | answers/CPU s | CPU ms for 100 answers: web | database | Valkey "
    "| all, by the first |\n|---|---|---|---|---|---|---|"
)


@dataclass
class Measured:
    """What was measured with one number of web processes, over all turns."""

    processes: int
    seconds: float = 0.0
    answers: int = 0
    cpu: Counter[str] = field(default_factory=Counter)  # seconds, by part

    @property
    def cost(self) -> float:
        """CPU seconds of an answer."""
        return sum(self.cpu[part] for part in PARTS) / self.answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--tiles", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--annotators", type=int, default=8)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as data_dir:
        os.environ |= {"DATA_DIR": data_dir, "DJANGO_SETTINGS_MODULE": "config.settings"}
        os.environ |= {"CHALLENGE_RATE": "1000000", "NEWCOMERS_PER_ADDRESS": "1000000"}
        os.environ |= {"DATABASE_POOL": "0", "PROXIES": "1"}
        os.environ.pop("DATABASE_URL", None)
        from django.db import connection

        from config import installation, servers

        with servers.ensure(Path(data_dir)):
            truth = make_project(wanted.tiles)
            installation.claim()  # the same for all copies, which share a storage
            connection.close()
            all_measured = [Measured(count) for count in wanted.processes]
            for measured in all_measured * wanted.turns:
                with _copy(Path(data_dir)):
                    _measure(measured, truth, wanted)
    print(HEADER)
    for measured in all_measured:
        print(_line(measured, all_measured[0]))


def _measure(measured: Measured, truth: "Truth", wanted: argparse.Namespace) -> None:
    with _web(measured.processes) as (port, roots):
        crowd = [Annotator(port, truth) for _ in range(wanted.annotators)]
        line = Line(wanted.tiles, pictures=False)
        all_take_part(crowd, line, WARM)
        answers, cpu, start = _answers(), cpu_seconds(roots), time.perf_counter()
        all_take_part(crowd, line, wanted.seconds)
        measured.seconds += time.perf_counter() - start
        spent = cpu_seconds(roots)
        measured.cpu.update({part: spent[part] - cpu[part] for part in PARTS})
        measured.answers += _answers() - answers


@contextmanager
def _copy(data_dir: Path) -> Iterator[None]:
    """Let everybody have a copy of the database, as it was when the project had been made."""
    from config import servers

    original = servers.database_url(data_dir)
    maintenance = servers.database_url(data_dir, name="postgres")
    with psycopg.connect(maintenance, autocommit=True) as server:
        name = psycopg.conninfo.conninfo_to_dict(original)["dbname"]
        server.execute(sql.SQL(COPY).format(sql.Identifier("copy"), sql.Identifier(str(name))))
    os.environ["DATABASE_URL"] = servers.database_url(data_dir, name="copy")
    try:
        yield
    finally:
        del os.environ["DATABASE_URL"]
        with psycopg.connect(maintenance, autocommit=True) as server:
            server.execute("DROP DATABASE copy WITH (FORCE)")


@contextmanager
def _web(count: int) -> Iterator[tuple[int, dict[int, str]]]:
    """Run web processes, as the demo does; give their port, and their ids."""
    from config import services
    from config.servers.supervisor import Supervisor

    supervisor = Supervisor(data_dir=Path(os.environ["DATA_DIR"]), notify=print)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        try:
            for service in services.web(listener, count):
                service.environment["DATABASE_POOL"] = "1"
                supervisor.start(service)
            roots = {each.process.pid: "web" for each in supervisor.services if each.process}
            yield listener.getsockname()[1], roots
        finally:
            supervisor.stop()


def _answers() -> int:
    with psycopg.connect(database_url()) as database:
        row = database.execute("SELECT count(*) FROM labeling_answer").fetchone()
    assert row is not None
    return int(row[0])


def _line(measured: Measured, first: Measured) -> str:
    each = [f"{100_000 * measured.cpu[part] / measured.answers:.1f}" for part in PARTS]
    return (
        f"| {measured.processes} | {measured.answers / measured.seconds:.0f} "
        f"| {1 / measured.cost:.0f} | {' | '.join(each)} | {measured.cost / first.cost:.2f} |"
    )


if __name__ == "__main__":
    threading.excepthook = lambda args: os._exit(1)
    sys.exit(main())
