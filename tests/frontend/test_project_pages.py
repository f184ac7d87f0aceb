"""A project's own pages in the browser: made, previewed, published, edited by two."""

from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from labeling.accounts import set_up
from labeling.models import Answer, Challenge, Project
from tests import axe
from tests.browser import sign_in

WIDTHS = "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"


def test_a_draft_is_previewed_and_published_in_the_browser(page: Page, live_server, shapes, ada):
    Project.objects.update(state="draft")
    sign_in(page, ada, live_server.url)
    page.goto(f"{live_server.url}/projects/shapes/")
    page.locator(".next").get_by_role("link", name="Preview and publish").click()
    expect(page.locator("#stage img").first).to_be_visible()
    for _ in range(2):  # whatever is answered here, nothing is kept
        subject = page.locator("#ask").get_attribute("data-mode")
        page.keyboard.press("s" if subject == "write" else "n")
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Published: people are asked from now on.")).to_be_visible()
    assert Project.objects.get().state == "open"
    assert not Challenge.objects.exists() and not Answer.objects.exists()


def test_an_empty_installation_is_set_up_in_the_browser(page: Page, live_server, transactional_db):
    page.goto(live_server.url)
    expect(page.get_by_role("heading", name="Set up Tessera")).to_be_visible()
    assert axe.violations(page) == []
    page.goto(f"{live_server.url}{set_up.path()}")
    page.locator("#id_username").fill("ada")
    page.locator("#id_password1").fill("a long sentence of mine")
    page.locator("#id_password2").fill("a long sentence of mine")
    page.get_by_role("button", name="Make the administrator").click()
    page.get_by_label("Name").fill("Birds of the lake")
    page.get_by_label("Only me").check()
    page.get_by_role("button", name="Make the draft").click()
    expect(page.locator(".next").get_by_role("link", name="Add pictures")).to_be_visible()
    assert User.objects.get().is_superuser and Project.objects.get().private


def test_the_pages_are_accessible_and_fit_on_a_phone(page: Page, live_server, shapes, ada):
    page.set_viewport_size({"width": 320, "height": 568})
    sign_in(page, ada, live_server.url)
    for path in ("", "new/", "shapes/", "shapes/settings/", "shapes/preview/?kind=grid"):
        page.goto(f"{live_server.url}/projects/{path}")
        if "preview" in path:
            expect(page.locator("#stage img").first).to_be_visible()
        assert axe.violations(page) == [], path
        wide, room = page.evaluate(WIDTHS)
        assert wide <= room, path


def test_the_menu_shows_where_one_is_on_a_phone(page: Page, live_server, shapes, ada):
    page.set_viewport_size({"width": 390, "height": 844})
    sign_in(page, ada, live_server.url)
    page.goto(f"{live_server.url}/projects/shapes/settings/")
    menu = page.get_by_role("navigation", name="Project")
    expect(menu.get_by_role("link", name="Settings")).to_be_in_viewport(ratio=1)
