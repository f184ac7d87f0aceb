"""Challenges answered a second, over HTTP, by several annotators at once.

    python -m tests.benchmarks.challenges_over_http [--tiles 10000 1000000] [--worker]

Starts a database and web processes of its own in a temporary folder, makes a project of each size
(`large_projects`), and lets annotators ask for a grid and answer it as fast as they can. To answer
well, but for one answer in twenty, they look up in the database which tiles they see; that is
counted. There they also date each challenge back by a day, as if they had looked at it for a while:
answers that no person can have given are refused. The sizes are measured in turns. Prints a table
in Markdown, with the CPU time of each part. With --worker, the demo's worker tops up the pools as
well, else those who ask do.
"""

import argparse
import http.client
import json
import os
import random
import re
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from tests.benchmarks.large_projects import Truth

CONCEPTS = 41
MISTAKES = 0.05  # share of answers
PARTS = "web", "database", "Valkey", "worker"
HEADER = (
    "| tiles | pictures too | challenges/s | p50 ask, answer (ms) | p95 ask, answer (ms) "
    "| CPU ms a challenge: clients | web | database | Valkey | worker | all |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiles", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--annotators", type=int, default=8)
    parser.add_argument("--worker", action="store_true")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as data_dir:
        os.environ |= {"DATA_DIR": data_dir, "DJANGO_SETTINGS_MODULE": "config.settings"}
        os.environ |= {"CHALLENGE_RATE": "1000000", "DATABASE_POOL": "0", "PROXIES": "1"}
        os.environ.pop("DATABASE_URL", None)
        from config import servers

        with servers.ensure(Path(data_dir)):
            truths = {tiles: make_project(tiles) for tiles in wanted.tiles}
            with processes(worker=wanted.worker) as (port, roots):
                lines = _measure(wanted, port, roots, truths)
    print(HEADER)
    print("\n".join(str(line) for line in lines))


def make_project(tiles: int) -> "Truth":
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    from tests.benchmarks import large_projects

    start = time.perf_counter()
    truth = large_projects.make(f"bench-{tiles}", tiles=tiles, concepts=CONCEPTS)
    print(f"<!-- {tiles:,} tiles were made in {time.perf_counter() - start:.0f} s -->", flush=True)
    return truth


@contextmanager
def processes(*, worker: bool) -> Iterator[tuple[int, dict[int, str]]]:
    """Run the web processes, and the worker, as the demo does; give the port and their ids."""
    from config import services
    from config.servers.supervisor import Supervisor

    supervisor = Supervisor(data_dir=Path(os.environ["DATA_DIR"]), notify=print)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        wanted = {service.name: service for service in services.web(listener)}
        if worker:
            wanted["worker"] = services.worker()
        try:
            for service in wanted.values():
                if service.name != "worker":
                    service.environment["DATABASE_POOL"] = "1"
                supervisor.start(service)
            roots = {
                service.process.pid: "worker" if service.name == "worker" else "web"
                for service in supervisor.services
                if service.process
            }
            yield listener.getsockname()[1], roots
        finally:
            supervisor.stop()


class Annotator:
    """One visitor who knows the truth, and their browser, on one kept-alive connection.

    As behind a proxy, each has an address of their own: who share one wait for each other.
    """

    def __init__(self, port: int, truth: "Truth") -> None:
        self.truth = truth
        self.address = some_address()
        self.database = _connect()
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.cookies = {"csrftoken": "a" * 32}

    def send(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        headers = {
            "Content-Type": "application/json",
            "X-CSRFToken": self.cookies["csrftoken"],
            "X-Forwarded-For": self.address,
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
        }
        self.connection.request(method, path, json.dumps(body) if body else None, headers)
        response = self.connection.getresponse()
        data = response.read()
        if match := re.match(r"(\w+)=([^;]*)", response.getheader("Set-Cookie") or ""):
            self.cookies[match[1]] = match[2]
        return response.status, data

    def take_part(self, project: str, pictures: bool, until: float) -> list[tuple[float, float]]:
        """Ask and answer until then; how long each took."""
        took = []
        while time.perf_counter() < until:
            start = time.perf_counter()
            body = {"project": project, "kind": "grid"}
            status, data = self.send("POST", "/api/v1/challenges/", body)
            asked = time.perf_counter()
            if status != 201:
                raise SystemExit(f"Selector failed with {status}: {data[:200]!r}")
            shown = json.loads(data)
            if pictures:
                for tile in shown["tiles"]:
                    if self.send("GET", tile["url"])[0] != 200:
                        raise SystemExit("A picture did not come.")
            selected = self.look(shown["token"])
            before = time.perf_counter()
            status, data = self.send(
                "POST",
                f"/api/v1/challenges/{shown['token']}/answer/",
                {"selected": selected, "seconds": 1.0},
            )
            if status != 200:
                raise SystemExit(f"Answering failed with {status}: {data[:200]!r}")
            took.append((asked - start, time.perf_counter() - before))
        return took

    def look(self, token: str) -> list[int]:
        """Return the numbers of the tiles that show the concept, with mistakes."""
        query = (
            "UPDATE labeling_challenge SET created_at = created_at - interval '1 day'"
            " WHERE id = %s RETURNING concept_id, tiles"
        )
        row = self.database.execute(query, [token.partition(".")[0]], prepare=True).fetchone()
        assert row is not None
        truth = self.truth.of(*row)
        return [n for n, yes in enumerate(truth, 1) if yes != (random.random() < MISTAKES)]


def some_address() -> str:
    """Return an address that hardly anybody else has."""
    return f"10.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(256)}"


def _connect() -> "psycopg.Connection[tuple[int, list[int]]]":
    return psycopg.connect(database_url(), autocommit=True)


def database_url() -> str:
    from config import servers

    own = os.environ.get("DATABASE_URL")  # beside the one in which projects were made
    return own or servers.database_url(Path(os.environ["DATA_DIR"]))


@dataclass
class Line:
    """What was measured of one project, with or without pictures, over all turns."""

    tiles: int
    pictures: bool
    seconds: float = 0.0
    took: list[tuple[float, float]] = field(default_factory=list)
    cpu: Counter[str] = field(default_factory=Counter)  # seconds, by part

    def __str__(self) -> str:
        asks, answers = ([1000 * one for one in side] for side in zip(*self.took, strict=True))
        medians = f"{statistics.median(asks):.0f}, {statistics.median(answers):.0f}"
        late = ", ".join(f"{statistics.quantiles(side, n=20)[-1]:.0f}" for side in (asks, answers))
        each = {part: 1000 * self.cpu[part] / len(self.took) for part in ("clients", *PARTS)}
        parts = " | ".join(f"{each[part]:.1f}" for part in each)
        return (
            f"| {self.tiles:,} | {'yes' if self.pictures else 'no'} "
            f"| {len(self.took) / self.seconds:.1f} | {medians} | {late} "
            f"| {parts} | {sum(each.values()):.1f} |"
        )


def _measure(
    wanted: argparse.Namespace, port: int, roots: dict[int, str], truths: dict[int, "Truth"]
) -> list[Line]:
    """Let annotators of its own take part in each project in turns."""
    lines = [Line(tiles, pictures) for pictures in (False, True) for tiles in wanted.tiles]
    crowds = {
        tiles: [Annotator(port, truth) for _ in range(wanted.annotators)]
        for tiles, truth in truths.items()
    }
    for line in lines:
        all_take_part(crowds[line.tiles], line, 2)  # warm
    for line in lines * wanted.turns:
        cpu, own, start = cpu_seconds(roots), time.process_time(), time.perf_counter()
        line.took += all_take_part(crowds[line.tiles], line, wanted.seconds)
        line.seconds += time.perf_counter() - start
        spent = {"clients": time.process_time() - own}
        spent |= {part: seconds - cpu[part] for part, seconds in cpu_seconds(roots).items()}
        line.cpu.update(spent)
    return lines


def all_take_part(crowd: list[Annotator], line: Line, seconds: float) -> list[tuple[float, float]]:
    until = time.perf_counter() + seconds
    with ThreadPoolExecutor(len(crowd)) as pool:
        parts = pool.map(lambda a: a.take_part(f"bench-{line.tiles}", line.pictures, until), crowd)
        return [pair for part in parts for pair in part]


def cpu_seconds(roots: dict[int, str]) -> Counter[str]:
    """Return the CPU seconds of each part so far, with all its processes."""
    parents, ticks, part_of = {}, {}, dict(roots)
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            place = (folder / "cwd").readlink()
        except OSError:
            continue
        parents[pid] = int(fields[1])
        ticks[pid] = sum(map(int, fields[11:15]))  # its own and those of children that ended
        if place.is_relative_to(os.environ["DATA_DIR"]):
            server = {"postgresql": "database", "valkey": "Valkey"}.get(place.name, "")
            part_of.setdefault(pid, server)
    spent: Counter[str] = Counter()
    for pid in ticks:
        ancestor = pid
        while ancestor in parents and not part_of.get(ancestor):
            ancestor = parents[ancestor]
        if part := part_of.get(ancestor):
            spent[part] += ticks[pid] / os.sysconf("SC_CLK_TCK")
    return spent


if __name__ == "__main__":
    threading.excepthook = lambda args: os._exit(1)
    sys.exit(main())
