"""From an empty installation to the first settled label of own pictures, without any command.

A person's clicks and taps are counted: more than `CLICKS` are too many.
"""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from labeling.accounts import set_up
from labeling.models import Challenge, Question
from tests import axe
from tests.browser import TIMEOUT, let_server_finish
from tests.frontend import looks
from tests.frontend.conftest import SEEN
from tests.pictures import draw
from tests.waiting import wait_until

CLICKS = 25
DESK = {"viewport": {"width": 1280, "height": 800}}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "has_touch": True,
    "device_scale_factor": 2,
}
COUNT_CLICKS = "addEventListener('click', event => event.isTrusted && countClick(), true)"
Role = Literal["button", "link"]
PASSWORD = "correct horse battery staple"


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Pictures of somebody's own, each with its keywords in a text of the same name."""
    folder = tmp_path / "From the meadow"
    folder.mkdir()
    things = product(("circle", "square"), ("red", "green", "blue", "orange"), (4, 16))
    for number, (shape, colour, corner) in enumerate(things):
        picture = draw(shape=shape, colour=colour, corner=corner, side=200)
        (folder / f"IMG {number:03}.png").write_bytes(picture)
        (folder / f"IMG {number:03}.txt").write_text(f"{shape}, {colour}")
    return folder


@pytest.fixture(params=[DESK, PHONE], ids=["desk", "phone"])
def olga(browser: Browser, live_server, worker, request) -> Iterator["Olga"]:
    """A newcomer before an installation without any account, at a desk or on a phone."""
    context = browser.new_context(**request.param)
    context.set_default_timeout(TIMEOUT)
    yield Olga(context.new_page(), live_server.url)
    context.close()
    let_server_finish()


class Olga:
    """Somebody who has pictures, a browser, and nobody to ask."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url, self.clicks = page, url, 0
        self.looked_at: set[tuple[str, str]] = set()
        page.expose_function("countClick", self._count)
        page.add_init_script(COUNT_CLICKS)

    def _count(self) -> None:
        self.clicks += 1

    def press(self, name: str | re.Pattern[str], role: Role = "button") -> None:
        """Click or tap what has this name, on a page that is fit for everybody."""
        target = self.page.get_by_role(role, name=name).first
        expect(target).to_be_visible()
        self._look(str(name))
        target.click()

    def _look(self, pressed: str) -> None:
        """See that a page is fit for everybody, once for each button on it that is pressed."""
        place = (self.page.url, pressed)
        if place not in self.looked_at:
            self.looked_at.add(place)
            self.page.evaluate(looks.FADED)
            assert axe.violations(self.page) == [], self.page.url

    def choose(self, paths: list[Path]) -> None:
        """Choose files in the dialog that a button opens."""
        with self.page.expect_file_chooser() as dialog:
            self.press("Choose files or an archive")
        dialog.value.set_files(paths)

    def answer(self) -> None:
        """Answer the grid on the screen as it is true."""
        source = self.page.locator("#stage img").first.get_attribute("src") or ""
        challenge = Challenge.objects.get(pk=source.split("/")[4].split(".")[0])
        truths = [truth(question) for question in challenge.questions]
        tiles = self.page.locator("#stage .tile")
        for number in (number for number, shown in enumerate(truths) if shown):
            tiles.nth(number).click()
        self.press(re.compile("Submit" if any(truths) else "None"))
        wait_until(lambda: Challenge.objects.exclude(answered_at=None).filter(pk=challenge.pk))


def truth(question: int) -> bool:
    """Return whether a photograph has the keyword that is asked about."""
    row = Question.objects.select_related("concept", "tile__image").get(pk=question)
    assert row.concept
    return row.concept.name in row.tile.image.keywords


def test_own_pictures_become_a_label_without_any_command(olga: Olga, photographs: Path) -> None:
    page = olga.page
    page.goto(f"{olga.url}/set-up/?code={set_up.code()}")
    page.get_by_label("Username").fill("olga")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password confirmation").fill(PASSWORD)
    olga.press("Make the administrator")

    page.get_by_label("Name").fill("Meadow")
    page.get_by_label("Only me").check()
    olga.press("Make the draft")
    olga.press("Add pictures", role="link")
    olga.choose(sorted(photographs.iterdir()))
    expect(page.get_by_role("checkbox", name=re.compile("circle"))).to_be_checked()
    olga.press(re.compile("^Import 16 pictures"))
    olga.press(re.compile("preview"), role="link")
    expect(page.locator("#stage img").first).to_be_visible()
    olga.press("Publish")

    olga.press(re.compile("Answer|Take part"), role="link")
    expect(page.locator("#stage img").first).to_be_visible()
    olga.press("Many pictures", role="link")
    expect(page.locator("#ask")).to_have_attribute("data-mode", "grid")
    settled = Question.objects.filter(state=Question.State.SETTLED)
    while not settled.exists():
        page.wait_for_selector(SEEN)
        olga.answer()
    assert olga.clicks <= CLICKS
