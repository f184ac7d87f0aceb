"""Challenges answered a second, over HTTP, by several annotators at once.

    python tests/benchmarks/challenges_over_http.py [--tiles 10000 100000] [--seconds 20]

Starts a database and a web server of its own in a temporary folder, makes the tiles (rows of
their own that share a few picture files; one concept is asked of each, one in six is gold), and
lets annotators ask for a grid and answer it as fast as they can. Prints a table in Markdown.
"""

import argparse
import http.client
import io
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
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
CONCEPTS = 40
GOLD = 1 / 6
HEADER = (
    "| tiles | pictures too | challenges/s | p50 ask, answer (ms) | p95 ask, answer (ms) "
    "| CPU s a challenge (web + database) |\n|---|---|---|---|---|---|"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiles", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--annotators", type=int, default=8)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as data_dir:
        os.environ |= {"DATA_DIR": data_dir, "DJANGO_SETTINGS_MODULE": "config.settings"}
        os.environ |= {"CHALLENGE_RATE": "1000000", "DATABASE_POOL": "0"}
        os.environ.pop("DATABASE_URL", None)
        from config import servers

        with servers.ensure(Path(data_dir)):
            _prepare()
            print(HEADER, flush=True)
            for tiles in wanted.tiles:
                make_tiles(tiles)
                with server() as (port, web):
                    for pictures in (False, True):
                        print(measure(wanted, port, web, tiles, pictures), flush=True)


def _prepare() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def make_tiles(total: int) -> None:
    """A project of its own, with that many tiles."""
    import django.db
    from django.core.files.base import ContentFile
    from django.core.files.storage import default_storage
    from PIL import Image as Pillow

    from labeling import questions
    from labeling.models import Concept, Image, Project, Tile

    project = Project.objects.create(slug=f"bench-{total}", name="Benchmark")
    concepts = [
        Concept.objects.create(project=project, name=f"thing {n}", phrase=f"a thing {n}")
        for n in range(CONCEPTS)
    ]
    names = []
    for n in range(20):
        file = io.BytesIO()
        noise = Pillow.effect_noise((64, 64), 10 * n + 5).resize((256, 256)).convert("RGB")
        noise.save(file, "WEBP", quality=90)
        names.append(default_storage.save(f"images/noise-{n}.webp", ContentFile(file.getvalue())))
    for start in range(0, total, 5_000):
        images = Image.objects.bulk_create(
            Image(
                project=project,
                sha256=f"{n * 2654435761 % 2**64:064x}",
                source_sha256=f"{n:064x}",
                perceptual_hash=n,
                file=names[n % len(names)],
                width=256,
                height=256,
                source=f"noise {n}.webp",
            )
            for n in range(start, min(start + 5_000, total))
        )
        tiles = Tile.objects.bulk_create(
            Tile(image=image, width=256, height=256) for image in images
        )
        for number, concept in enumerate(concepts):
            asked = tiles[number::CONCEPTS]
            gold = {(t.pk, concept.pk): random.random() < 0.3 for t in asked[:: round(1 / GOLD)]}
            questions.ask_concepts(tiles=asked, concepts=[concept], gold=gold)
    with django.db.connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


@contextmanager
def server() -> Iterator[tuple[int, set[int]]]:
    """The web processes as the demo runs them: their port and their process ids."""
    from config import services
    from config.servers.supervisor import Supervisor

    supervisor = Supervisor(data_dir=Path(os.environ["DATA_DIR"]), notify=print)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        try:
            for service in services.web(listener):
                service.environment["DATABASE_POOL"] = "1"
                supervisor.start(service)
            processes = [service.process for service in supervisor.services]
            yield listener.getsockname()[1], {process.pid for process in processes if process}
        finally:
            supervisor.stop()


class Annotator:
    """One visitor's browser, on one kept-alive connection."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.cookies = {"csrftoken": "a" * 32}

    def send(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        headers = {
            "Content-Type": "application/json",
            "X-CSRFToken": self.cookies["csrftoken"],
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
            chosen = [tile["number"] for tile in shown["tiles"] if random.random() < 0.3]
            before = time.perf_counter()
            status, data = self.send(
                "POST",
                f"/api/v1/challenges/{shown['token']}/answer/",
                {"selected": chosen, "seconds": 1.0},
            )
            if status != 200:
                raise SystemExit(f"Answering failed with {status}: {data[:200]!r}")
            took.append((asked - start, time.perf_counter() - before))
        return took


def measure(
    wanted: argparse.Namespace, port: int, web: set[int], tiles: int, pictures: bool
) -> str:
    """A line of the table."""
    annotators = [Annotator(port) for _ in range(wanted.annotators)]
    project = f"bench-{tiles}"

    def all_take_part(seconds: float) -> list[tuple[float, float]]:
        until = time.perf_counter() + seconds
        with ThreadPoolExecutor(len(annotators)) as pool:
            parts = pool.map(lambda a: a.take_part(project, pictures, until), annotators)
            return [pair for part in parts for pair in part]

    all_take_part(2)  # warm
    cpu, start = _cpu_seconds(web), time.perf_counter()
    took = all_take_part(wanted.seconds)
    seconds, spent = time.perf_counter() - start, _cpu_seconds(web) - cpu
    asks, answers = ([1000 * one for one in side] for side in zip(*took, strict=True))
    medians = f"{statistics.median(asks):.0f}, {statistics.median(answers):.0f}"
    late = ", ".join(f"{statistics.quantiles(side, n=20)[-1]:.0f}" for side in (asks, answers))
    return (
        f"| {tiles:,} | {'yes' if pictures else 'no'} | {len(took) / seconds:.1f} | {medians} "
        f"| {late} | {spent / len(took):.3f} |"
    )


def _cpu_seconds(web: set[int]) -> float:
    """Of the web processes and of the database, with all their processes."""
    parents, ticks, database = {}, {}, set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        pid = int(folder.name)
        parents[pid], ticks[pid] = int(fields[1]), int(fields[11]) + int(fields[12])
        ticks[pid] += int(fields[13]) + int(fields[14])  # of children that ended
        if b"postgres" in command and os.environ["DATA_DIR"].encode() in command:
            database.add(pid)
    roots = web | database

    def ours(pid: int) -> bool:
        for _ in count():
            if pid in roots:
                return True
            if pid not in parents:
                return False
            pid = parents[pid]
        return False

    return sum(ticks[pid] for pid in ticks if ours(pid)) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    threading.excepthook = lambda args: os._exit(1)
    main()
