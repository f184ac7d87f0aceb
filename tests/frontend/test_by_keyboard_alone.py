"""Each kind of question by keyboard alone: reached, answered, taken back, skipped, reported."""

import pytest
from playwright.sync_api import Page, expect

from labeling.models import Answer, Challenge, Comment, Question
from tests.frontend.conftest import SEEN
from tests.waiting import wait_until

TABS = 60  # more than there are places for the focus
LINKS = {
    "grid": "Many pictures",
    "split": "Parts",
    "verify": "Yes or no",
    "write": "Write",
    "text": "Text",
}
SENTENCE = "a round thing seen from nearby"
FOCUSED = (
    "() => (document.activeElement.textContent || document.activeElement.ariaLabel || '').trim()"
)


@pytest.fixture
def screen(page: Page, live_server, scenes, described) -> Page:
    """Open the screen that asks for somebody who has neither mouse nor finger."""
    page.goto(f"{live_server.url}/take-part/shapes/")
    return page


def tab_to(page: Page, name: str) -> None:
    """Press Tab until what begins with a name has the focus."""
    for _ in range(TABS):
        page.keyboard.press("Tab")
        if page.evaluate(FOCUSED).startswith(name):
            return
    pytest.fail(f"Tab never reaches {name}")


def tab_to_text_box(page: Page) -> None:
    """Press Tab until the text box has the focus: on a page that was just opened nothing has."""
    for _ in range(TABS):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.id") == "sentence":
            return
    pytest.fail("Tab never reaches the text box")


def press(page: Page, *keys: str) -> None:
    page.wait_for_selector(SEEN)
    for key in keys:
        page.keyboard.press(key)


def reach(page: Page, kind: str) -> None:
    """Go from a question to one of a kind."""
    page.wait_for_selector(SEEN)
    tab_to(page, LINKS[kind])
    page.keyboard.press("Enter")
    expect(page.locator("#ask")).to_have_attribute("data-mode", kind)
    page.wait_for_selector(SEEN)


def answer(page: Page, kind: str) -> None:
    if kind == "grid":
        press(page, "ArrowDown", "ArrowRight", "Space", "ArrowDown", "Enter", "f")
    elif kind == "split":
        press(page, "1", "9", "u", "l", "f")
    elif kind == "verify":
        press(page, "y")
    elif kind == "text":
        press(page, "2", "Enter")
    else:
        page.wait_for_selector(SEEN)
        tab_to_text_box(page)
        page.keyboard.type(SENTENCE)
        page.keyboard.press("Enter")


def expect_as_answered(page: Page, kind: str) -> None:
    """See that what was taken back is on the screen as it was answered."""
    if kind in ("grid", "split"):
        numbers = {"grid": ["2", "5"], "split": ["1", "9", "10", "16"]}[kind]
        tiles = page.locator('.tile[aria-pressed="true"]')
        expect(tiles).to_have_count(len(numbers))
        assert [tile.get_attribute("data-number") for tile in tiles.all()] == numbers
    elif kind == "text":
        expect(page.get_by_role("radio").nth(1)).to_be_checked()
    elif kind == "write":
        expect(page.get_by_role("textbox")).to_have_value(SENTENCE)
        page.keyboard.press("Shift+Tab")
    else:
        expect(page.locator("#outcome")).to_contain_text("Taken back")


def test_a_question_is_reached_from_the_first_page(page: Page, live_server, shapes) -> None:
    page.goto(live_server.url)
    tab_to(page, "Answer the first question")
    page.keyboard.press("Enter")
    page.wait_for_selector(SEEN)


@pytest.mark.parametrize("kind", LINKS)
def test_a_question_is_walked_through_by_keyboard_alone(screen: Page, kind: str) -> None:
    page = screen
    reach(page, kind)
    answer(page, kind)
    wait_until(lambda: given(kind) > 0)
    if kind == "write":
        press(page, "Shift+Tab")  # out of the text, in which letters are letters
    press(page, "z")
    wait_until(lambda: given(kind) == 0)
    expect_as_answered(page, kind)
    open_help(page)
    report(page, kind)
    press(page, "Shift+S")
    expect(page.get_by_role("dialog", name="Skip it: what is the matter?")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    wait_until(Challenge.objects.filter(skip_reason="offensive", kind=kind).exists)
    assert given(kind) == 0


def given(kind: str) -> int:
    """Return how many answers there are, or sentences that were written."""
    if kind == "write":
        return Question.objects.filter(source=Question.Source.ANNOTATOR).count()
    return Answer.objects.count()


def open_help(page: Page) -> None:
    press(page, "?")
    dialog = page.get_by_role("dialog", name="Help")
    expect(dialog).to_be_visible()
    page.keyboard.press("Enter")  # its only button closes it
    expect(dialog).to_be_hidden()


def report(page: Page, kind: str) -> None:
    press(page, "r")
    dialog = page.get_by_role("dialog", name="What is wrong with it?")
    if kind not in ("verify", "write"):  # which of them?
        expect(page.locator("#note")).to_contain_text("Choose the")
        page.keyboard.press("2")
    expect(dialog).to_be_visible()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.type("It is not for children.")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    assert Comment.objects.get().text == "It is not for children."
