"""A visitor before a challenge of the shapes."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Request, expect

from tests.browser import Listen
from tests.waiting import wait_until

Ask = Callable[..., Page]
DECODED = """() => [...document.querySelectorAll("#stage img")].every(
  image => image.complete && image.naturalWidth)"""
SEEN = "#ask[data-seen]"  # from then on, presses are taken


@pytest.fixture
def ask(page: Page, live_server, shapes, listen: Listen) -> Ask:
    """Open the challenge screen, and wait for the first challenge and the one after it."""

    def ask(kind: str = "grid") -> Page:
        loading: set[Request] = set()
        loaded: list[Request] = []
        listen("request", lambda request: loading.add(request))
        listen("requestfailed", lambda request: loading.discard(request))
        listen("requestfinished", lambda request: loading.discard(request))
        listen("requestfinished", lambda request: loaded.append(request))
        page.goto(f"{live_server.url}/take-part/shapes/?kind={kind}")
        expect(page.locator("#ask")).to_have_attribute("data-mode", kind)
        shown = page.locator("#stage img").count()

        def next_is_loaded() -> bool:
            page.wait_for_timeout(50)  # in which Playwright reports requests
            tiles = sum("/tiles/" in request.url for request in loaded)
            return tiles > shown and not loading

        wait_until(next_is_loaded)
        page.wait_for_function(DECODED)
        page.wait_for_selector(SEEN)
        return page

    return ask
