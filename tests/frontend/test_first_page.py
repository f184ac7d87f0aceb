"""The pages around the challenge, and what holds for all of them."""

from django.contrib.auth.models import User
from playwright.sync_api import expect

NARROW = {"width": 320, "height": 568}
WIDTHS = "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
SMALL_TARGETS = """() => [...document.querySelectorAll("main button, main .button, .nav *")]
  .filter(e => e.matches("a, button") && e.offsetParent && e.offsetHeight < 44)
  .map(e => e.outerHTML)"""


def test_the_first_page_leads_to_the_first_challenge(page, live_server, shapes):
    page.goto(live_server.url)
    expect(page.get_by_text("Drawn by Ada.")).to_be_visible()
    page.get_by_role("link", name="Answer the first question").click()
    expect(page.locator("#stage img").first).to_be_visible()
    assert page.url.endswith("/take-part/shapes/")


def test_nothing_scrolls_sideways_at_320_pixels(page, live_server, scenes, ada):
    page.set_viewport_size(NARROW)
    kinds = [f"/take-part/shapes/?kind={kind}" for kind in ("grid", "split", "verify", "write")]
    for path in ("/", "/sign-in/", "/sign-up/", "/nowhere/", *kinds):
        page.goto(live_server.url + path)
        if path in kinds:
            expect(page.locator("#stage img").first).to_be_visible()
        wide, room = page.evaluate(WIDTHS)
        assert wide <= room, path
        assert page.evaluate(SMALL_TARGETS) == [], path


def test_pages_break_no_rule_of_their_own(page, live_server, shapes, listen):
    messages = []
    listen("console", lambda message: messages.append(message.text))
    listen("pageerror", lambda error: messages.append(str(error)))
    for path in ("/", "/take-part/shapes/?kind=grid", "/sign-in/"):
        page.goto(live_server.url + path)
        page.wait_for_load_state("networkidle")
    assert messages == []


def test_a_visitor_makes_an_account_and_signs_out(page, live_server, shapes, ada):
    page.goto(f"{live_server.url}/sign-up/")
    page.locator("#id_username").fill("alice")
    page.locator("#id_password1").fill("a long sentence of mine")
    page.locator("#id_password2").fill("a long sentence of mine")
    page.get_by_role("button", name="Make an account").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    assert not User.objects.get(username="alice").is_staff


def test_an_unknown_page_is_a_calm_sentence(client, db):
    response = client.get("/nowhere/")
    assert response.status_code == 404
    assert "There is no such page" in response.content.decode()


def test_an_unknown_project_is_not_found(client, db):
    assert client.get("/take-part/nothing/").status_code == 404


def test_a_null_byte_in_the_address_is_refused_calmly(client, db):
    assert client.get("/take-part/?kind=%00").status_code == 200


def test_robots_are_told_where_not_to_go(client, db):
    response = client.get("/robots.txt")
    assert response["Content-Type"].startswith("text/plain")
    assert "Disallow: /api/" in response.content.decode()
