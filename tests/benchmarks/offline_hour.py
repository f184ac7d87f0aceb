"""An hour offline: fetch challenges ahead, answer them with the server stopped, and send them.

    python -m tests.benchmarks.offline_hour [--challenges 200]

Starts a database and web processes of its own in a temporary folder, opens the challenge page in
Chromium, turns working offline on, and stops the web processes once enough is kept. Then it answers
everything by keyboard, reloads the page half-way, starts the web processes at the same address, and
compares what the page and the database count. Prints a table in Markdown.
"""

import argparse
import os
import re
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

LOOK = 350  # ms at each challenge
RELOAD_AT = 100  # answers, after which the page is reloaded
WAITING = """() => [...Array(localStorage.length).keys()]
    .filter((index) => localStorage.key(index).startsWith("tessera.outbox.")).length"""
LINES = "#offline [data-part=lines]"
COUNTS = """SELECT count(*), count(DISTINCT challenge_id),
    (SELECT count(*) FROM labeling_challenge WHERE ahead),
    (SELECT count(*) FROM labeling_challenge WHERE answered_at IS NOT NULL),
    (SELECT count(*) FROM (SELECT FROM labeling_answer GROUP BY annotator_id, question_id
        HAVING count(*) > 1) AS twice)
FROM labeling_answer"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--challenges", type=int, default=200)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as data_dir:
        os.environ |= {"DATA_DIR": data_dir, "DJANGO_SETTINGS_MODULE": "config.settings"}
        os.environ["OFFLINE_CHALLENGES"] = str(wanted.challenges)
        os.environ.pop("DATABASE_URL", None)
        from config import servers

        with servers.ensure(Path(data_dir)):
            _make_project()
            _take_part(wanted.challenges)


def _make_project() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    from tests.benchmarks import large_projects

    large_projects.make("offline", tiles=4000, concepts=12)


@contextmanager
def _web(port: int) -> Iterator[int]:
    """Run the web processes, as the demo does, at a port; 0 for any."""
    from config import services
    from config.servers.supervisor import Supervisor

    supervisor = Supervisor(data_dir=Path(os.environ["DATA_DIR"]), notify=lambda line: None)
    with socket.create_server(("127.0.0.1", port)) as listener:
        try:
            for service in services.web(listener):
                supervisor.start(service)
            yield listener.getsockname()[1]
        finally:
            supervisor.stop()


def _take_part(challenges: int) -> None:
    from playwright.sync_api import sync_playwright

    from tests import chromium

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=chromium.FLAGS)
        page = browser.new_page()
        page.set_default_timeout(900_000)
        with _web(0) as port:
            fetching = _fetch(page, port, challenges)
            size = re.search(r"\(([^)]*)\)", page.locator(LINES).inner_text())
        given, answering = _answer(page)
        with _web(port):
            sent, refused, sending = _send(page)
        browser.close()
    _report(challenges, fetching, size[1] if size else "", given, answering, sent, refused, sending)


def _fetch(page: "Page", port: int, challenges: int) -> float:
    """Go on without practice, turn working offline on; return the seconds until enough is kept."""
    page.goto(f"http://127.0.0.1:{port}/take-part/offline/?kind=grid")
    page.wait_for_selector("#ask[data-mode=practice][data-seen]")
    page.keyboard.press("s")
    page.wait_for_selector("#ask[data-mode=grid]")
    start = time.perf_counter()
    page.click("#offline-switch")
    page.wait_for_function(
        "count => document.querySelector('#offline [data-part=lines]').textContent"
        ".startsWith(`${count} of`)",
        arg=str(challenges),
    )
    page.wait_for_function("() => document.querySelector('#offline [role=status]').textContent")
    return time.perf_counter() - start


def _answer(page: "Page") -> tuple[int, float]:
    """Answer all that is asked, with a reload half-way; return how many, and the seconds.

    A press that comes before the pictures were seen is not taken: then the next one is.
    """
    start = time.perf_counter()
    was_reloaded = False
    while True:
        page.wait_for_selector("#ask:is([data-mode=grid], [data-mode=panel]):not([aria-busy])")
        given = page.evaluate(WAITING)
        if page.get_attribute("#ask", "data-mode") == "panel":
            return given, time.perf_counter() - start
        page.wait_for_timeout(LOOK)
        page.keyboard.press("n")
        if given >= RELOAD_AT and not was_reloaded:
            page.reload()
            was_reloaded = True


def _send(page: "Page") -> tuple[int, int, float]:
    """Wait until nothing waits; return the page's counts of sent and refused, and the seconds."""
    start = time.perf_counter()
    page.wait_for_function(f"() => ({WAITING})() === 0")
    tally = page.evaluate("JSON.parse(localStorage.getItem('tessera.outbox-tally'))")
    return tally["sent"], sum(tally["refused"].values()), time.perf_counter() - start


def _report(
    challenges: int,
    fetching: float,
    size: str,
    given: int,
    answering: float,
    sent: int,
    refused: int,
    sending: float,
) -> None:
    import psycopg

    from config import servers

    url = servers.database_url(Path(os.environ["DATA_DIR"]))
    with psycopg.connect(url) as database:
        row = database.execute(COUNTS).fetchone()
    assert row is not None
    answers, answered, ahead, claimed, twice = row
    print("| what | count |\n|---|---:|")
    print(f"| fetched ahead ({size}, {fetching:.0f} s) | {challenges} |")
    print(
        f"| answered with the server stopped, a reload among them ({answering:.0f} s) | {given} |"
    )
    print(f"| sent, as the page counts ({sending:.0f} s) | {sent} |")
    print(f"| refused, as the page counts | {refused} |")
    print(f"| challenges answered, in the database | {claimed} |")
    print(f"| of them with answers | {answered} |")
    print(f"| lost: answered, and not in the database | {given - claimed} |")
    print(f"| doubled: answers to a question by the same person | {twice} |")
    print(f"| answers | {answers} |")
    print(f"| challenges fetched ahead in all, more in place of those answered | {ahead} |")


if __name__ == "__main__":
    sys.exit(main())
