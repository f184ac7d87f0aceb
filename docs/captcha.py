"""Take the picture of the CAPTCHA on another site's page, of the running demo.

    make demo                           # in another terminal
    .venv/bin/python docs/captcha.py    # PORT=… DATA_DIR=… as for make demo

A page of a shop is served at 127.0.0.1 while the demo is called localhost: two origins.
"""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from playwright.sync_api import sync_playwright
from running_demo import ADDRESS, DOCS, project

from labeling.captcha import attempts
from labeling.models import Attempt, Project, Site
from tests import chromium

OUT = DOCS / "screenshots" / "captcha.jpg"
SERVER = ADDRESS.replace("127.0.0.1", "localhost")
PAGE = """<!doctype html><html lang="en"><head><title>A shop</title><style>
body { font: 1.05rem/1.6 system-ui, sans-serif; margin: 3rem auto; max-width: 40rem; }
label { display: block; margin-block: 1rem; } input { font: inherit; width: 100%%; }
button { font: inherit; padding: .4rem 1.2rem; margin-block-start: 1rem; }
</style></head><body><h1>Tell us what you think</h1><form>
<label>Your name <input></label><label>Your message <input></label>
<div class="g-recaptcha" data-sitekey="%s"></div><button>Send</button></form>
<script src="%s/recaptcha/api.js" async defer></script></body></html>"""


def main() -> None:
    """Show the widget on a page, open it, select what is asked for, and take the picture."""
    site = _site(project())
    with sync_playwright() as playwright, _shop(PAGE % (site.key, SERVER)) as shop:
        Thread(target=shop.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=chromium.FLAGS)
        page = browser.new_page(viewport={"width": 1000, "height": 760})
        page.goto(f"http://127.0.0.1:{shop.server_port}/")
        page.get_by_role("checkbox").click()
        tiles = page.frame_locator("iframe").locator("label.tile")
        tiles.nth(15).wait_for()
        attempt = Attempt.objects.filter(site=site).latest("created_at")
        shown = attempt.known[attempts.part_of_round(attempt, 1)]
        for number, known in enumerate(shown):
            if known > 0.5:
                tiles.nth(number).click()
        page.wait_for_timeout(500)  # in which tiles change their frame
        page.screenshot(path=OUT, quality=85)
        browser.close()
        shop.shutdown()


def _site(asked: Project) -> Site:
    found = Site.objects.filter(project=asked, hosts__contains=["127.0.0.1"]).first()
    return found or Site.objects.create(project=asked, name="A shop", hosts=["127.0.0.1"])


def _shop(html: str) -> ThreadingHTTPServer:
    """Return a server of one page."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


if __name__ == "__main__":
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    main()
