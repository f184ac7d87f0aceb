"""Owners explain concepts in a real browser: legible for everybody, by keyboard alone."""

from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from labeling import concepts, examples
from labeling.models import ConceptExample, Project, Question, Tile
from tests import axe
from tests.browser import sign_in


def test_the_page_of_a_concept_with_all_its_words_can_be_read_by_everybody(
    page: Page, live_server, shapes: Project, ada: User
) -> None:
    sign_in(page, ada, live_server.url)
    circle = concepts.edit(
        concept=shapes.concepts.get(name="circle"), definition="Round.", phrases={"ar": "دائرة"}
    )
    tile = Tile.objects.filter(image__project=shapes)[1]
    examples.choose(concept=circle, tile=tile, kind="hard_yes", note="Small.", by=ada)
    page.goto(f"{live_server.url}/projects/shapes/concepts/{circle.pk}/")
    assert axe.violations(page) == []


def test_examples_are_picked_with_the_keyboard(
    page: Page, live_server, shapes: Project, ada: User
) -> None:
    sign_in(page, ada, live_server.url)
    circle = shapes.concepts.get(name="circle")
    page.goto(f"{live_server.url}/projects/shapes/concepts/{circle.pk}/?wall=no")
    first, second = (page.locator("[data-tile]").nth(number) for number in (0, 1))
    page.keyboard.press("ArrowRight")
    expect(first).to_be_focused()
    page.keyboard.press("n")
    expect(page.locator("[data-status]")).to_contain_text("No")
    expect(second).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator("[data-status]")).to_contain_text("Hard no")
    expect(page.locator("[data-tile].done")).to_have_count(2)
    assert sorted(ConceptExample.objects.values_list("kind", flat=True)) == ["hard_no", "no"]
    assert set(
        Question.objects.filter(tile__examples__concept=circle, concept=circle).values_list(
            "verdict", flat=True
        )
    ) == {False}


def test_the_preview_follows_what_is_written(
    page: Page, live_server, shapes: Project, ada: User
) -> None:
    sign_in(page, ada, live_server.url)
    circle = shapes.concepts.get(name="circle")
    page.goto(f"{live_server.url}/projects/shapes/concepts/{circle.pk}/")
    page.get_by_label("Phrase", exact=True).first.fill("something round")
    page.get_by_label("Definition").fill("Without corners.")
    expect(page.locator(".preview")).to_contain_text("something round")
    expect(page.locator(".preview")).to_contain_text("Without corners.")
