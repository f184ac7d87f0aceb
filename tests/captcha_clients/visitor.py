"""A visitor of a shop in a real Chromium, who knows what the pictures show."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from tests import chromium
from tests.captcha_clients import server
from tests.captcha_clients.children import Failure, wait_for
from tests.captcha_clients.clients import Page as ShopPage

SIZE = {"width": 1000, "height": 900}
TILES = 16
TIMEOUT = 30_000.0  # milliseconds, which only a failure ever needs


@contextmanager
def browser(pin: str) -> Iterator[Browser]:
    """Start a Chromium that believes the authority with this key."""
    flags = [*chromium.FLAGS, f"--ignore-certificate-errors-spki-list={pin}"]
    with sync_playwright() as playwright:
        expect.set_options(timeout=TIMEOUT)
        started = playwright.chromium.launch(executable_path=chromium.find(), args=flags)
        yield started
        started.close()


def order(browser: Browser, shop_page: ShopPage) -> str:
    """Order something as a visitor does, by the challenge of a page; return the response.

    Raises Failure where the page complains, asks any other server, or sets a cookie.
    """
    context = browser.new_context(viewport=SIZE, locale="en")
    context.set_default_timeout(TIMEOUT)
    page = context.new_page()
    said: list[str] = []
    asked: list[Request] = []
    try:
        page.on("console", lambda message: said.extend(_complaint(message)))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request))
        page.goto(f"https://{server.SHOP}{shop_page.path}")
        _pass(page, shop_page)
        expect(page.get_by_text("Thank you")).to_be_visible()
        if said:
            raise Failure(f"The page complained: {said}")
        hosts = {urlsplit(each.url).hostname for each in asked}
        if others := hosts - {server.SHOP, shop_page.server, None}:
            raise Failure(f"The page asked {others}.")
        if cookies := [each for each in context.cookies() if each["domain"] != server.SHOP]:
            raise Failure(f"It set cookies: {cookies}.")
        return _response(asked, shop_page)
    except Exception as error:
        error.add_note(f"The page said {said} and shows: {page.locator('body').aria_snapshot()}")
        raise
    finally:
        context.close()


def _complaint(message: ConsoleMessage) -> list[str]:
    return [message.text] if message.type in {"error", "warning"} else []


def _response(asked: list[Request], shop_page: ShopPage) -> str:
    """Return what the page handed over to the shop."""
    (sent,) = (
        each
        for each in asked
        if each.method == "POST" and urlsplit(each.url).hostname == server.SHOP
    )
    if shop_page.api:
        return str(sent.post_data_json[shop_page.field])
    return parse_qs(sent.post_data or "")[shop_page.field][0]


def _pass(page: Page, shop_page: ShopPage) -> None:
    """Answer the challenge by the truth, and send the form."""
    button = page.get_by_role("button", name="Order")
    if shop_page.invisible:
        button.click()
        _answer(page)
        return
    box = page.get_by_role("checkbox")
    box.click()
    _answer(page)
    expect(box).to_be_checked()
    button.click()


def _answer(page: Page) -> None:
    """Select the right tiles, in one round or two."""
    frame = page.frame_locator("iframe[src*='/captcha/frame?']")
    tiles = frame.get_by_role("checkbox")
    for number in (1, 2):
        expect(tiles).to_have_count(TILES)
        expect(frame.get_by_role("checkbox", checked=True)).to_have_count(0)
        for tile in server.look(number):
            tiles.nth(tile - 1).check()
        frame.locator("#submit").click()
        wait_for(partial(server.is_answered, number), f"round {number} is judged")
        if server.is_passed():
            return
    raise Failure("The right answers were not enough.")
