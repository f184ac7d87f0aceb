"""A visitor before a challenge of the shapes."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

Ask = Callable[..., Page]


@pytest.fixture
def ask(page: Page, live_server, shapes) -> Ask:
    """Open the challenge screen, and wait for the first challenge and the one after it."""

    def ask(kind: str = "grid") -> Page:
        came: list[str] = []
        page.on("requestfinished", lambda request: came.append(request.url))
        page.goto(f"{live_server.url}/take-part/shapes/?kind={kind}")
        expect(page.locator("#ask")).to_have_attribute("data-mode", kind)
        wanted = page.locator("#stage img").count() + 1
        for _ in range(100):
            if sum("/tiles/" in url for url in came) >= wanted:
                break
            page.wait_for_timeout(50)
        page.wait_for_timeout(200)  # for the rest of them, and to decode
        return page

    return ask
