"""Gold is marked and drawn by keys alone, and what was marked is saved on the way."""

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from labeling.models import Question
from tests import axe
from tests.browser import sign_in
from tests.waiting import wait_until


@pytest.fixture
def reviewer(page: Page, live_server, scenes, ada: User) -> Page:
    sign_in(page, ada, live_server.url)
    page.goto(f"{live_server.url}/projects/shapes/gold/")
    return page


def gold(**filters) -> int:
    return Question.objects.filter(state="gold", kind="concept", **filters).count()


def test_a_session_is_marked_by_keys_and_taken_back(reviewer: Page) -> None:
    before = gold(concept__name="square", grid=1)
    reviewer.get_by_role("link", name="Mark 20 of square", exact=True).first.click()
    expect(reviewer.locator("[data-count]")).to_have_text("1 of 18")
    for key in ("y", "n", "u", "Backspace", "n"):
        reviewer.keyboard.press(key)
    expect(reviewer.locator("[data-count]")).to_have_text("4 of 18")
    wait_until(lambda: gold(concept__name="square", grid=1) == before + 3)
    for _ in range(15):
        reviewer.keyboard.press("n")
    expect(reviewer.locator("#end-title")).to_be_focused()
    expect(reviewer.locator("[data-summary]")).to_have_text("1 yes and 17 no are gold now.")
    wait_until(lambda: gold(concept__name="square", grid=1) == before + 18)
    assert axe.violations(reviewer) == []


def test_a_rectangle_is_drawn_by_keys_and_by_pointer(reviewer: Page, live_server, scenes) -> None:
    Question.objects.filter(grid=4).delete()
    reviewer.goto(f"{live_server.url}/projects/shapes/gold/{scenes.concept.pk}/parts/")
    reviewer.keyboard.press("r")
    for key in ("ArrowLeft", "ArrowUp", "Shift+ArrowRight", "Enter"):
        reviewer.keyboard.press(key)
    expect(reviewer.locator("[data-count]")).to_have_text("2 of 2")
    assert gold(grid=4, verdict=True) > 0
    board = reviewer.locator("[data-board]").bounding_box()
    assert board is not None
    reviewer.mouse.move(board["x"] + 4, board["y"] + 4)
    reviewer.mouse.down()
    reviewer.mouse.move(board["x"] + board["width"] / 2, board["y"] + board["height"] / 2)
    reviewer.mouse.up()
    assert axe.violations(reviewer) == []
    reviewer.keyboard.press("Enter")
    expect(reviewer.locator("#end-title")).to_be_focused()
    images = Question.objects.filter(grid=4, state="gold").values("tile__image").distinct()
    assert images.count() == 2
