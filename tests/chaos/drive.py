"""Start an installation, do the scenarios to it one after the other, and settle the accounts."""

import argparse
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos import no_room, promoting, rooms
from tests.chaos.installation import MACHINES, NAME, ROOT, Installation, wait_for
from tests.chaos.installing import Programs
from tests.chaos.network import Network, stand_on
from tests.chaos.parts import Parts
from tests.chaos.scenarios import CALM, WATCHED, Outcome, Scenario, Watch, scenarios

if TYPE_CHECKING:
    from tests.chaos.work import Work

PROJECT = "chaos"
PICTURES = 600
HEADER = (
    "| what happens | answers after it | longest wait for one (s) | runs go on after (s) |\n"
    "|---|---|---|---|"
)


def run(wanted: argparse.Namespace, programs: Programs, folder: Path) -> int:
    """Return the exit status: 0 where nothing was lost."""
    known = {**scenarios(), **no_room.scenarios(), **promoting.scenarios()}
    if unknown := set(wanted.scenarios) - known.keys():
        raise SystemExit(f"No scenario is {', '.join(unknown)}: choose from {', '.join(known)}.")
    chosen = [known[name] for name in wanted.scenarios or known]
    folder.mkdir(parents=True, exist_ok=True)
    network = Network(MACHINES, delay=wanted.delay, loss=wanted.loss)
    stand_on("desk")
    parts = Parts(MACHINES, folder)
    installation = Installation(parts, programs, folder)
    try:
        installation.start()
        _say("Everything runs. Pictures are imported.")
        _make_project(installation, folder)
        return _drive(installation, network, chosen, wanted.people, folder)
    finally:
        parts.stop_all()
        rooms.remove(folder)


def _drive(
    installation: Installation, network: Network, chosen: list[Scenario], people: int, folder: Path
) -> int:
    work = _set_up_work(installation)
    book = folder / "book.jsonl"
    book.touch()
    crowd = _start_people(installation, people, book)
    watch = Watch(book)
    try:
        wait_for(lambda: len(watch.acknowledged()) > people, "people answer")
        work.start()
        wait_for(lambda: _someone_trains(work), "a run trains")
        print(HEADER)
        for each in chosen:
            _happen(each, installation, network, watch, work)
    finally:
        crowd.send_signal(signal.SIGTERM)
        crowd.wait(120)
    _say("Waiting for what is under way.")
    work.stop()
    network.calm()
    return _report(watch, work, installation.problems)


def _happen(
    scenario: Scenario, installation: Installation, network: Network, watch: Watch, work: "Work"
) -> None:
    """Let it happen while all is under way, watch what follows, and print it."""
    from tests.chaos import work as at_work

    time.sleep(CALM)
    machines: list[str] = []
    lease = ""
    while not lease:  # until a run is in its first half, and stays there while it is looked for
        wait_for(lambda: _someone_trains(work), "a run trains")
        machines = scenario.machines(installation)
        trained = work.runs[-1]
        lease = at_work.lease(trained)
    lost = lease if scenario.takes_the_run else ""
    at = time.time()
    _say(f"{scenario.name}: {', '.join(machines)}.")
    scenario.do(installation, network, machines)
    back = None
    until = time.time() + scenario.watched if scenario.watched else at + WATCHED
    while time.time() < until:
        if back is None and at_work.has_gone_on(trained, at, lost):
            back = time.time() - at
        time.sleep(0.25)
    times = [at, *(t for t in watch.acknowledged() if at < t <= until), until]
    gap = max(later - earlier for earlier, later in pairwise(times))
    print(Outcome(scenario.name, len(times) - 2, gap, back), flush=True)


def _set_up_work(installation: Installation) -> "Work":
    """Be a process of Tessera's own, on the machine `desk`."""
    os.environ.update(installation.settings("desk"))
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    import django

    django.setup()
    from tests.chaos.work import Work

    return Work(PROJECT)


def _someone_trains(work: "Work") -> bool:
    from tests.chaos import work as at_work

    return bool(work.runs) and bool(at_work.lease(work.runs[-1]))


def _make_project(installation: Installation, folder: Path) -> None:
    """Import pictures whose folders say what they show."""
    from tests.pictures import draw

    source = folder / "desk" / "pictures"
    for number in range(PICTURES):
        shape = "circle" if number % 2 else "square"
        picture = source / shape / f"{number}.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        colour = (number * 37 % 256, number * 91 % 256, number * 53 % 256)
        picture.write_bytes(draw(shape=shape, colour=colour, corner=(number % 20, number % 17)))
    installation.manage("import_images", str(source), "--project", PROJECT)
    installation.manage("project", PROJECT, "--publish")


def _start_people(installation: Installation, count: int, book: Path) -> "subprocess.Popen[bytes]":
    command = ["ip", "netns", "exec", "people", sys.executable, "-m", "tests.chaos.people"]
    where = [installation.parts.address("front"), NAME, str(installation.authority)]
    return subprocess.Popen([*command, *where, PROJECT, str(count), str(book)], cwd=ROOT)


def _report(watch: Watch, work: "Work", found: list[str]) -> int:
    """Settle the accounts; return the exit status."""
    from tests.chaos import accounts

    problems = found + accounts.settle(watch, work)
    for problem in problems:
        print(f"LOST: {problem}")
    return 1 if problems else 0


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
