"""Live servers answer as the product does, and what they are at work on is known."""

from pathlib import Path
from typing import Any

import requests
from django.core.handlers.wsgi import WSGIHandler
from playwright.sync_api import Page

from tests import axe
from tests.live_requests import CountingHandler

PLAIN = "http://plain.example/"
WRONG = """() => {
  const main = document.querySelector("main");
  main.insertAdjacentHTML("beforeend", '<img src="/favicon.ico"><p>pale</p>');
  Object.assign(main.lastElementChild.style, {color: "#ccc", background: "#fff"});
}"""
DARK = """() => {
  for (let count = 0; count < 3; count++) {
    const text = Object.assign(document.createElement("p"), {textContent: "dark"});
    Object.assign(text.style, {color: "#222", background: "#333"});
    document.querySelector("main").append(text);
  }
}"""


def found(page: Page, **options: Any) -> set[str]:
    return {fault.split()[0] for fault in axe.violations(page, **options)}


def test_requests_are_counted_and_nothing_stored_is_published(
    live_server, settings, tmp_path: Path, monkeypatch
) -> None:
    settings.MEDIA_ROOT = tmp_path
    (tmp_path / "secret.txt").write_text("secret")
    counts = []
    answer = WSGIHandler.get_response

    def count(handler: WSGIHandler, request: Any) -> Any:
        counts.append(CountingHandler.at_work)
        return answer(handler, request)

    monkeypatch.setattr(WSGIHandler, "get_response", count)
    assert requests.get(f"{live_server.url}/secret.txt", timeout=60).status_code == 404
    assert counts == [1] and CountingHandler.at_work == 0


def test_axe_finds_what_is_wrong_and_leaves_nothing(page: Page, live_server) -> None:
    page.goto(f"{live_server.url}/sign-in/")
    scripts = page.locator("script").count()
    page.evaluate(WRONG)
    assert found(page) == {"image-alt", "color-contrast"}
    assert found(page, without=("color-contrast",)) == {"image-alt"}
    assert found(page, outside=("main > img",)) == {"color-contrast"}
    assert page.locator("script").count() == scripts


def test_axe_finds_each_text_of_the_same_colours(page: Page, live_server) -> None:
    page.goto(f"{live_server.url}/sign-in/")
    page.evaluate(DARK)
    assert len(axe.violations(page, "color-contrast")) == 3


def test_axe_finds_it_on_a_page_that_takes_no_script(page: Page) -> None:
    headers = {"Content-Security-Policy": "require-trusted-types-for 'script'; script-src 'none'"}
    body = "<!doctype html><html lang=en><title>A</title><main><h1>A</h1><img src=/a></main>"
    page.route(
        PLAIN, lambda route: route.fulfill(content_type="text/html", body=body, headers=headers)
    )
    page.goto(PLAIN)
    assert found(page) == {"image-alt"}
