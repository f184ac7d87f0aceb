"""How soon labels that bots turned are back while everything else goes on. Prints Markdown.

    python -m tests.benchmarks.repair_under_load [--bots 40] [--tiles 4000] [--idle]

Starts a database and all processes of the demo (web, worker, jobs, sampler) in a temporary folder,
with three projects: one that is attacked, one of as many answered questions as `--answered`, which
is given a new model's predictions and recomputed again and again, and one into which pictures are
imported over and over while a model trains on it. Some honest people answer meanwhile. `--idle`
leaves all of that out but the people.

The bots come over HTTP as visitors do, each with an address of its own. They know all gold and all
that is settled, and are right about it, and about the rest in the beginning. From then on all of
them lie about the same part of the tiles (`LIED_ABOUT`), and are right about the others: so they
are believed. In the first round they give themselves away in the end, by lying about all; in the
second, once those of the first are blocked and all is recomputed, an admin blocks them all over
HTTP once they are done.

Labels are looked at twice a second, for so long after each attack as `--watched`. In the end the
load is stopped, all bots of a round are blocked and all is recomputed twice: that is what labels
are without them. A label is damaged while it is settled, wrong, and not so without them; questions
that others answered after the attack are left out. The time counts from the last lie, after which
the first bot is blocked, until none is damaged any more. Of the labels that are still damaged then
it is told who said so, how far they are believed, and whether recomputing once more, while nobody
answers, repairs them (`damaged_labels`).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labeling.models import Project
    from tests.benchmarks.large_projects import Truth

CONCEPTS = 2
HONEST = 4  # people who answer all the time
LOOKING = 1.0  # seconds at a challenge
RIGHT, LIES, GIVEN_AWAY = 3, 10, 4  # challenges of a bot: right, lies but for gold, all wrong
LIED_ABOUT = 5  # every so many tiles
AT_ONCE = 8  # bots
LOOK_EVERY = 0.5  # seconds
SETTLED = """
SELECT id, probability >= 0.5 FROM labeling_question
WHERE project_id = %s AND state = 'settled'
"""
ASKED = """
SELECT challenge.concept_id, tile.id,
    coalesce(verdict IS NOT NULL OR question.state = 'settled', true)
FROM labeling_challenge AS challenge
CROSS JOIN unnest(challenge.tiles) WITH ORDINALITY AS tile(id, number)
LEFT JOIN labeling_question AS question
    ON question.concept_id = challenge.concept_id AND question.tile_id = tile.id
WHERE challenge.id = %s ORDER BY number
"""
TOUCHED = """
SELECT DISTINCT question_id, concept_id, tile_id FROM labeling_answer AS answer
JOIN labeling_question AS question ON question.id = question_id
WHERE annotator_id = ANY(%(bots)s) AND verdict IS NULL AND NOT EXISTS (
    SELECT FROM labeling_answer AS later WHERE later.question_id = answer.question_id
        AND later.annotator_id <> ALL(%(bots)s) AND later.id > %(newest)s
)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bots", type=int, default=40)
    parser.add_argument("--tiles", type=int, default=4_000)
    parser.add_argument("--answered", type=int, default=30_000)
    parser.add_argument("--pictures", type=int, default=5_000, help="of each import")
    parser.add_argument("--watched", type=float, default=120.0, help="seconds after an attack")
    parser.add_argument("--idle", action="store_true")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as data_dir:
        os.environ |= {"DATA_DIR": data_dir, "DJANGO_SETTINGS_MODULE": "config.settings"}
        os.environ |= {"CHALLENGE_RATE": "1000000", "DATABASE_POOL": "0", "PROXIES": "1"}
        os.environ.pop("DATABASE_URL", None)
        from config import servers

        with servers.ensure(Path(data_dir)):
            import django

            django.setup()
            from django.core.management import call_command

            call_command("migrate", verbosity=0)
            _measure(wanted, Path(data_dir))


def _measure(wanted: argparse.Namespace, folder: Path) -> None:
    from tests.benchmarks import large_projects

    truth = large_projects.make("attacked", tiles=wanted.tiles, concepts=CONCEPTS)
    steps = [] if wanted.idle else _load(wanted, folder)
    rounds = []
    pause = threading.Event()  # of the people
    with all_processes() as port, going_on([_person(port, truth, pause)] * HONEST + steps):
        for name, blocks in (("what they say", False), ("an admin", True)):
            rounds.append(Round(name, port, truth, wanted, pause).run(blocks=blocks))
            print(f"<!-- {name}: attacked and watched -->", file=sys.stderr, flush=True)
        print(f"Meanwhile: {_what_went_on()}.\n")
    print("| load average | found out by | bots | labels damaged at the most ", end="")
    print("| at the end of the attack | seconds until none is | still damaged |")
    print("|---:|---|---:|---:|---:|---:|---:|")
    for each in rounds:
        each.compare()
        print(each.line(), flush=True)
    for each in rounds:
        print(f"\n{each.name}: recomputed from second {each.recomputations()}")
        if each.left:
            print(f"\n{each.name}: {each.diagnosis.tell(each.left)}", flush=True)


@contextmanager
def all_processes() -> Iterator[int]:
    """Run what the demo runs; give the port."""
    import socket

    from config import services
    from config.servers.supervisor import Supervisor

    supervisor = Supervisor(data_dir=Path(os.environ["DATA_DIR"]), notify=print)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        try:
            for service in services.web(listener):
                service.environment["DATABASE_POOL"] = "1"
                supervisor.start(service)
            for service in (services.worker(), services.jobs(), services.sampler()):
                supervisor.start(service)
            yield listener.getsockname()[1]
        finally:
            supervisor.stop()


@contextmanager
def going_on(steps: list[Callable[[], object]]) -> Iterator[threading.Event]:
    """Do each step again and again beside everything else, until the event is set."""
    from django.db import connection

    stop = threading.Event()

    def repeat(step: Callable[[], object]) -> None:
        while not stop.is_set():
            step()
        connection.close()

    threads = [threading.Thread(target=repeat, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    try:
        yield stop
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _what_went_on() -> str:
    from labeling.models import Answer, Image, Recomputation
    from training.models import Run

    large = Recomputation.objects.filter(project__slug="large").first()
    took = "is under way"
    if large and large.started_at and large.finished_at and large.finished_at >= large.started_at:
        took = f"took {(large.finished_at - large.started_at).total_seconds():.0f} s"
    steps = sum(Run.objects.values_list("step", flat=True))
    pictures = Image.objects.filter(project__slug__startswith="imported").count()
    return (
        f"{pictures:,} pictures imported, {steps:,} steps trained, "
        f"{Answer.objects.count():,} answers in all; "
        f"the last recomputation of the large project {took}"
    )


def _load(wanted: argparse.Namespace, folder: Path) -> list[Callable[[], object]]:
    """Make two more projects; return what goes on there."""
    from labeling.models import Project, Recomputation
    from tests.benchmarks import import_on_two, new_predictions, sharded_inference
    from training import tasks
    from training.models import Run

    large = Project.objects.get(pk=sharded_inference.make(wanted.answered, 500))
    import_on_two.make(folder / "pictures", wanted.pictures, 192)
    _import(folder / "pictures")
    learned = Project.objects.get(slug="imported")
    seeds = iter(range(10_000))

    def recompute() -> None:
        new_predictions.predict(large, seed=next(seeds))
        Recomputation.objects.filter(project=large).update(requested=True)
        time.sleep(5)

    def train() -> None:
        under_way = Run.objects.exclude(state__in=["succeeded", "failed", "cancelled"])
        if not under_way.exists():
            options = {"steps": 100_000, "checkpoint_steps": 1_000}
            tasks.start_run(
                project=learned, recipe="diffusion", preset="smoke", options=options, anyway=True
            )
        time.sleep(2)

    return [recompute, train, lambda: _import(folder / "pictures")]


def _import(pictures: Path) -> None:
    """Import all pictures into a project of their own, as if none were there."""
    from labeling.models import Project

    slug = "imported"
    if Project.objects.filter(slug=slug).exists():
        slug = f"imported-{time.time_ns()}"
    command = [sys.executable, "manage.py", "import_images", str(pictures), "--project", slug]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _person(port: int, truth: "Truth", pause: threading.Event) -> Callable[[], None]:
    """Return a step of honest people: each a new visitor with a challenge, one a second."""

    def step() -> None:
        if not pause.is_set():
            visitor = Visitor(port, truth)
            visitor.answer()
            visitor.close()
        time.sleep(LOOKING)

    return step


class Visitor:
    """A visitor over HTTP who knows the truth."""

    def __init__(self, port: int, truth: "Truth") -> None:
        from tests.benchmarks.challenges_over_http import Annotator

        self._client = Annotator(port, truth)
        self.annotator: int | None = None  # the id that the server knows them by

    def answer(self, *, lies: bool = False, about_known: bool = False) -> None:
        """Ask for a grid and answer it: right, but for slips, or wrong, about gold too or not.

        Whoever waits for too long gives up.
        """
        try:
            self._answer(lies=lies, about_known=about_known)
        except (OSError, HTTPException):
            self._client.connection.close()

    def _answer(self, *, lies: bool, about_known: bool) -> None:
        client = self._client
        body: dict[str, object] = {"project": "attacked", "kind": "grid"}
        status, data = client.send("POST", "/api/v1/challenges/", body)
        if status != 201:
            time.sleep(LOOKING)
            return
        shown = json.loads(data)
        selected = set(client.look(shown["token"]))
        if lies:
            selected = self._lies(shown["token"], about_known=about_known)
        body = {"selected": sorted(selected), "seconds": LOOKING}
        client.send("POST", f"/api/v1/challenges/{shown['token']}/answer/", body)
        if self.annotator is None:
            query = "SELECT annotator_id FROM labeling_challenge WHERE id = %s"
            row = client.database.execute(query, [shown["token"].partition(".")[0]]).fetchone()
            self.annotator = row[0] if row else None

    def _lies(self, token: str, *, about_known: bool) -> set[int]:
        """Return the numbers to select where all is lied about, or what is agreed upon."""
        rows: list[tuple[int, int, bool]]
        rows = self._client.database.execute(ASKED, [token.partition(".")[0]]).fetchall()  # type: ignore[assignment]
        selected = set()
        for number, (concept, tile, known) in enumerate(rows, 1):
            yes = bool(self._client.truth.of(concept, [tile])[0])
            if yes != (about_known or (tile % LIED_ABOUT == 0 and not known)):
                selected.add(number)
        return selected

    def close(self) -> None:
        self._client.database.close()
        self._client.connection.close()


class Round:
    """An attack, and what became of the labels."""

    def __init__(
        self,
        name: str,
        port: int,
        truth: "Truth",
        wanted: argparse.Namespace,
        pause: threading.Event,
    ) -> None:
        """pause: set while people are not to answer."""
        self.name, self._port, self._truth, self._pause = name, port, truth, pause
        self._count, self._watched = wanted.bots, wanted.watched
        self._ended = threading.Event()
        self._looks: list[tuple[float, dict[int, bool]]] = []  # settled labels by time
        self._bots: list[int] = []
        self._newest = 0  # answer, when the attack ended
        self._known = 0.0  # time from which on they could be known
        self._load_average = 0.0
        self._recomputed: dict[datetime, datetime | None] = {}  # when begun, and when ended
        self.damaged: list[tuple[float, int]] = []  # labels by seconds since then
        self.left: dict[int, bool] = {}  # damaged labels in the end, by question id

    def run(self, *, blocks: bool) -> "Round":
        """Attack; let an admin block the bots, or nobody; look until little changes any more."""
        looking = threading.Thread(target=self._look)
        looking.start()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            bots = list(pool.map(lambda _: self._attack(not blocks), range(self._count)))
        self._bots = [pk for pk in bots if pk is not None]
        self._newest, self._known = _newest(), time.monotonic()
        if blocks:
            self._block_all()
        time.sleep(self._watched)
        self._load_average = os.getloadavg()[1]
        self._ended.set()
        looking.join()
        self._diagnose()
        if not blocks:  # so that they take no part in the next round
            self._block_all()
            _recompute(_attacked())
        self._pause.clear()
        return self

    def _diagnose(self) -> None:
        """Recompute once more while nobody answers, and keep what that changes."""
        from tests.benchmarks.damaged_labels import Diagnosis

        self._pause.set()
        time.sleep(2 * LOOKING)
        truth, settled = self._touched(), self._looks[-1][1]
        wrong = [pk for pk in truth if settled.get(pk, truth[pk]) != truth[pk]]
        self.diagnosis = Diagnosis(_attacked(), wrong, self._bots)

    def compare(self) -> None:
        """Block the bots now at the latest, recompute, and compare: nothing else goes on."""
        from labeling.models import Annotator

        Annotator.objects.filter(pk__in=self._bots).update(blocked=True)
        project = _attacked()
        for _ in range(2):
            _recompute(project)
        without = _settled(project.pk)
        truth = self._touched()
        damaged = [
            (at - self._known, [pk for pk in truth if _is_damaged(pk, look, truth, without)])
            for at, look in self._looks
        ]
        self.damaged = [(at, len(labels)) for at, labels in damaged]
        self.left = {pk: not truth[pk] for pk in damaged[-1][1]}

    def _touched(self) -> dict[int, bool]:
        """Return the truth of what bots answered, and nobody else did since, by question id."""
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(TOUCHED, {"bots": self._bots, "newest": self._newest})
            rows = cursor.fetchall()
        return {pk: bool(self._truth.of(concept, [tile])[0]) for pk, concept, tile in rows}

    def line(self) -> str:
        most = max(count for _, count in self.damaged)
        at_once = next((count for at, count in self.damaged if at >= 0), 0)
        since = [at for at, count in self.damaged if count]
        last = self.damaged[-1][1]
        seconds = f"more than {self._watched:.0f}" if last else f"{max(since, default=0.0):.1f}"
        cells = self.name, len(self._bots), most, at_once, seconds, last
        return f"| {self._load_average:.0f} | {' | '.join(map(str, cells))} |"

    def recomputations(self) -> str:
        """Tell when all was recomputed since the last lie, or about then."""
        known = time.time() - time.monotonic() + self._known
        spans = [
            f"{begun.timestamp() - known:.0f} to "
            + (f"{ended.timestamp() - known:.0f}" if ended else "?")
            for begun, ended in sorted(self._recomputed.items())
        ]
        return ", ".join(spans[-12:])

    def _attack(self, gives_itself_away: bool) -> int | None:
        bot = Visitor(self._port, self._truth)
        for number in range(RIGHT + LIES):
            bot.answer(lies=number >= RIGHT)
        for _ in range(GIVEN_AWAY if gives_itself_away else 0):
            bot.answer(lies=True, about_known=True)
        bot.close()
        return bot.annotator

    def _block_all(self) -> None:
        """Block all bots over HTTP, as a program of an admin's would, one after the other."""
        from django.contrib.auth.models import User

        from labeling import tokens
        from labeling.models import Scope

        admin, _ = User.objects.get_or_create(username="admin", is_staff=True, is_superuser=True)
        _, secret = tokens.make(
            user=admin, name=f"to block bots: {self.name}", scopes=list(Scope.values)
        )
        base = f"http://127.0.0.1:{self._port}/api/v1/projects/attacked/annotators"
        for bot in self._bots:
            request = urllib.request.Request(
                f"{base}/{bot}/block/",
                method="POST",
                headers={"Authorization": f"Bearer {secret}"},
            )
            urllib.request.urlopen(request, timeout=60).close()

    def _look(self) -> None:
        from django.db import connection

        from labeling.models import Recomputation

        project = _attacked().pk
        while not self._ended.is_set():
            self._looks.append((time.monotonic(), _settled(project)))
            rows = Recomputation.objects.filter(project=project)
            for started, finished in rows.exclude(started_at=None).values_list(
                "started_at", "finished_at"
            ):
                self._recomputed[started] = finished if finished and finished > started else None
            time.sleep(LOOK_EVERY)
        connection.close()


def _is_damaged(
    pk: int, look: dict[int, bool], truth: dict[int, bool], without: dict[int, bool]
) -> bool:
    return pk in look and look[pk] != truth[pk] and without.get(pk) != look[pk]


def _attacked() -> "Project":
    from labeling.models import Project

    return Project.objects.get(slug="attacked")


def _settled(project: int) -> dict[int, bool]:
    """Return the settled labels by question id."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(SETTLED, [project])
        return dict(cursor.fetchall())


def _newest() -> int:
    from labeling.models import Answer

    return int(Answer.objects.order_by("-pk").values_list("pk", flat=True).first() or 0)


def _recompute(project: "Project") -> None:
    """Recompute a project here; wait for whoever is at it."""
    from labeling.inference import recompute

    while recompute.run(project=project) is None:
        time.sleep(LOOK_EVERY)


if __name__ == "__main__":
    main()
