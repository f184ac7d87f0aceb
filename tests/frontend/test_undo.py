"""Taking the last answer back, and being told what came of it, in a real browser."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from labeling.models import Answer, Challenge
from tests import axe
from tests.frontend.conftest import SEEN

Ask = Callable[..., Page]


def shown(page: Page) -> str | None:
    """Return the challenge on the screen, by its first picture's address."""
    return page.locator("#stage img").first.get_attribute("src")


def answer(page: Page, *keys: str) -> str | None:
    """Select by keys and submit; return what was answered once the next is there."""
    before = shown(page)
    page.wait_for_selector(SEEN)
    for key in (*keys, "f"):
        page.keyboard.press(key)
    expect(page.locator(f'#stage img[src="{before}"]')).to_have_count(0)
    expect(page.locator("#undo")).to_be_visible()
    return before


def recorded(page: Page) -> None:
    expect(page.locator("#outcome")).to_contain_text(re.compile("recorded|became|turned"))


def selected(page: Page) -> list[str | None]:
    tiles = page.locator('.tile[aria-pressed="true"]').all()
    return [tile.get_attribute("data-number") for tile in tiles]


def test_undo_brings_the_challenge_back_as_it_was_and_the_other_one_next(ask: Ask) -> None:
    page = ask()
    before = answer(page, "2", "5")
    recorded(page)
    after = shown(page)
    page.keyboard.press("z")
    expect(page.locator("#stage img").first).to_have_attribute("src", before or "")
    assert selected(page) == ["2", "5"] and not Answer.objects.exists()
    expect(page.locator("#undo")).to_be_hidden()
    assert answer(page, "5") == before
    recorded(page)
    assert shown(page) == after
    assert Answer.objects.filter(value=True).count() == 1


def test_an_answer_that_was_not_sent_is_taken_out_of_the_outbox(ask: Ask) -> None:
    page = ask()
    page.context.set_offline(True)
    before = answer(page, "3")
    expect(page.locator("#waiting")).to_contain_text("1 answer waits")
    page.locator("#strip").click()  # a tap on the strip
    expect(page.locator("#stage img").first).to_have_attribute("src", before or "")
    assert selected(page) == ["3"]
    page.context.set_offline(False)
    expect(page.locator("#waiting")).to_be_empty()
    assert not Answer.objects.exists()


def test_a_skip_is_taken_back_and_may_say_why(ask: Ask) -> None:
    page = ask()
    before = shown(page)
    page.keyboard.press("Shift+S")
    dialog = page.get_by_role("dialog", name="Skip it: what is the matter?")
    expect(dialog).to_be_visible()
    assert axe.violations(page) == []
    with page.expect_response("**/skip/"):
        page.keyboard.press("4")
    expect(page.locator("#outcome")).to_contain_text("Skipped.")
    assert Challenge.objects.get(skipped=True).skip_reason == "broken"
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#stage img").first).to_have_attribute("src", before or "")
    assert not Challenge.objects.filter(skipped=True).exists()


def test_what_counts_already_is_not_taken_back_and_says_so(ask: Ask, page: Page) -> None:
    too_late = {"status": 409, "json": {"code": "too_late", "detail": "Too late."}}
    page.route("**/undo/", lambda route: route.fulfill(**too_late))
    ask()
    answer(page, "2")
    recorded(page)
    after = shown(page)
    page.keyboard.press("Backspace")
    expect(page.locator("#note")).to_contain_text("It counts already")
    assert shown(page) == after and Answer.objects.count() == 9
    answer(page, "1")  # and it goes on


def test_the_strip_tells_what_others_and_the_model_say_once_it_counts(
    ask: Ask, page: Page, page_changed_for_good: None
) -> None:
    tiles = [
        {"number": 1, "selected": True, "others": {"yes": 3, "no": 1}, "model": True},
        {"number": 2, "selected": False, "others": {"yes": 0, "no": 2}, "model": False},
        {"number": 3, "selected": False, "others": None, "model": None},
    ]
    result = {"tiles": [tile | {"state": "open"} for tile in tiles], "message": "Others agree."}
    page.route("**/result/", lambda route: route.fulfill(json=result))
    page.clock.install()
    ask()
    answer(page, "1")
    recorded(page)
    assert axe.violations(page) == []
    page.clock.fast_forward(10_500)
    strip = page.get_by_role("list", name="Your last answer").get_by_role("listitem")
    expect(strip.nth(0)).to_contain_text(
        "Picture 1: selected. Others: yes (3 to 1). The model: yes."
    )
    expect(strip.nth(1)).to_contain_text("Picture 2. Others: no (2 to 0). The model: no.")
    expect(strip.nth(2)).to_contain_text("Others: not told yet.")
    expect(page.locator("#undo")).to_be_hidden()
    expect(page.locator("#outcome")).to_have_text("Others agree.")
    assert axe.violations(page) == []
    page.keyboard.press("z")  # means nothing any more
    assert Answer.objects.count() == 9
