"""A real Chromium, driven by Playwright."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from django.db import connection
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from tests import chromium
from tests.live_requests import CountingHandler
from tests.waiting import wait_until

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Listen = Callable[[Any, Callable[..., object]], None]
TIMEOUT = 60_000.0  # milliseconds, which only a failure ever needs
BUSY = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND state <> 'idle'"
)
expect.set_options(timeout=TIMEOUT)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = chromium.find()
    if not program:
        pytest.fail(chromium.MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=chromium.FLAGS)
        yield browser
        browser.close()


class ReusedPage:
    """A page that is used again as if it were new.

    A new one takes a process and reads all styles and scripts again, which is most of a short test.
    """

    def __init__(self, browser: Browser, **context_options: Any) -> None:
        self._browser, self._context_options = browser, context_options
        self._page: Page | None = None

    def open(self, size: ViewportSize) -> Page:
        """Return the page, blank and of this size, of a visitor who was never here."""
        if self._page is None or self._page.is_closed():
            self._page = self._browser.new_context(**self._context_options).new_page()
        self._page.context.set_default_timeout(TIMEOUT)
        self._page.set_viewport_size(size)
        return self._page

    def forget(self) -> None:
        """Leave the site, and forget all that was kept of it; only what it may cache stays."""
        if self._page is None or self._page.is_closed():
            return
        page, context = self._page, self._page.context
        for other in context.pages:
            if other is not page:
                other.close()
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(page.url))
        page.unroute_all(behavior="ignoreErrors")
        page.goto("about:blank")
        context.set_offline(False)
        for each in (context, page):
            each.set_extra_http_headers({})
        page.emulate_media(
            media="null", color_scheme="null", forced_colors="null", reduced_motion="null"
        )
        chromium_session = context.new_cdp_session(page)
        if origin.startswith("http"):
            everything = {"origin": origin, "storageTypes": "all"}
            chromium_session.send("Storage.clearDataForOrigin", everything)
        chromium_session.send("Page.resetNavigationHistory")
        chromium_session.detach()
        context.clear_cookies()

    def close(self) -> None:
        """Close the page; the next one is new."""
        if self._page is not None:
            self._page.context.close()
            self._page = None


@pytest.fixture(scope="session")
def reused_page(browser: Browser) -> Iterator[ReusedPage]:
    reused = ReusedPage(browser)
    yield reused
    reused.close()


@pytest.fixture
def page(reused_page: ReusedPage, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Open a page for a fresh visitor."""
    failures = request.session.testsfailed
    yield reused_page.open({"width": 1280, "height": 800})
    failed = request.session.testsfailed > failures
    if failed or "page_changed_for_good" in request.fixturenames:
        reused_page.close()
    else:
        reused_page.forget()
    if "live_server" in request.fixturenames:
        let_server_finish()


@pytest.fixture
def page_changed_for_good() -> None:
    """Close the page after this test, which does to it what cannot be undone: a clock, a script."""


@pytest.fixture
def listen(page: Page) -> Iterator[Listen]:
    """Handle the page's events until the test ends, given their name and a function."""
    handlers: list[tuple[Any, Callable[..., object]]] = []

    def listen(event: Any, handler: Callable[..., object]) -> None:
        page.on(event, handler)
        handlers.append((event, handler))

    yield listen
    for event, handler in handlers:
        page.remove_listener(event, handler)


def sign_in(page: Page, user: "User", url: str) -> None:
    """Sign a user in at a live server, without the form."""
    from django.test import Client

    client = Client()
    client.force_login(user)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": url}
    page.context.add_cookies([cookie])


def let_server_finish() -> None:
    """Wait until no request is at work any more: a page fetches ahead, and tables are emptied."""
    idle_checks = 0

    def is_quiet() -> bool:
        nonlocal idle_checks
        with connection.cursor() as cursor:
            cursor.execute(BUSY)
            is_busy = CountingHandler.at_work or cursor.fetchone()[0]
            idle_checks = 0 if is_busy else idle_checks + 1
        return idle_checks == 3

    wait_until(is_quiet, explain=lambda: "The server is still at work.")
