"""Django's lists and forms by axe's rules, in light and dark, in the order of the loop."""

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page

from labeling import challenges
from labeling.models import Annotator, Project
from tests import axe
from tests.browser import sign_in
from tests.frontend import looks

COLOUR_RULES = "color-contrast", "link-in-text-block"  # those that a colour scheme can break
AROUND = "#header", "#nav-sidebar"  # the same on each page


def addresses() -> list[str]:
    """Return the index and every list."""
    names = [f"{model._meta.app_label}_{model._meta.model_name}" for model in site._registry]
    lists = [reverse(f"admin:{name}_changelist") for name in names]
    return [reverse("admin:index"), *lists]


def test_every_list_can_be_read_by_everybody(
    page: Page, live_server, ada: User, shapes: Project, alice: Annotator
) -> None:
    challenges.issue(annotator=alice, project=shapes, kind="grid")
    sign_in(page, ada, live_server.url)
    found = {}
    index, first, *others = addresses()
    for address in (index, first, *others):
        outside = AROUND if address in others else ()
        page.emulate_media(color_scheme="light")
        page.goto(live_server.url + address)
        found[address, "light"] = axe.violations(page, outside=outside)
        page.emulate_media(color_scheme="dark")
        page.evaluate(looks.FADED)
        found[address, "dark"] = axe.violations(page, *COLOUR_RULES, outside=outside)
    assert {where: what for where, what in found.items() if what} == {}


@pytest.mark.parametrize("model", ["project", "concept", "annotator", "image"])
def test_forms_can_be_read_by_everybody(
    page: Page, live_server, ada: User, shapes: Project, alice: Annotator, model: str
) -> None:
    row = {"project": shapes, "concept": shapes.concepts.first(), "annotator": alice}
    chosen = row.get(model) or shapes.images.first()
    sign_in(page, ada, live_server.url)
    page.goto(live_server.url + reverse(f"admin:labeling_{model}_change", args=[chosen.pk]))
    assert axe.violations(page) == []


def test_the_index_follows_the_loop(ada_client: Client) -> None:
    page = ada_client.get("/admin/").content.decode()
    steps = "Projects", "Pictures", "Questions", "Labels", "Models", "Drawings", "Accounts"
    places = [
        page.index(f'class="section" title="Models in the {step} application"') for step in steps
    ]
    assert places == sorted(places)
