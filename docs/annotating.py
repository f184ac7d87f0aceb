"""Take the pictures of docs/annotating.md of the running demo, once models have been trained.

    make demo                               # in another terminal; then train clip and diffusion
    .venv/bin/python docs/annotating.py     # PORT=… DATA_DIR=… as for make demo

A new visitor answers, truly, until something may be told of an answer; simulated visitors answer
the same question meanwhile.
"""

import os
import sys
from collections.abc import Sequence

from playwright.sync_api import Browser, Page, expect, sync_playwright
from running_demo import ADDRESS, DOCS, answered_project

from config.demo_project import visitors
from labeling import answers, challenges, checks
from labeling.models import Annotator, Answer, Challenge, Question
from tests import chromium

OUT = DOCS / "annotating"
SEEN = "#ask[data-seen] .tile img"  # from then on, presses are taken
TRIES = 40  # grids that are answered until something may be told of one
FINAL = 1000 * (challenges.UNDO_SECONDS + challenges.UNDO_GRACE + 3)  # ms


def main() -> None:
    """Take part as a new visitor, and take a picture at each step."""
    answered_project()
    OUT.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=chromium.FLAGS)
        page = new_page(browser)
        page.goto("/")
        save(page, "home")
        take_part(page)
        page.goto("/your-answers/")
        save(page, "your-answers")
        for name, locale, is_phone in (("arabic", "ar", False), ("phone", "en", True)):
            page = new_page(browser, locale=locale, is_phone=is_phone)
            open_grid(page)
            answer(page)
            select(page)
            save(page, name)
        browser.close()


def take_part(page: Page) -> None:
    """Go through the challenge screen: a grid, its strip, skipping, sentences, the summary."""
    open_grid(page)
    page.get_by_role("button", name="20 pictures").click()
    answer(page)
    select(page)
    save(page, "grid")
    page.keyboard.press("f")
    show_results(page)
    save(page, "results")
    page.keyboard.press("Shift+s")
    save(page, "skip")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Enough for today").click()
    expect(page.get_by_role("heading", name="Thank you!")).to_be_visible()
    save(page, "summary")
    page.goto("/take-part/demo/?kind=text")
    page.wait_for_selector("#ask[data-seen] input[type=radio]")
    save(page, "text-question")


def new_page(browser: Browser, *, locale: str = "en", is_phone: bool = False) -> Page:
    """Open a browser for somebody who was never here."""
    width, height = (390, 844) if is_phone else (1280, 800)
    context = browser.new_context(
        base_url=ADDRESS,
        locale=locale,
        viewport={"width": width, "height": height},
        has_touch=is_phone,
        is_mobile=is_phone,
    )
    context.set_default_timeout(60_000)
    return context.new_page()


def open_grid(page: Page) -> None:
    """Open a grid; newcomers leave out their practice."""
    page.goto("/take-part/demo/?kind=grid")
    page.wait_for_selector("#ask[data-seen]")
    if not page.locator(".tile img").count():
        page.keyboard.press("s")
    page.wait_for_selector(SEEN)


def shown(page: Page) -> Challenge:
    """Return the challenge on the screen."""
    address = page.locator(".tile img").first.get_attribute("src") or ""
    token = address.partition("/challenges/")[2]  # which begins with the challenge's id
    return Challenge.objects.get(pk=token[:32])


def select(page: Page) -> Challenge:
    """Select the tiles that show what is asked about; return the challenge."""
    challenge = shown(page)
    for number, truth in enumerate(visitors.true_answers(challenge), start=1):
        if truth:
            page.keyboard.press(str(number))
    return challenge


def answer(page: Page) -> Challenge:
    """Answer the grid on the screen, and wait for the next one; return the challenge."""
    challenge = select(page)
    page.keyboard.press("f" if page.locator(".tile[aria-pressed=true]").count() else "n")
    page.wait_for_function(
        "id => !document.querySelector('.tile img')?.src.includes(id)", arg=challenge.pk.hex
    )
    page.wait_for_selector(SEEN)
    return challenge


def show_results(page: Page) -> None:
    """Answer until the strip tells what others and the model say of some tile."""
    for _ in range(TRIES):
        page.wait_for_selector(SEEN)
        challenge = answer(page)
        revealed = [pk for pk in challenge.questions if checks.is_revealed(pk)]
        if revealed:
            let_others_answer(revealed)
            page.wait_for_timeout(FINAL)
            if page.locator("#strip .mark:not([data-says=nothing])").count():
                return
    sys.exit("Nothing may be told of any answer: train a model first.")


def let_others_answer(questions: Sequence[int]) -> None:
    """Have simulated visitors answer open questions as they are."""
    open_ones = Question.objects.filter(pk__in=questions, state=Question.State.OPEN)
    for question in open_ones.select_related("concept", "tile__image"):
        truth = visitors.true_answer(question)
        for name in ("careful", "calm", "quick"):
            visitor = Annotator.objects.get(pseudonym=visitors.pseudonym(name))
            reasons = {question.pk: Answer.Reason.WANTED}
            answers.record(annotator=visitor, values={question.pk: truth}, reasons=reasons)


def save(page: Page, name: str) -> None:
    """Save a screenshot of the page once it is complete."""
    page.wait_for_load_state("networkidle")
    page.evaluate("scrollTo(0, 0)")
    page.mouse.move(0, 0)
    page.wait_for_timeout(400)  # in which buttons change their colour
    page.screenshot(path=OUT / f"{name}.jpg", quality=80)


if __name__ == "__main__":
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    main()
