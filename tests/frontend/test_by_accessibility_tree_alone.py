"""Each kind of question by the accessibility tree alone: by what a screen reader says of it.

Nothing here looks at the page in another way: elements are found by their roles and names.
"""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from labeling.models import Answer, Challenge, Comment, Question
from tests.waiting import wait_until

SEEN = 400.0  # ms, after which a press counts
KINDS = {
    "grid": "Many pictures",
    "split": "Parts",
    "verify": "Yes or no",
    "write": "Write",
    "text": "Text",
}
QUESTIONS = {
    "grid": "Select all tiles that show",
    "split": "Select all tiles that show",
    "verify": "Does th",
    "write": "Write what you see in this picture",
    "text": "Which of these two is about the same thing as",
}
SENTENCE = "a round thing seen from nearby"
# What a screen reader is told of by itself: the text of live regions, each time it changes.
LISTEN = """() => {
  window.announced = [];
  new MutationObserver(changes => {
    const regions = new Set(changes.map(({target}) =>
      (target.closest ? target : target.parentElement)?.closest("[role=status], [role=alert]")));
    for (const region of regions)
      if (region?.textContent.trim()) window.announced.push(region.textContent.trim());
  }).observe(document.body, {childList: true, characterData: true, subtree: true});
}"""
RESULT = {
    "tiles": [
        {
            "number": number,
            "selected": number == 2,
            "others": {"yes": 3, "no": 1} if number < 3 else None,
            "model": True if number < 2 else None,
            "state": "open",
        }
        for number in range(1, 17)
    ],
    "message": "Others agree.",
}


@pytest.fixture
def screen(page: Page, live_server, scenes, described) -> Page:
    page.route("**/result/", lambda route: route.fulfill(json=RESULT))
    page.goto(f"{live_server.url}/take-part/shapes/")
    return page


@pytest.fixture
def hurried(page: Page, page_changed_for_good) -> None:
    """Let a test say how late it is."""
    page.clock.install()


def asks(page: Page, kind: str) -> Locator:
    """Return what reads out the next question: its heading, or the box that it names."""
    if kind == "write":
        return page.get_by_role("textbox", name=QUESTIONS[kind])
    return page.get_by_role("heading", level=1)


def reach(page: Page, kind: str) -> None:
    """Go to a kind of question, and wait until presses count."""
    kinds = page.get_by_role("navigation", name="Kinds of question")
    kinds.get_by_role("link", name=KINDS[kind], exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(QUESTIONS[kind])
    expect(page.get_by_role("status").filter(has_text=re.compile("skip|select|plain", re.I)))
    page.wait_for_timeout(SEEN)


def select(page: Page, kind: str) -> None:
    """Answer as far as the button that submits it, and see that the answer can be heard."""
    if kind in ("grid", "split"):
        question = page.get_by_role("heading", level=1).inner_text()
        grid = page.get_by_role("grid", name=" ".join(question.split()))
        names = [f"Picture {number}" for number in range(1, 17 if kind == "split" else 10)]
        expect(grid.get_by_role("gridcell")).to_have_count(len(names))
        for name in names:
            expect(grid.get_by_role("button", name=name, exact=True, pressed=False)).to_be_visible()
        for number in (2, 5):
            grid.get_by_role("button", name=f"Picture {number}", exact=True).click()
        expect(grid.get_by_role("button", pressed=True)).to_have_count(2)
        expect(page.get_by_role("button", name="None of these", disabled=True)).to_be_visible()
    elif kind == "text":
        page.get_by_role("radio").nth(1).check()
    elif kind == "write":
        page.get_by_role("textbox", name=QUESTIONS[kind]).fill(SENTENCE)
    else:
        expect(page.get_by_role("img", name="The picture that is asked about")).to_be_visible()


def submit(page: Page, kind: str) -> None:
    name = {"verify": "Yes", "grid": "Submit 2", "split": "Submit 2"}.get(kind, "Submit")
    page.get_by_role("button", name=name, exact=True).click()


@pytest.mark.parametrize("kind", KINDS)
def test_a_question_is_walked_through_by_the_tree_alone(screen: Page, kind: str) -> None:
    page = screen
    reach(page, kind)
    select(page, kind)
    page.evaluate(LISTEN)
    submit(page, kind)
    wait_until(lambda: given(kind) > 0)
    undo = page.get_by_role("button", name="Undo")
    expect(undo).to_be_visible()
    expect(asks(page, kind)).to_be_focused()
    expect(
        page.get_by_role("status").filter(has_text="For 10 seconds you can undo it")
    ).to_have_count(1)
    expect(page.get_by_role("status").filter(has_text=re.compile("recorded|certain|hard")))
    undo.click()
    wait_until(lambda: given(kind) == 0)
    expect(page.get_by_role("status").filter(has_text="Taken back: answer again.")).to_be_visible()
    announced = page.evaluate("() => window.announced")
    assert len(announced) == len(set(announced)) <= 5, announced
    open_help_and_report(page, kind)
    skip_for_a_reason(page)
    assert Challenge.objects.get(skipped=True).skip_reason == "language"


@pytest.mark.parametrize("kind", ["grid", "split"])
def test_the_strip_is_read_out(hurried: None, screen: Page, kind: str) -> None:
    page = screen
    reach(page, kind)
    select(page, kind)
    submit(page, kind)
    wait_until(Answer.objects.exists)
    strip = page.get_by_role("list", name="Your last answer")
    items = strip.get_by_role("listitem")
    expect(items.nth(0)).to_have_text("Picture 1.")
    expect(items.nth(1)).to_have_text("Picture 2: selected.")
    page.clock.fast_forward(10_500)
    both = "Picture 1. Others: yes (3 to 1). The model: yes."
    expect(items.nth(0)).to_have_text(both)
    expect(items.nth(2)).to_have_text("Picture 3. Others: not told yet. The model: not told yet.")
    expect(page.get_by_role("status").filter(has_text="Others agree.")).to_have_count(1)


def given(kind: str) -> int:
    """Return how many answers there are, or sentences that were written."""
    if kind == "write":
        return Question.objects.filter(source=Question.Source.ANNOTATOR).count()
    return Answer.objects.count()


def open_help_and_report(page: Page, kind: str) -> None:
    page.get_by_role("button", name="Help").click()
    dialog = page.get_by_role("dialog", name="Help")
    expect(dialog.get_by_role("heading", name="Keys")).to_be_visible()
    dialog.get_by_role("button", name="Close").click()
    page.wait_for_timeout(SEEN)
    page.get_by_role("button", name="Report").click()
    if kind == "text":
        page.keyboard.press("2")  # as the sentence that is read out says
    elif kind in ("grid", "split"):
        page.get_by_role("button", name="Picture 3", exact=True).click()
    dialog = page.get_by_role("dialog", name="What is wrong with it?")
    dialog.get_by_role("radio", name="Offensive or private").check()
    dialog.get_by_role("button", name="Report").click()
    expect(page.get_by_role("status").filter(has_text="Reported to those")).to_have_count(1)
    if kind in ("grid", "split"):
        expect(page.get_by_role("button", name="Picture 3, reported")).to_be_visible()
    assert Comment.objects.get().kind == "offensive"


def skip_for_a_reason(page: Page) -> None:
    page.get_by_role("button", name="Skip, and say why").click()
    dialog = page.get_by_role("dialog", name="Skip it: what is the matter?")
    dialog.get_by_role("button", name="Not my language").click()
    expect(page.get_by_role("status").filter(has_text="Skipped.")).to_be_visible()
    wait_until(Challenge.objects.filter(skipped=True).exists)
