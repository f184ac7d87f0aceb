"""How large the CAPTCHA's script is, and how soon its tiles are seen, in a real browser.

    python -m tests.benchmarks.captcha_widget [--tiles 10000] [--times 20]

Starts a database and web processes of its own in a temporary folder, makes a project of so many
tiles with a site, and shows the widget on a page of another origin. Measured is the time from the
click on the box until the first round's tiles are drawn, each time in a new context with an empty
cache, after one that warms the server. Prints a sentence in Markdown.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from threading import Thread

from playwright.sync_api import sync_playwright

from tests import chromium
from tests.benchmarks import captcha_solves, challenges_over_http
from tests.frontend.captcha import shop

PAGE = """<form><div class="g-recaptcha" data-sitekey="{key}"></div></form>
<script src="{server}/recaptcha/api.js" async defer></script>"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiles", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=20)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as data_dir:
        os.environ |= {"DATA_DIR": data_dir, "DJANGO_SETTINGS_MODULE": "config.settings"}
        os.environ |= {"CAPTCHA_ADDRESS_RATE": "100000", "DATABASE_POOL": "0"}
        os.environ.pop("DATABASE_URL", None)
        from config import servers

        with servers.ensure(Path(data_dir)):
            key = captcha_solves.make_site(wanted.tiles, host=shop.HOST).split()[0]
            with challenges_over_http.processes(worker=False) as (port, _roots):
                server = f"http://localhost:{port}"
                print(f"The script has {_size(server):,} bytes, gzipped.")
                took = _look(server, key, wanted.times)
    late = statistics.quantiles(took, n=20)[-1]
    print(
        f"From the click to the first tiles: median {statistics.median(took):.0f} ms, p95 "
        f"{late:.0f} ms, {len(took)} times."
    )


def _size(server: str) -> int:
    request = urllib.request.Request(f"{server}/recaptcha/api.js")
    request.add_header("Accept-Encoding", "gzip")
    with urllib.request.urlopen(request) as answer:
        return len(answer.read())


def _look(server: str, key: str, times: int) -> list[float]:
    """Return the milliseconds until tiles are seen, each time."""
    site = shop.Shop((shop.HOST, 0), shop.Handler)
    site.html = shop.PAGE.format(body=PAGE.format(key=key, server=server))
    site.policy = shop.POLICY.format(server=server)
    Thread(target=site.serve_forever, daemon=True).start()
    took = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium.find(), args=list(chromium.FLAGS)
        )
        for _ in range(times + 1):
            context = browser.new_context()
            page = context.new_page()
            page.goto(site.url)
            box = page.get_by_role("checkbox")
            box.wait_for()
            frame = page.frame_locator("iframe")
            start = time.perf_counter()
            box.click()
            frame.locator("[role=checkbox], input[type=checkbox]").nth(15).wait_for()
            took.append(1000 * (time.perf_counter() - start))
            context.close()
        browser.close()
    site.shutdown()
    return took[1:]


if __name__ == "__main__":
    sys.exit(main())
