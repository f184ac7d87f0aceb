"""Working offline: fetched ahead, answered without a server, and sent when it is back."""

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.servers.basehttp import ThreadedWSGIServer
from django.test.testcases import LiveServerThread
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from labeling.models import Annotator, Answer, Challenge
from tests import axe
from tests.browser import let_server_finish, sign_in
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
KEPT = 5
SWITCH = "#offline-switch"
LINES = "#offline [data-part=lines]"
IN_STORAGE = """() => new Promise((resolve) => {
    const opened = indexedDB.open("tessera-offline");
    opened.onsuccess = () => {
        const { result: database } = opened;
        const held = database.objectStoreNames.length
            ? database.transaction("challenges").objectStore("challenges").count() : { result: 0 };
        const count = () => { database.close(); resolve(held.result); };
        if (held instanceof IDBRequest) held.onsuccess = count; else count();
    };
})"""
PAINTED = """copies => copies.map(copy =>
    copy.getContext("2d").getImageData(0, 0, 9, 9).data.some(Boolean))"""
CACHES = "async () => (await caches.keys()).length"


class RestartableServer(ThreadedWSGIServer):
    """One whose address can be used again at once, and which ends its connections with itself."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.open_connections: list[socket.socket] = []
        super().__init__(*args, **options | {"allow_reuse_address": True})

    def process_request(self, request: socket.socket, client_address: Any) -> None:
        self.open_connections.append(request)
        super().process_request(request, client_address)

    def server_close(self) -> None:
        """Close it with the connections that browsers keep open for what they ask next."""
        super().server_close()
        for connection in self.open_connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Server:
    """A live server that is stopped and started again at the same address."""

    def __init__(self) -> None:
        self.live = LiveServer("localhost")
        self.url = self.live.url

    def stop(self) -> None:
        let_server_finish()
        self.live.stop()

    def start(self) -> None:
        self.live = LiveServer(self.url.removeprefix("http://"))


@pytest.fixture
def server(transactional_db: None, settings, shapes, monkeypatch) -> Iterator[Server]:
    monkeypatch.setattr(LiveServerThread, "server_class", RestartableServer)
    settings.ALLOWED_HOSTS = ["localhost"]
    settings.OFFLINE_CHALLENGES = KEPT
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def offline_page(page: Page, server: Server) -> Page:
    """Work offline: enough is kept, and the page itself, and the server is stopped."""
    page.goto(f"{server.url}/take-part/shapes/?kind=verify")
    expect(page.locator("#stage img")).to_be_visible()
    page.locator(SWITCH).click()
    expect(page.locator(LINES)).to_contain_text(f"{KEPT} of {KEPT} questions are kept")
    expect(page.locator("#offline [role=status]")).to_contain_text("You can go offline now")
    expect(page.locator(LINES)).not_to_contain_text("Leave this page open")
    return page


def answer(page: Page, *, waiting: int) -> None:
    """Look at the question on the screen, answer it by keyboard, and see that it waits."""
    expect(page.locator("#ask")).to_have_attribute("data-mode", "verify")
    page.wait_for_timeout(400)  # in which it can be seen
    page.keyboard.press("y")
    sentence = f"{waiting} answer{' waits' if waiting == 1 else 's wait'} on this device"
    expect(page.locator(LINES)).to_contain_text(sentence)


def test_what_is_answered_without_a_server_is_neither_lost_nor_doubled(
    offline_page, server, real_pace
):
    page = offline_page
    server.stop()
    for number in range(1, 4):
        answer(page, waiting=number)
    assert page.locator("#strip canvas").evaluate_all(PAINTED) == [True]
    page.reload()
    expect(page.locator(LINES)).to_contain_text("3 answers wait")
    expect(page.locator(LINES)).not_to_contain_text("Leave this page open")
    given = 3
    while given < KEPT or page.locator("#ask").get_attribute("data-mode") != "panel":
        given += 1
        answer(page, waiting=given)
        expect(page.locator("#ask")).not_to_have_attribute("aria-busy", "true")
    expect(page.locator("#subject")).to_have_text("You are offline")
    assert axe.violations(page) == []
    assert given > KEPT and not Answer.objects.exists()
    server.start()
    expect(page.locator(LINES)).to_contain_text(f"{given} answers were sent.")
    expect(page.locator(LINES)).not_to_contain_text("wait")
    assert Answer.objects.count() == given
    assert Challenge.objects.filter(answered_at__isnull=False).count() == given
    expect(page.locator("#stage img")).to_be_visible()


def test_whoever_signs_out_leaves_nothing_behind(page, server, carol):
    sign_in(page, carol, server.url)
    page.goto(f"{server.url}/take-part/shapes/?kind=verify")
    page.locator(SWITCH).click()
    expect(page.locator("#offline [role=status]")).to_contain_text("You can go offline now")
    wait_until(lambda: page.evaluate(CACHES) == 1)
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{server.url}/")
    wait_until(lambda: page.evaluate(CACHES) == 0 and page.evaluate(IN_STORAGE) == 0)


def test_a_visitor_who_is_forgotten_leaves_nothing_behind(page, server):
    page.goto(f"{server.url}/take-part/shapes/?kind=verify")
    page.locator(SWITCH).click()
    expect(page.locator("#offline [role=status]")).to_contain_text("You can go offline now")
    page.goto(f"{server.url}/")
    assert page.evaluate(IN_STORAGE) > 0, "whoever has a cookie by now is still the same"
    Annotator.objects.all().delete()
    page.context.clear_cookies()  # as after forgetting, where nothing but scripts clears storage
    page.reload()
    wait_until(lambda: page.evaluate(CACHES) == 0 and page.evaluate(IN_STORAGE) == 0)
    assert (
        page.evaluate("Object.keys(localStorage).filter(key => key.startsWith('tessera.'))") == []
    )


def test_two_tabs_ask_different_questions(offline_page, server):
    other = offline_page.context.new_page()
    other.goto(offline_page.url)
    expect(other.locator("#stage img")).to_be_visible()
    server.stop()
    for tab in (offline_page, other):
        tab.wait_for_timeout(400)
        tab.keyboard.press("y")
        expect(tab.locator("#ask")).to_have_attribute("data-mode", "verify")
        tab.wait_for_timeout(400)
        tab.keyboard.press("y")
    server.start()
    for tab in (offline_page, other):
        expect(tab.locator("#waiting")).to_be_empty()
    wait_until(lambda: Answer.objects.count() == 4)
    assert Challenge.objects.filter(answered_at__isnull=False).count() == 4


def test_storage_that_is_full_or_forbidden_is_said_and_loses_nothing(browser, server):
    context = browser.new_context()
    context.add_init_script(
        "Storage.prototype.setItem = () => { throw new DOMException('', 'QuotaExceededError') };"
        "indexedDB.open = () => { throw new DOMException('', 'SecurityError') };"
    )
    page = context.new_page()
    page.goto(f"{server.url}/take-part/shapes/?kind=verify")
    expect(page.locator("#stage img")).to_be_visible()
    expect(page.locator(LINES)).to_contain_text("you cannot work offline in it")
    page.wait_for_timeout(400)
    server.stop()
    page.keyboard.press("y")
    expect(page.locator(LINES)).to_contain_text("is lost if you close this page")
    server.start()
    expect(page.locator("#stage img")).to_be_visible()
    wait_until(lambda: Answer.objects.count() == 1)
    context.close()
