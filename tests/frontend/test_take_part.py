"""Answering in a real browser: keyboard, mouse, the next one at once."""

import re
from itertools import pairwise

import pytest
from playwright.sync_api import expect

from labeling.models import Answer, Challenge, Question
from tests.cast import truth

MESSAGE = re.compile("became certain|hard|recorded")


def shown(page):
    """The challenge on the screen, by its first picture's address."""
    return page.locator("#stage img").first.get_attribute("src")


def answered(page):
    """Wait until the server said what the answer did."""
    expect(page.locator("#outcome")).to_contain_text(MESSAGE)
    return Challenge.objects.get(answered_at__isnull=False)


def current(page):
    return Challenge.objects.get(pk=shown(page).split("/")[4].split(".")[0])


def test_a_visitor_answers_a_grid_with_the_keyboard_alone(ask):
    page = ask()
    challenge = current(page)
    right = [n for n, pk in enumerate(challenge.questions, 1) if truth(pk)] or [1]
    for number in right:
        page.keyboard.press(str(number))
    for number in right:
        tile = page.get_by_role("button", name=f"Picture {number}", exact=True)
        expect(tile).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Enter")
    answered(page)
    stored = dict(Answer.objects.values_list("question_id", "value"))
    assert [n for n, pk in enumerate(challenge.questions, 1) if stored[pk]] == right


def test_arrows_move_and_space_or_enter_selects(ask):
    page = ask()
    tiles = page.locator(".tile")
    page.keyboard.press("ArrowDown")
    expect(tiles.nth(0)).to_be_focused()
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowLeft", "End"):
        page.keyboard.press(key)
    expect(tiles.nth(5)).to_be_focused()
    page.keyboard.press("Space")
    expect(tiles.nth(5)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Enter")
    expect(tiles.nth(5)).to_have_attribute("aria-pressed", "false")
    assert page.locator('.tile[tabindex="0"]').count() == 1


def test_tiles_are_selected_by_mouse(ask):
    page = ask()
    page.locator(".tile").nth(3).click()
    page.locator(".tile").nth(4).click()
    page.locator(".tile").nth(4).click()
    page.get_by_role("button", name="Submit 1").click()
    challenge = answered(page)
    yes = Answer.objects.get(value=True)
    assert challenge.questions.index(yes.question_id) == 3


def test_none_is_a_fair_answer(ask):
    page = ask()
    page.keyboard.press("n")
    challenge = answered(page)
    assert Answer.objects.filter(challenge=challenge, value=False).count() == 9


def test_enter_with_nothing_selected_asks_for_more(ask):
    page = ask()
    page.keyboard.press("Enter")
    expect(page.locator("#note")).to_contain_text("No picture is selected")
    assert not Answer.objects.exists()


def test_the_parts_of_a_picture_touch(ask, scenes):
    page = ask("split")
    boxes = [tile.bounding_box() for tile in page.locator(".tile").all()]
    assert len(boxes) == 16
    rows = [boxes[start : start + 4] for start in range(0, 16, 4)]
    gaps = [b["x"] - a["x"] - a["width"] for row in rows for a, b in pairwise(row)]
    gaps += [b["y"] - a["y"] - a["height"] for a, b in zip(boxes, boxes[4:], strict=False)]
    assert max(map(abs, gaps)) < 0.05
    page.keyboard.press("r")
    page.keyboard.press("l")  # the last of them can be reported by key, too
    expect(page.get_by_role("dialog", name="What is wrong with it?")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    page.keyboard.press("l")
    page.keyboard.press("f")
    challenge = answered(page)
    yes = Answer.objects.filter(value=True).values_list("question_id", flat=True)
    assert sorted(challenge.questions.index(pk) for pk in yes) == [0, 15]
    assert Answer.objects.count() == 16


@pytest.mark.parametrize("count", [2, 5, 9])
def test_the_tiles_of_a_grid_are_square_however_few(ask, page, count):
    def keep_few(route):
        challenge = route.fetch().json()
        challenge["tiles"] = challenge["tiles"][:count]
        route.fulfill(status=201, json=challenge)

    page.route("**/api/v1/challenges/", keep_few)
    tiles = ask().locator(".tile")
    for width, height in ((1280, 800), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        boxes = [tile.bounding_box() for tile in tiles.all()]
        assert len(boxes) == count
        for box in boxes:
            assert box["width"] == pytest.approx(box["height"], abs=0.1) and box["width"] > 80


@pytest.mark.parametrize(("key", "value"), [("y", True), ("n", False)])
def test_a_caption_is_verified_with_a_key(ask, key, value):
    page = ask("verify")
    page.keyboard.press(key)
    answered(page)
    assert Answer.objects.get().value is value


def test_a_visitor_writes_what_they_see(ask):
    page = ask("write")
    box = page.get_by_role("textbox")
    box.press("Enter")
    expect(page.locator("#note")).to_contain_text("Write a few words")
    box.fill("a round thing with soft edges, seen from nearby")
    box.press("Enter")
    answered(page)
    written = Question.objects.get(source=Question.Source.ANNOTATOR)
    assert written.text.lower().startswith("a round thing with soft edges")


def test_a_skipped_challenge_leaves_no_answer(ask):
    page = ask()
    before = shown(page)
    with page.expect_response("**/skip/"):
        page.keyboard.press("s")
    expect(page.locator(f'#stage img[src="{before}"]')).to_have_count(0)
    assert not Answer.objects.exists()
    assert Challenge.objects.filter(skipped=True).count() == 1


def test_the_next_challenge_is_there_before_the_answer_is_sent(ask, listen):
    page = ask()
    asked = []
    listen("request", lambda request: asked.append(request.url))
    before = shown(page)
    page.keyboard.press("n")
    expect(page.locator(f'#stage img[src="{before}"]')).to_have_count(0)
    first = [url.rsplit("/", 2)[1] for url in asked[:1]]
    after = shown(page)
    assert first in ([], ["answer"])  # its pictures had come before anything was sent
    assert not any(after in url for url in asked)


def test_whoever_moves_with_arrows_goes_on_in_the_next_grid_and_sees_where(ask):
    page = ask()
    for key in ("ArrowDown", "Enter", "f"):
        page.keyboard.press(key)
    answered(page)
    first = page.locator(".tile").first
    expect(first).to_be_focused()
    outline = first.evaluate(
        "e => [getComputedStyle(e).outlineStyle, getComputedStyle(e).outlineWidth]"
    )
    assert outline == ["solid", "3px"]
