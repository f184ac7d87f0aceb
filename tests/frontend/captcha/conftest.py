"""Pages of another site, which show the CAPTCHA under a strict Content-Security-Policy."""

from collections.abc import Iterator
from io import BytesIO
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from playwright.sync_api import ConsoleMessage, FrameLocator, Page

from tests.browser import Listen
from tests.frontend.captcha.shop import HOST, PAGE, POLICY, Handler, Shop, Show

if TYPE_CHECKING:
    from labeling.models import Site


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    server = Shop((HOST, 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def complaints(listen: Listen) -> list[str]:
    """What the browser complains of: errors of scripts, and what the page's policy forbids."""
    found: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            found.append(message.text)

    listen("console", hear)
    listen("pageerror", lambda error: found.append(str(error)))
    return found


@pytest.fixture
def show(page: Page, live_server, shop: Shop) -> Show:
    """Open a page with this in it; `script` is the path of the server's script."""

    def show(script: str, body: str, own: str = "") -> Page:
        own_script = f'<script nonce="own">{own}</script>'
        tag = f'<script src="{live_server.url}/{script}" async defer></script>'
        shop.html = PAGE.format(body=body + own_script + tag)
        shop.policy = POLICY.format(server=live_server.url)
        page.goto(shop.url)
        return page

    return show


@pytest.fixture
def site(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator["Site"]:
    """The shop, whose visitors are asked about a project's pictures or sentences."""
    from django.core.cache import cache

    from labeling.captcha import decks, limits, sheets, text_decks
    from labeling.models import Project, Site
    from tests.labeling.captcha import birds, sentences

    sheet = BytesIO()
    Image.effect_noise((640, 640), 90).convert("RGB").save(sheet, "JPEG")
    monkeypatch.setattr(sheets, "render", lambda *args, **kwargs: sheet.getvalue())

    def forget() -> None:
        for module in (decks, limits, text_decks):
            module.forget()

    cache.clear()
    forget()
    project = Project.objects.create(state="open", slug="wood", name="Wood")
    birds.add_known(project, yes=30, no=40)
    sentences.add_true(sentences.describe(project, 60))
    yield Site.objects.create(project=project, name="Shop", hosts=[HOST])
    forget()


@pytest.fixture
def frame(page: Page) -> FrameLocator:
    return page.frame_locator("iframe")
