"""Signing in by a provider on another site, in a real browser and under the site's own policy."""

from django.contrib.auth.models import User
from playwright.sync_api import expect


def test_the_button_leads_to_the_provider_and_back(page, live_server, transactional_db, provider):
    User.objects.create_superuser("ada")
    provider.claims |= {"preferred_username": "dana"}
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(f"{live_server.url}/sign-in/?next=/account/")
    page.get_by_role("button", name="Sign in with Example ID").click()
    expect(page.get_by_text("You are signed in as dana.")).to_be_visible()
    assert page.url == f"{live_server.url}/account/"
    assert complaints == []
