"""How long after submitting the next question is on the screen, in headless Chromium.

    python -m tests.benchmarks.submit_to_next [--questions 60] [--pictures 2000] [--think 1.5]

Starts a database and web processes of its own in a temporary folder, makes a project of pictures,
and answers grids with the mouse, one every `--think` seconds, as fast as people do at most. Two
times are taken in the page, from the click on Submit: until the next pictures are in the document,
and until the frame after that was painted. Prints Markdown.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

SUBMIT = "#actions .button.primary"
WATCH = """() => {
    window.taken = [];
    let start = null;
    document.addEventListener("click", (event) => {
        if (event.isTrusted && event.target.closest("#actions .primary")) start = performance.now();
    }, true);
    new MutationObserver((changes) => {
        const shown = changes.some((change) => [...change.addedNodes].some(
            (node) => node.classList?.contains("tile-grid")));
        if (!shown || start === null) return;
        const there = performance.now() - start;
        const began = start;
        start = null;
        requestAnimationFrame(() => setTimeout(
            () => window.taken.push([there, performance.now() - began])));
    }).observe(document.getElementById("stage"), { childList: true, subtree: true });
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, default=60)
    parser.add_argument("--pictures", type=int, default=2_000)
    parser.add_argument("--think", type=float, default=1.5)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as data_dir:
        os.environ |= {"DATA_DIR": data_dir, "DJANGO_SETTINGS_MODULE": "config.settings"}
        os.environ |= {"CHALLENGE_RATE": "1000000", "DATABASE_POOL": "0"}
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright runs an event loop here
        os.environ.pop("DATABASE_URL", None)
        from config import servers
        from tests.benchmarks import challenges_over_http

        with servers.ensure(Path(data_dir)):
            challenges_over_http.make_project(wanted.pictures)
            with challenges_over_http.processes(worker=False) as (port, _):
                address = f"http://127.0.0.1:{port}/take-part/bench-{wanted.pictures}/?kind=grid"
                taken = _answer(address, wanted.questions, wanted.think)
    _report(taken)


def _answer(address: str, questions: int, think: float) -> list[tuple[float, float]]:
    """Answer so many questions; return (until it is there, until it is painted) in milliseconds."""
    from playwright.sync_api import sync_playwright

    from tests import chromium

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium.find(), args=chromium.FLAGS, timeout=60_000
        )
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(address)
        page.wait_for_selector(".tile-grid, .single")
        if page.locator(".single").count():  # practice comes first
            time.sleep(think)
            page.click("#skip")
        page.wait_for_selector(".tile-grid")
        page.evaluate(WATCH)
        for _ in range(questions):
            time.sleep(think)
            _submit(page)
        time.sleep(think)
        taken: list[tuple[float, float]] = page.evaluate("() => window.taken")
        browser.close()
    return taken


def _submit(page: "Page") -> None:
    if page.locator("[data-mode=guide]").count():
        page.click(SUBMIT)
        page.wait_for_selector(".tile-grid")
        time.sleep(1)
    page.locator(".tile").nth(4).click()
    page.click(SUBMIT)


def _report(taken: Sequence[tuple[float, float]]) -> None:
    there, painted = ([pair[side] for pair in taken] for side in (0, 1))
    print("| questions | in the document: median, p95 (ms) | painted: median, p95 (ms) |")
    print("|---|---|---|")
    print(f"| {len(taken)} | {_quantiles(there)} | {_quantiles(painted)} |")


def _quantiles(times: Sequence[float]) -> str:
    return f"{statistics.median(times):.1f}, {statistics.quantiles(times, n=20)[-1]:.1f}"


if __name__ == "__main__":
    main()
