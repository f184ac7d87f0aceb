"""The challenge screen in Arabic, and the choice of another language at its foot."""

import pytest
from playwright.sync_api import Page, expect

from labeling.models import ConceptPhrase
from tests import axe

pytestmark = pytest.mark.django_db(transaction=True)
FOCUSED = "() => Number(document.activeElement.dataset.number)"


@pytest.fixture
def arabic(page: Page, live_server, scenes) -> Page:
    """Return a page of somebody whose browser asks for Arabic."""
    for concept in scenes.project.concepts.all():
        ConceptPhrase.objects.create(concept=concept, language="ar", phrase="دائرة")
    page.context.set_extra_http_headers({"Accept-Language": "ar"})
    return page


def open_grid(page: Page, url: str, kind: str) -> None:
    page.goto(f"{url}/take-part/shapes/?kind={kind}")
    expect(page.locator("#ask")).to_have_attribute("data-mode", kind)


def test_arabic_runs_from_right_to_left(arabic: Page, live_server) -> None:
    open_grid(arabic, live_server.url, "grid")
    root = arabic.locator("html")
    expect(root).to_have_attribute("dir", "rtl")
    expect(root).to_have_attribute("lang", "ar")
    expect(arabic.locator("#before")).to_have_text("يُرجى اختيار كل الصور التي يظهر فيها:")
    expect(arabic.locator("#subject")).to_have_attribute("dir", "rtl")
    first, second = (arabic.locator(f'[data-number="{n}"]').bounding_box() for n in (1, 2))
    assert first["x"] > second["x"]
    arabic.locator('[data-number="1"]').focus()
    arabic.keyboard.press("ArrowLeft")
    assert arabic.evaluate(FOCUSED) == 2
    arabic.keyboard.press("ArrowRight")
    assert arabic.evaluate(FOCUSED) == 1
    assert axe.violations(arabic) == []


def test_the_parts_of_a_picture_are_never_mirrored(arabic: Page, live_server) -> None:
    open_grid(arabic, live_server.url, "split")
    first, second = (arabic.locator(f'[data-number="{n}"]').bounding_box() for n in (1, 2))
    assert first["x"] < second["x"]
    arabic.locator('[data-number="1"]').focus()
    arabic.keyboard.press("ArrowRight")
    assert arabic.evaluate(FOCUSED) == 2


def test_another_language_is_chosen_at_the_foot_of_the_page(arabic: Page, live_server) -> None:
    open_grid(arabic, live_server.url, "grid")
    arabic.get_by_role("button", name="Deutsch").click()
    expect(arabic.locator("html")).to_have_attribute("lang", "de")
    assert arabic.url.endswith("/take-part/shapes/?kind=grid")
    expect(arabic.locator("#before")).to_have_text("Wählen Sie alle Bilder, die Folgendes zeigen:")
    expect(arabic.get_by_role("button", name="Keines davon")).to_be_visible()


def test_a_choice_needs_no_script(browser, live_server, scenes) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{live_server.url}/sign-in/")
    page.get_by_role("button", name="Français").click()
    expect(page.get_by_role("heading", name="Se connecter")).to_be_visible()
    context.close()


def test_the_widest_menu_fits_on_a_phone(page: Page, live_server) -> None:
    page.set_viewport_size({"width": 360, "height": 780})
    page.context.set_extra_http_headers({"Accept-Language": "fr"})
    page.goto(f"{live_server.url}/sign-in/")
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    menu = page.get_by_role("navigation").first
    assert menu.evaluate("menu => menu.scrollWidth - menu.clientWidth") <= 0
