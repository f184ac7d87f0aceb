"""Every page is accessible by axe's rules, in light and dark, and fits a phone 320 px wide.

A page that is new has to be added to `tests.every_page`: the tests fail until it is. The states of
the pages of visitors, in all languages, are those of `test_accessibility`.
"""

from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Literal, NamedTuple

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from playwright.sync_api import Page

from labeling import members
from labeling.models import Project
from tests import axe, every_page
from tests.browser import sign_in
from tests.cast import answer

ROOM = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


class Look(NamedTuple):
    """One way to look at a page: for axe to find all or its colours, or to see that it fits."""

    scheme: Literal["light", "dark"]
    width: int  # px
    finds: Literal["all", "colours", "width"]


LOOKS = (
    Look("light", 1280, "all"),
    Look("dark", 1280, "colours"),
    Look("dark", 390, "width"),
    Look("dark", 320, "width"),
)


@pytest.fixture(autouse=True)
def media(settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def everything(scenes, alice, bob, ada: User, tmp_path: Path) -> Project:
    every_page.fill(scenes.project, ada, tmp_path, answer)
    return scenes.project


def take(page: Page, look: Look) -> None:
    """Look at a page in another way, with no colours that fade."""
    page.emulate_media(color_scheme=look.scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": look.width, "height": 800})


def faults(page: Page, looks: Sequence[Look] = LOOKS) -> list[str]:
    """Return what axe finds wrong in light and dark, and the widths that are too narrow."""
    found = []
    for look in looks:
        take(page, look)
        if look.finds == "width":
            if excess := page.evaluate(ROOM):
                found.append(f"{excess} px too wide for {look.width} px")
        else:
            found += axe.violations(page, *(["color-contrast"] if look.finds == "colours" else []))
    return found


def faults_at(page: Page, addresses: list[str]) -> list[str]:
    """Look at pages in all ways, at each from the one in which the page before it was seen last."""
    found = []
    take(page, LOOKS[0])
    for address, looks in zip(addresses, cycle((LOOKS, LOOKS[::-1])), strict=False):
        page.goto(address)
        found += [f"{address} {fault}" for fault in faults(page, looks)]
    return found


def names(patterns: list[URLPattern | URLResolver] | None = None, route: str = "") -> Iterator[str]:
    """Return the names of all addresses outside of the admin and the API."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        path = route + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield pattern.name or path
        elif not path.startswith(("admin/", "api/")):
            yield from names(pattern.url_patterns, path)


def answers_get(client: Client, name: str) -> bool:
    """Return whether a name's address answers GET at all, whatever the row."""
    for arguments in ([], ["shapes"], ["shapes", 1], ["shapes", 1, "first.png"]):
        try:
            return client.get(reverse(name, args=arguments)).status_code != 405
        except Exception:
            continue
    return True


def test_every_page_is_looked_at(everything: Project, ada_client: Client) -> None:
    looked_at = {each.name for each in every_page.addresses(everything)}
    looked_at |= {"invitation", "project-preview", *every_page.NO_PAGES.split()}
    others = set(names()) - looked_at
    assert {name for name in others if answers_get(ada_client, name)} == set()


def test_the_pages_of_members(page: Page, live_server, everything: Project, ada: User) -> None:
    sign_in(page, ada, live_server.url)
    addresses = [live_server.url + each.path for each in every_page.addresses(everything)]
    found = faults_at(page, addresses)
    assert not found, "\n".join(found)


def test_the_pages_of_visitors(page: Page, live_server, everything: Project, ada: User) -> None:
    _, unused = members.invite(project=everything, role="viewer", by=ada)
    _, token = members.invite(project=everything, role="viewer", by=ada)
    members.accept(token=token, user=User.objects.create_user("wendy"), annotator=None)
    for slug, fields in (("draft", {"state": "draft"}), ("closed", {"state": "archived"})):
        Project.objects.create(slug=slug, name=every_page.LONG_WORD, **fields)
    Project.objects.create(slug="secret", name="Secret", state="open", private=True)
    paths = [f"/invitations/{unused}/", f"/invitations/{token}/", "/invitations/unknown/"]
    paths += [f"/take-part/{slug}/" for slug in ("draft", "closed", "secret")]
    paths += ["/", "/sign-in/", "/sign-up/", "/draw/", "/nowhere/"]
    found = faults_at(page, [live_server.url + path for path in paths])
    assert not found, "\n".join(found)


def test_the_set_up(page: Page, live_server, transactional_db) -> None:
    found = faults_at(page, [f"{live_server.url}/set-up/"])
    assert not found, "\n".join(found)
