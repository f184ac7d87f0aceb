"""Concepts with the keyboard alone, in a real browser."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Page, expect

from labeling.models import Concept, Project

DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


@pytest.fixture
def admin_page(page: Page, live_server: object, ada: User, ada_client: Client) -> Page:
    """Ada, signed in."""
    cookie = ada_client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": str(live_server)}])
    return page


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the element has the focus."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.locator(selector).evaluate("element => element === document.activeElement"):
            return
    pytest.fail(f"Tab does not reach {selector}.")


def fits(page: Page) -> bool:
    """Whether nothing lies beyond the window's width."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_concepts_are_merged_without_a_mouse(
    admin_page: Page, live_server: object, shapes: Project, size: dict
) -> None:
    circle, square = shapes.concepts.order_by("name")
    Concept.objects.filter(pk=circle.pk).update(aliases=["disc", "round thing"])
    admin_page.set_viewport_size(size)
    admin_page.goto(f"{live_server}/admin/labeling/concept/{square.pk}/change/")
    assert fits(admin_page)
    tab_to(admin_page, ".object-tools a[href*='merge']")
    admin_page.keyboard.press("Enter")
    admin_page.wait_for_url("**/merge/**")
    assert fits(admin_page)
    tab_to(admin_page, "#id_into")
    tab_to(admin_page, "[type=submit][value=Merge]")
    admin_page.keyboard.press("Enter")
    expect(admin_page.locator(".messagelist")).to_contain_text("Merged “square” into “circle”")
    square.refresh_from_db()
    assert square.merged_into == circle


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_which_of_several_stays_is_chosen_without_a_mouse(
    admin_page: Page, live_server: object, shapes: Project, size: dict
) -> None:
    circle, square = shapes.concepts.order_by("name")
    admin_page.set_viewport_size(size)
    query = f"concept={circle.pk}&concept={square.pk}"
    admin_page.goto(f"{live_server}/admin/labeling/concept/merge/?{query}")
    assert fits(admin_page)
    tab_to(admin_page, "[type=radio]:checked")
    admin_page.keyboard.press("ArrowDown")
    stays = admin_page.locator("[type=radio]:checked").get_attribute("value")
    admin_page.keyboard.press("Enter")
    expect(admin_page.locator(".messagelist")).to_contain_text("Merged “")
    assert Concept.objects.get(project=shapes, merged_into=None).pk == int(stays or 0)
