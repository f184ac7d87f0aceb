"""How often a web process waits for the database: to ask, to answer and to show a tile.

    python -m tests.benchmarks.database_round_trips [--pgbouncer] [--statements] [--tiles 2000]

Starts a database of its own in a temporary folder, makes a project there (`large_projects`), and
one web process, whose connections lead through a proxy that counts: a round trip begins with what
the process sends after it was answered. One visitor asks for grids, looks at a tile of each, and
answers them. With --pgbouncer a PgBouncer in transaction mode stands between proxy and database.
Prints a table in Markdown; with --statements, first what one of each sends.
"""

import argparse
import json
import os
import re
import selectors
import socket
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.benchmarks.challenges_over_http import Annotator, make_project

PIECE = 1 << 16  # bytes
SHOWN = 150  # characters of a statement
WHAT = "asking", "a tile", "answering"


class Proxy:
    """Leads connections over TCP to a socket of PostgreSQL's, and counts round trips."""

    def __init__(self, target: str) -> None:
        self.trips = 0
        self.sent: list[str] = []  # what each round trip began with
        self._target = target
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._target)
            threading.Thread(target=self._lead, args=(client, server), daemon=True).start()

    def _lead(self, client: socket.socket, server: socket.socket) -> None:
        answered, prepared = True, dict[str, str]()
        with client, server, selectors.DefaultSelector() as both:
            both.register(client, selectors.EVENT_READ)
            both.register(server, selectors.EVENT_READ)
            while True:
                for key, _ in both.select():
                    source = key.fileobj
                    assert isinstance(source, socket.socket)
                    if not (data := source.recv(PIECE)):
                        return
                    if source is client and answered:
                        self._count(_in_words(data, prepared))
                    answered = source is server
                    (server if source is client else client).sendall(data)

    def _count(self, sent: str) -> None:
        with self._lock:
            self.trips += 1
            self.sent.append(sent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiles", type=int, default=2_000)
    parser.add_argument("--challenges", type=int, default=60)
    parser.add_argument("--pgbouncer", action="store_true")
    parser.add_argument("--statements", action="store_true")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as data_dir:
        os.environ |= {"DATA_DIR": data_dir, "DJANGO_SETTINGS_MODULE": "config.settings"}
        os.environ |= {"CHALLENGE_RATE": "1000000", "DATABASE_POOL": "0", "PROXIES": "1"}
        os.environ.pop("DATABASE_URL", None)
        from config import servers

        with servers.ensure(Path(data_dir)):
            truth = make_project(wanted.tiles)
            with _proxy(Path(data_dir), wanted.pgbouncer) as proxy, _web(proxy) as port:
                visitor = Annotator(port, truth)
                for _ in range(10):  # warm: connections, caches, practice
                    _one(visitor, proxy, f"bench-{wanted.tiles}")
                first = len(proxy.sent)
                counts = [
                    _one(visitor, proxy, f"bench-{wanted.tiles}") for _ in range(wanted.challenges)
                ]
    if wanted.statements:
        print("\n".join(proxy.sent[first : first + sum(counts[0])]))
    print("| what | round trips to the database: fewest | median | most |\n|---|---:|---:|---:|")
    for what, each in zip(WHAT, zip(*counts, strict=True), strict=True):
        print(f"| {what} | {min(each)} | {statistics.median(each):g} | {max(each)} |")


def _one(visitor: Annotator, proxy: Proxy, project: str) -> tuple[int, int, int]:
    """Ask for a grid, look at one of its tiles, and answer it; return the round trips of each."""
    asking, data = _counted(
        visitor, proxy, "POST", "/api/v1/challenges/", {"project": project, "kind": "grid"}
    )
    shown = json.loads(data)
    showing, _ = _counted(visitor, proxy, "GET", shown["tiles"][0]["url"])
    selected = visitor.look(shown["token"])
    address = f"/api/v1/challenges/{shown['token']}/answer/"
    body = {"selected": selected, "seconds": 1.0}
    answering, _ = _counted(visitor, proxy, "POST", address, body)
    return asking, showing, answering


def _counted(
    visitor: Annotator, proxy: Proxy, method: str, path: str, body: object = None
) -> tuple[int, bytes]:
    before = proxy.trips
    status, data = visitor.send(method, path, body)
    if status not in {200, 201}:
        raise SystemExit(f"{method} {path} failed with {status}: {data[:200]!r}")
    return proxy.trips - before, data


@contextmanager
def _proxy(data_dir: Path, pooled: bool) -> Iterator[Proxy]:
    from config.servers import paths
    from tests.services import pgbouncer

    with ExitStack() as stack:
        port = paths.PORT
        if pooled:
            pooler, port = pgbouncer.PgBouncer(data_dir), pgbouncer.PORT
            pooler.start()
            stack.callback(pooler.stop)
        yield Proxy(f"{paths.socket_dir(data_dir)}/.s.PGSQL.{port}")


@contextmanager
def _web(proxy: Proxy) -> Iterator[int]:
    """Run one web process that finds its database by way of the proxy; give its port."""
    from config import services
    from config.servers import paths
    from config.servers.supervisor import Supervisor

    url = f"postgresql://{paths.USER}@127.0.0.1:{proxy.port}/{paths.DATABASE}?sslmode=disable"
    supervisor = Supervisor(data_dir=Path(os.environ["DATA_DIR"]), notify=print)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        try:
            environment = {"DATABASE_POOL": "1", "DATABASE_URL": url}
            for service in services.web(listener, 1, environment=environment):
                supervisor.start(service)
            yield port
        finally:
            supervisor.stop()


def _in_words(data: bytes, prepared: dict[str, str]) -> str:
    """Return the beginning of a statement, also of one that has been prepared under a name."""
    text = data.decode("latin-1")
    if found := re.match(r"P....(_pg3_\d+)\0([^\0]*)", text, re.DOTALL):
        prepared[found[1]] = found[2]
        return f"PREPARE {_shortened(found[2])}"
    if (found := re.search(r"_pg3_\d+", text[:20])) and found[0] in prepared:
        return _shortened(prepared[found[0]])
    return _shortened(text[5:])


def _shortened(statement: str) -> str:
    return " ".join(re.sub(r"[^ -~]+", " ", statement).split())[:SHOWN]


if __name__ == "__main__":
    threading.excepthook = lambda args: os._exit(1)
    sys.exit(main())
