"""A real Chromium, driven by Playwright."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests import chromium
from tests.waiting import wait_until

if TYPE_CHECKING:
    from django.contrib.auth.models import User

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


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Open a page for a fresh visitor."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(TIMEOUT)
    yield context.new_page()
    context.close()
    if "live_server" in request.fixturenames:
        let_server_finish()


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
            idle_checks = 0 if cursor.fetchone()[0] else idle_checks + 1
        return idle_checks == 3

    wait_until(is_quiet, explain=lambda: "The server is still at work.")
