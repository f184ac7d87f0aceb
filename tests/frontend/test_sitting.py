"""A goal for a sitting, its end, and that neither gets in the way."""

import re

from playwright.sync_api import expect

from labeling.models import Answer
from tests import axe
from tests.frontend.conftest import SEEN

PLACES = """() => ["#stage", "#sitting", ".kinds"].map(part => {
  const { x, y, width } = document.querySelector(part).getBoundingClientRect();
  return [x, y + scrollY, width];
})"""  # the buttons stick to the window's end


def answer(page) -> None:
    """Answer with none, once the challenge was seen; wait until that is recorded."""
    before = page.locator("#stage img").first.get_attribute("src")
    page.wait_for_selector(SEEN)
    page.keyboard.press("n")
    expect(page.locator(f'#stage img[src="{before}"]')).to_have_count(0)
    expect(page.locator("#outcome")).to_contain_text(re.compile("recorded|became|turned"))


def test_a_small_goal_is_chosen_and_reached_and_summed_up(ask):
    page = ask()
    page.wait_for_selector(SEEN)
    before = page.evaluate(PLACES)
    page.get_by_role("button", name="20 pictures").click()
    bar = page.locator("#sitting")
    expect(bar).to_contain_text("0 of 20 pictures")
    assert page.evaluate(PLACES) == before
    page.wait_for_function("() => document.activeElement.id === 'question'")
    answer(page)
    for place in (bar, page.locator("#progress")):
        expect(place).to_contain_text("9 of 20 pictures")
    answer(page)
    expect(bar).to_contain_text("18 of 20 pictures")
    page.reload()
    expect(bar).to_contain_text("18 of 20 pictures")
    answer(page)
    expect(bar).to_contain_text("You have reached your goal.")
    page.get_by_role("button", name="Enough for today").click()
    summary = page.get_by_role("dialog", name="Thank you!")
    answers = Answer.objects.count()
    expect(summary).to_contain_text(f"You answered about {answers} pictures")
    expect(summary).to_contain_text("of 10 certain labels")
    assert axe.violations(page) == []
    page.keyboard.press("s")  # skips nothing below
    page.keyboard.press("Escape")
    expect(summary).to_be_hidden()
    assert Answer.objects.count() == answers
    page.wait_for_function("() => document.activeElement.id === 'question'")


def test_after_the_goal_and_the_summary_the_question_is_in_view_again(ask):
    page = ask()
    page.set_viewport_size({"width": 1280, "height": 800})
    page.wait_for_selector(SEEN)
    for press in (
        lambda: page.get_by_role("button", name="20 pictures").click(),
        lambda: page.get_by_role("button", name="No goal").press("Enter"),
        lambda: close_summary(page),
    ):
        page.evaluate("() => scrollTo(0, document.documentElement.scrollHeight)")
        assert page.evaluate("() => scrollY") > 0
        press()
        page.wait_for_function("() => document.activeElement.id === 'question'")
        expect(page.locator("#stage .tile").first).to_be_in_viewport(ratio=1)
        expect(page.locator("#question")).to_be_in_viewport(ratio=1)


def close_summary(page) -> None:
    """Open the summary and go on."""
    page.get_by_role("button", name="Enough for today").click()
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("dialog", name="Thank you!")).to_be_hidden()


def test_an_answer_that_is_undone_does_not_count_towards_the_goal(ask):
    page = ask()
    page.get_by_role("button", name="20 pictures").click()
    answer(page)
    expect(page.locator("#sitting")).to_contain_text("9 of 20 pictures")
    page.keyboard.press("z")
    expect(page.locator("#sitting")).to_contain_text("0 of 20 pictures")


def test_a_visitor_without_storage_has_a_goal_too(page, live_server, shapes, page_changed_for_good):
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('forbidden'); } })"
    )
    page.goto(f"{live_server.url}/take-part/shapes/?kind=grid")
    page.get_by_role("button", name="5 minutes").click()
    expect(page.locator("#sitting")).to_contain_text("0 of 5 minutes")
    answer(page)
