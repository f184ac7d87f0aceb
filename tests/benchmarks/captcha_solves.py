"""Whole solves of the CAPTCHA a second: begun, answered, verified, over HTTP, by several clients.

    python -m tests.benchmarks.captcha_solves [--tiles 10000 1000000] [--clients 8 64] [--worker]

Starts a database and web processes of its own in a temporary folder, makes a project of each size
(`large_projects`) with a site, and lets clients solve as fast as they can, each from an address
of its own. To answer well, but for one tile in fifty, they read in the database what is known of
the tiles that they are shown; that is counted. Nobody can answer a round within its first second
and a half, so each client has many attempts open at once. The settings are measured in turns.
With --worker, the answers are recorded meanwhile, as the demo's worker does. Then so many sheets
are fetched, whose cost is told apart. Prints tables in Markdown.
"""

import argparse
import http.client
import json
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import psycopg
from psycopg_pool import ConnectionPool

from tests.benchmarks import challenges_over_http as common

MISTAKES = 0.02  # share of tiles
LOOK = 1.6  # seconds after which a round is answered
SECRET = "tessera_site_benchmark"
STEPS = "begin", "answer", "verify"
HEADER = (
    "| tiles | clients | solves/s | begin p50, p95 (ms) | answer p50, p95 | verify p50, p95 "
    "| CPU ms a solve: clients | web | database | Valkey | worker | all |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiles", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--clients", type=int, nargs="+", default=[8, 64])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--sheets", type=int, default=200)
    parser.add_argument("--worker", action="store_true")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as data_dir:
        os.environ |= {"DATA_DIR": data_dir, "DJANGO_SETTINGS_MODULE": "config.settings"}
        os.environ |= {"PROXIES": "1", "DATABASE_POOL": "0"}
        os.environ |= {"CAPTCHA_SITE_RATE": "10000000", "CAPTCHA_RATE": "10000000"}
        os.environ.pop("DATABASE_URL", None)
        from config import servers

        with servers.ensure(Path(data_dir)):
            keys = {tiles: make_site(tiles) for tiles in wanted.tiles}
            with common.processes(worker=wanted.worker) as (port, roots):
                lines = _measure(wanted, port, roots, keys)
                sheets = _fetch_sheets(port, roots, keys[wanted.tiles[-1]], wanted.sheets)
    print(HEADER)
    print("\n".join(str(line) for line in lines))
    print(f"\n{sheets}")


def make_site(tiles: int, host: str = "shop.example") -> str:
    """Make a project of so many tiles, with a site; return its key and secret."""
    common.make_project(tiles)
    from labeling.models import Project, Site, SiteSecret

    site = Site.objects.create(
        project=Project.objects.get(slug=f"bench-{tiles}"),
        name=f"bench {tiles}",
        hosts=[host],
        daily_quota=10**9,
    )
    digest = SiteSecret.digest_of(f"{SECRET}{tiles}")
    SiteSecret.objects.create(site=site, digest=digest, end=SECRET[-4:])
    return f"{site.key} {SECRET}{tiles}"


class Client:
    """Solves over one kept-alive connection, many attempts at a time."""

    def __init__(self, port: int, key: str) -> None:
        from labeling.captcha import tokens

        key, self.secret = key.split()
        self.ticket = tokens.ticket(key, "shop.example")
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.open: deque[tuple[float, str, int]] = deque()  # (when it was shown, name, round)
        self.took: dict[str, list[float]] = defaultdict(list)
        self.solves = self.failed = 0

    def send(self, step: str, path: str, body: object) -> dict[str, object]:
        headers = {"Content-Type": "application/json", "X-Forwarded-For": common.some_address()}
        sent = json.dumps(body)
        if step == "verify":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            sent = str(body)
        start = time.perf_counter()
        self.connection.request("POST", path, sent, headers)
        response = self.connection.getresponse()
        data = response.read()
        self.took[step].append(time.perf_counter() - start)
        if response.status not in {200, 201}:
            raise SystemExit(f"{path} failed with {response.status}: {data[:200]!r}")
        answer: dict[str, object] = json.loads(data)
        return answer

    def solve(self, until: float) -> None:
        """Begin, and answer what has been open for long enough, until then."""
        self.connection.close()  # the server closes what is idle; the next request opens it
        while time.perf_counter() < until:
            body = {"ticket": self.ticket, "door": "grid"}
            asked = self.send("begin", "/captcha/attempts/", body)
            self.open.append((time.perf_counter(), str(asked["attempt"]), 1))
            while self.open and self.open[0][0] < time.perf_counter() - LOOK:
                self._answer(*self.open.popleft())

    def _answer(self, _shown: float, name: str, number: int) -> None:
        query = "SELECT known FROM labeling_attempt WHERE id = %s"
        with _pool().connection() as database:
            row = database.execute(query, [name.partition(".")[0]], prepare=True).fetchone()
        assert row is not None
        known = row[0][:16] if number == 1 else row[0][16:]
        selected = [n for n, p in enumerate(known, 1) if (p > 0.5) != (random.random() < MISTAKES)]
        path = f"/captcha/attempts/{name}/answers/"
        step = self.send("answer", path, {"round": number, "selected": selected})
        if step["outcome"] == "another":
            self.open.append((time.perf_counter(), name, 2))
        elif step["outcome"] == "passed":
            body = f"secret={self.secret}&response={step['response']}"
            verdict = self.send("verify", "/recaptcha/api/siteverify", body)
            if verdict["success"] is not True:
                raise SystemExit(f"Not verified: {verdict}")
            self.solves += 1
        else:
            self.failed += 1


@cache
def _pool() -> "ConnectionPool[psycopg.Connection[tuple[list[float]]]]":
    """Return the few connections by which all clients look things up."""
    from config import servers

    url = servers.database_url(Path(os.environ["DATA_DIR"]))
    return ConnectionPool(url, min_size=4, max_size=4, kwargs={"autocommit": True}, open=True)


@dataclass
class Line:
    """What was measured of one project by so many clients, over all turns."""

    tiles: int
    clients: int
    seconds: float = 0.0
    solves: int = 0
    failed: int = 0
    took: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    cpu: Counter[str] = field(default_factory=Counter)  # seconds, by part

    def __str__(self) -> str:
        steps = []
        for step in STEPS:
            took = [1000 * each for each in self.took[step]]
            late = statistics.quantiles(took, n=20)[-1]
            steps.append(f"{statistics.median(took):.0f}, {late:.0f}")
        each = {part: 1000 * self.cpu[part] / self.solves for part in ("clients", *common.PARTS)}
        return (
            f"| {self.tiles:,} | {self.clients} | {self.solves / self.seconds:.1f} "
            f"| {' | '.join(steps)} | {' | '.join(f'{each[part]:.1f}' for part in each)} "
            f"| {sum(each.values()):.1f} |"
        )


def _measure(
    wanted: argparse.Namespace, port: int, roots: dict[int, str], keys: dict[int, str]
) -> list[Line]:
    lines = [Line(tiles, clients) for clients in wanted.clients for tiles in wanted.tiles]
    crowds = {
        (tiles, clients): [Client(port, keys[tiles]) for _ in range(clients)]
        for clients in wanted.clients
        for tiles in wanted.tiles
    }
    for line in lines * (1 + wanted.turns):
        crowd = crowds[line.tiles, line.clients]
        warm = not line.took  # the first turn only fills what is open, and warms
        _solve(crowd, 4)
        before = [(client.solves, client.failed) for client in crowd]
        for client in crowd:
            client.took.clear()
        cpu, own, start = common.cpu_seconds(roots), time.process_time(), time.perf_counter()
        _solve(crowd, 1 if warm else wanted.seconds)
        if warm:
            line.took["begin"] = []
            continue
        line.seconds += time.perf_counter() - start
        spent = {"clients": time.process_time() - own}
        now = common.cpu_seconds(roots)
        spent |= {part: seconds - cpu[part] for part, seconds in now.items()}
        line.cpu.update(spent)
        for client, (solves, failed) in zip(crowd, before, strict=True):
            line.solves += client.solves - solves
            line.failed += client.failed - failed
            for step in STEPS:
                line.took[step] += client.took[step]
            client.open.clear()
    failed = sum(line.failed for line in lines) / sum(line.solves + line.failed for line in lines)
    print(f"<!-- {failed:.1%} of the attempts failed, by mistakes -->")
    return lines


def _solve(crowd: list[Client], seconds: float) -> None:
    until = time.perf_counter() + seconds
    with ThreadPoolExecutor(len(crowd)) as pool:
        list(pool.map(lambda client: client.solve(until), crowd))


def _fetch_sheets(port: int, roots: dict[int, str], key: str, count: int) -> str:
    """Fetch the sheets of new attempts, one after the other; return what one costs, in words."""
    client = Client(port, key)
    body = {"ticket": client.ticket, "door": "grid"}
    names = [client.send("begin", "/captcha/attempts/", body)["attempt"] for _ in range(count)]
    took, sizes = [], []
    cpu = common.cpu_seconds(roots)
    for name in names:
        start = time.perf_counter()
        client.connection.request("GET", f"/captcha/attempts/{name}/1.jpg")
        sizes.append(len(client.connection.getresponse().read()))
        took.append(1000 * (time.perf_counter() - start))
    web = 1000 * (common.cpu_seconds(roots)["web"] - cpu["web"]) / count
    return (
        f"A sheet of sixteen tiles: p50 {statistics.median(took):.0f} ms, p95 "
        f"{statistics.quantiles(took, n=20)[-1]:.0f} ms, {web:.0f} ms of CPU in the web process, "
        f"{statistics.median(sizes) / 1000:.0f} kB; {count} in turn."
    )


if __name__ == "__main__":
    threading.excepthook = lambda args: os._exit(1)
    sys.exit(main())
