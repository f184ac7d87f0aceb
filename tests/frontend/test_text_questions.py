"""Questions without pictures: by what a screen reader reads alone, and by keyboard alone."""

import re

import pytest
from playwright.sync_api import Page, expect

from labeling.models import Answer, Challenge, Comment, Question
from tests import axe
from tests.waiting import wait_until

SEEN = 400.0  # ms, after which a press counts
HOSTILE = f'<b onclick="alert(1)">\u05d0\u05d1</b> & "one {"disc" * 99}"'


@pytest.fixture
def screen(page: Page, live_server, described) -> Page:
    """Open the challenge screen for somebody who has not been here."""
    page.goto(f"{live_server.url}/take-part/shapes/")
    return page


def shown(page: Page) -> Challenge:
    """Return the challenge on the screen, or the next one if that says the same."""
    heading = page.get_by_role("heading", level=1).inner_text()
    for challenge in Challenge.objects.filter(kind="text", answered_at=None):
        texts = Question.objects.in_bulk(challenge.sentences)
        options = [texts[pk].text for pk in challenge.sentences[1:]]
        if texts[challenge.sentences[0]].text in heading and all(
            page.get_by_role("radio", name=text, exact=True).count() for text in options
        ):
            return challenge
    pytest.fail(f"nothing asks {heading}")


def caption_of(challenge: Challenge) -> str:
    return Question.objects.get(pk=challenge.questions[0]).text


def answered() -> int:
    return Answer.objects.count()


def test_it_is_answered_by_the_accessibility_tree_alone(screen):
    screen.get_by_role("link", name="Questions without pictures").click()
    heading = screen.get_by_role("heading", level=1)
    expect(heading).to_contain_text("Which of these two is about the same thing as")
    group = screen.get_by_role("group", name="Which one says the same?")
    expect(group.get_by_role("radio")).to_have_count(3)
    main = screen.get_by_role("main")
    read = main.aria_snapshot()
    assert "img" not in read and "Picture 1" not in read
    question, reference_to_options = read.index("Which of these two"), read.index("group")
    assert question < reference_to_options < read.index('button "Submit"')
    challenge = shown(screen)
    screen.wait_for_timeout(SEEN)
    screen.get_by_role("radio", name=caption_of(challenge), exact=True).check()
    screen.get_by_role("button", name="Submit").click()
    wait_until(lambda: answered() == 1)
    given = Answer.objects.get()
    assert given.value and given.question.text == caption_of(challenge)
    expect(
        screen.get_by_role("status").filter(has_text=re.compile("recorded|certain"))
    ).to_be_visible()


def test_it_is_answered_by_keyboard_alone_and_remembered(screen, live_server):
    for _ in range(30):
        screen.keyboard.press("Tab")
        if screen.evaluate("document.activeElement.textContent") == "Questions without pictures":
            break
    screen.keyboard.press("Enter")
    expect(screen.get_by_role("radio")).to_have_count(3)
    screen.wait_for_timeout(SEEN)
    screen.keyboard.press("Enter")
    expect(screen.get_by_text("Nothing is chosen")).to_be_visible()
    challenge = shown(screen)
    screen.keyboard.press("1")
    expect(screen.get_by_role("radio").nth(0)).to_be_checked()
    screen.keyboard.press("ArrowDown")
    expect(screen.get_by_role("radio").nth(1)).to_be_checked()
    screen.keyboard.press("n")
    expect(screen.get_by_role("radio").nth(2)).to_be_checked()
    screen.keyboard.press("Enter")
    wait_until(lambda: answered() == 1)
    screen.keyboard.press("z")
    wait_until(lambda: answered() == 0)
    expect(screen.get_by_role("radio").nth(2)).to_be_checked()
    screen.wait_for_timeout(SEEN)
    screen.keyboard.press("Enter")
    wait_until(lambda: answered() == 1)
    assert not Answer.objects.get().value
    assert Answer.objects.get().question.text == caption_of(challenge)
    screen.goto(f"{live_server.url}/take-part/shapes/")
    expect(screen.get_by_role("radio")).to_have_count(3)
    screen.wait_for_timeout(SEEN)
    screen.keyboard.press("s")
    wait_until(lambda: Challenge.objects.filter(skipped=True).exists())
    screen.get_by_role("link", name="Questions with pictures").click()
    expect(screen.get_by_role("link", name="Questions without pictures")).to_be_visible()


def test_a_sentence_is_reported_by_its_number(screen):
    screen.get_by_role("link", name="Questions without pictures").click()
    expect(screen.get_by_role("radio")).to_have_count(3)
    screen.wait_for_timeout(SEEN)
    screen.keyboard.press("2")
    challenge = shown(screen)
    screen.keyboard.press("r")
    screen.keyboard.press("2")
    dialog = screen.get_by_role("dialog", name="What is wrong with it?")
    expect(dialog.get_by_role("radio")).to_have_count(2)
    dialog.get_by_role("radio", name="Offensive or private").press("Space")
    dialog.get_by_role("button", name="Report").press("Enter")
    wait_until(Comment.objects.exists)
    second = Question.objects.get(pk=challenge.sentences[2])
    assert Comment.objects.get().question.text == second.text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_hostile_sentences_are_shown_as_they_are(page, live_server, described, scheme):
    page.emulate_media(color_scheme=scheme)
    described.questions.filter(kind="caption", state="open").exclude(
        pk=described.questions.filter(kind="caption", state="open").first().pk
    ).delete()
    asked = described.questions.get(kind="caption", state="open")
    Question.objects.filter(pk=asked.pk).update(text=HOSTILE)
    page.goto(f"{live_server.url}/take-part/shapes/?kind=text")
    expect(page.get_by_role("radio", name=HOSTILE, exact=True)).to_be_visible()
    assert axe.violations(page) == []
    for key in "?", "r1":  # the help, and the report of a sentence
        for each in key:
            page.keyboard.press(each)
        assert axe.violations(page) == []
        page.keyboard.press("Escape")
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
