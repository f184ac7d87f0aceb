"""Nothing is answered that was not seen: presses too soon are not taken, by key, mouse or finger.

The presses are made in the page, in the very frame in which the next challenge appears: so no delay
of the test's own can come between.
"""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from labeling.models import Answer, Challenge
from tests.browser import let_server_finish
from tests.frontend.conftest import SEEN
from tests.waiting import wait_until

Ask = Callable[..., Page]
TRIES = 3
# Press once more, in some way, at once when the pictures change; count what was sent.
SECOND_PRESS = """([way, delay]) => {
  const press = {
    key: () => document.activeElement.dispatchEvent(new KeyboardEvent(
      "keydown", {key: "n", code: "KeyN", bubbles: true, cancelable: true})),
    skip: () => document.activeElement.dispatchEvent(new KeyboardEvent(
      "keydown", {key: "s", code: "KeyS", bubbles: true, cancelable: true})),
    pointer: () => tap("mouse"),
    touch: () => tap("touch"),
  }[way];
  function tap(pointerType) {
    const button = document.querySelector("#actions button");
    for (const type of ["pointerdown", "pointerup", "click"]) {
      button.dispatchEvent(new PointerEvent(
        type, {pointerType, detail: 1, bubbles: true, cancelable: true}));
    }
  }
  window.presses = 0;
  new MutationObserver(() => setTimeout(() => { press(); window.presses += 1; }, delay))
    .observe(document.getElementById("stage"), {childList: true});
}"""


def shown(page: Page) -> str:
    return page.locator("#stage img").first.get_attribute("src") or ""


@pytest.mark.parametrize("way", ["key", "skip", "pointer", "touch"])
def test_a_second_press_within_300_ms_is_not_taken(ask: Ask, way: str) -> None:
    page = ask()
    page.evaluate(SECOND_PRESS, [way, 0])
    for number in range(1, TRIES + 1):
        page.wait_for_selector(SEEN)
        before = shown(page)
        page.keyboard.press("s")  # what is skipped may be asked again
        expect(page.locator(f'#stage img[src="{before}"]')).to_have_count(0)
        page.wait_for_function("number => window.presses >= number", arg=number)
        expect(page.locator("#note")).to_contain_text("before the pictures could be seen")
        page.wait_for_selector(SEEN)
        assert shown(page) != before
    left = Challenge.objects.filter(answered_at__isnull=False)
    wait_until(lambda: left.count() >= TRIES)
    page.wait_for_timeout(300)  # in which another one would arrive
    assert left.count() == TRIES and not Answer.objects.exists()


def test_a_tap_that_began_before_the_pictures_changed_does_not_act_after_it(ask: Ask) -> None:
    page = ask()
    none = page.get_by_role("button", name="None of these")
    none.hover()
    page.mouse.down()
    before = shown(page)
    page.keyboard.press("n")
    expect(page.locator(f'#stage img[src="{before}"]')).to_have_count(0)
    page.wait_for_selector(SEEN)
    after = shown(page)
    page.locator("#actions button").first.evaluate(
        "button => button.dispatchEvent(new PointerEvent('click', {detail: 1, bubbles: true}))"
    )
    page.mouse.up()
    expect(page.locator("#note")).to_contain_text("before the pictures could be seen")
    assert shown(page) == after


def test_a_key_that_is_held_down_answers_once(ask: Ask) -> None:
    page = ask()
    before = shown(page)
    page.keyboard.down("n")
    expect(page.locator(f'#stage img[src="{before}"]')).to_have_count(0)
    page.wait_for_selector(SEEN)
    after = shown(page)
    for _ in range(3):
        page.keyboard.down("n")  # repeats, as the keyboard does
    page.keyboard.up("n")
    assert shown(page) == after


def test_a_real_finger_taps_once(browser: Browser, live_server, shapes) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    page.goto(f"{live_server.url}/take-part/shapes/?kind=verify")
    page.wait_for_selector(SEEN)
    help_button = page.get_by_role("button", name="Help")
    box = help_button.bounding_box()
    assert box and box["width"] >= 44 and box["height"] >= 44
    before = shown(page)
    yes = page.get_by_role("button", name="Yes")
    yes.tap()
    expect(page.locator(f'#stage img[src="{before}"]')).to_have_count(0)
    page.wait_for_selector(SEEN)
    context.close()
    let_server_finish()  # which is asked for the questions after these
