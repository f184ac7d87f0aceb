"""Annotators are shown what a concept is, and newcomers practise, in a real browser."""

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from labeling import concepts, examples
from labeling.models import Answer, Concept, Practice, Project, Question, Tile


@pytest.fixture
def circle(shapes: Project, ada: User) -> Concept:
    """Return the only concept that is asked about, with a definition and two examples."""
    shapes.concepts.exclude(name="circle").update(active=False)
    shapes.instructions = "Take your time.\n\n- look twice\n- then <b>answer</b>"
    shapes.save()
    circle = concepts.edit(
        concept=shapes.concepts.get(name="circle"),
        definition="Round and closed.",
        phrases={"ar": "دائرة"},
    )
    for tile in Tile.objects.filter(image__project=shapes).order_by("pk")[1:23:14]:
        kind = "yes" if "circle" in tile.image.source else "hard_no"
        examples.choose(concept=circle, tile=tile, kind=kind, note="Look here.", by=ada)
    return circle


def open_screen(page: Page, live_server) -> None:
    page.goto(f"{live_server.url}/take-part/shapes/?kind=grid")


def mode(page: Page, name: str) -> None:
    """Wait for a screen, and until its presses are taken."""
    page.wait_for_selector(f'#ask[data-mode="{name}"][data-seen]')


def test_a_concept_is_explained_once_and_in_the_help(page: Page, live_server, circle) -> None:
    page.set_extra_http_headers({"Accept-Language": "ar"})
    open_screen(page, live_server)
    mode(page, "guide")
    subject = page.locator("#subject")
    expect(subject).to_have_text("دائرة")
    expect(subject).to_have_attribute("dir", "rtl")
    expect(page.locator("#hint")).to_have_text("Round and closed.")
    expect(page.locator("#stage figure")).to_have_count(2)
    page.keyboard.press("Enter")
    mode(page, "grid")
    expect(subject).to_have_attribute("lang", "ar")
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="مساعدة")
    expect(dialog).to_contain_text("Round and closed.")
    expect(dialog.locator("figure")).to_have_count(2)
    expect(dialog.locator(".instructions li")).to_have_text(["look twice", "then <b>answer</b>"])
    page.keyboard.press("Escape")
    page.reload()
    mode(page, "grid")
    assert not Answer.objects.exists()


def test_a_newcomer_practises_first(page: Page, live_server, circle: Concept) -> None:
    Project.objects.update(practice_questions=2)
    concepts.edit(concept=circle, definition="")
    circle.examples.all().delete()
    open_screen(page, live_server)
    for number in (1, 2):
        mode(page, "practice")
        expect(page.locator("#before")).to_contain_text(f"Practice {number} of 2")
        truth = Question.objects.get(practice__position=number - 1).verdict
        page.keyboard.press("n" if truth else "y")
        mode(page, "feedback")
        sentence = "This one does show a circle." if truth else "This one does not show a circle."
        expect(page.locator("#hint")).to_contain_text(sentence)
        page.keyboard.press("Enter")
    mode(page, "grid")
    page.reload()
    page.wait_for_selector("#ask[data-seen]")  # grids that were fetched hold what is left to ask
    expect(page.locator("#ask")).not_to_have_attribute("data-mode", "practice")
    assert not Answer.objects.exists() and Practice.objects.get().answered == 2


def test_practice_can_be_skipped(page: Page, live_server, shapes: Project) -> None:
    Project.objects.update(practice_questions=2)
    open_screen(page, live_server)
    mode(page, "practice")
    with page.expect_response("**/practice/skip/"):
        page.keyboard.press("s")
    mode(page, "grid")
    assert Practice.objects.get().skipped
