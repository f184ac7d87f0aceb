"""Every public page and state: by axe's rules, in six languages, and in all ways to look at it.

Each state is looked at once, in the next language and the next way. In each language once, and in
each language in all ways (hours on two cores):

    LOOKS=languages python -m pytest -s tests/frontend/test_accessibility.py
    LOOKS=all python -m pytest -s tests/frontend/test_accessibility.py
"""

import os
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page

from labeling import drawings
from labeling.accounts import mail
from labeling.models import Concept, Project, Question
from tests import every_page
from tests.browser import let_server_finish
from tests.cast import answer
from tests.frontend import looks
from tests.frontend.states import pages, questions, trouble
from tests.frontend.states.stage import Models, Stage, State

EXTENT = os.environ.get("LOOKS", "")
LANGUAGES = list(looks.LANGUAGES) if EXTENT else ["each in turn"]
PARTS = {"questions": questions.STATES, "trouble": trouble.STATES, "pages": pages.STATES}


@pytest.fixture(autouse=True)
def media(settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def project(scenes, described, alice, bob, ada: User, tmp_path: Path) -> Project:
    """Return a project in German in which everything has something to show, hard to fit."""
    every_page.fill(described, ada, tmp_path, answer)
    described.language = looks.TEXT_LANGUAGE
    described.description = described.instructions = f"{looks.MARK} {every_page.LONG_WORD}"
    described.save()
    for row in described.questions.filter(kind="caption"):
        Question.objects.filter(pk=row.pk).update(text=f"{looks.MARK} {row.text}")
    for concept in described.concepts.all():
        name = f"{looks.MARK} {concept.name}"[:80]
        Concept.objects.filter(pk=concept.pk).update(name=name, phrase=name)
    return described


@pytest.fixture
def models(monkeypatch) -> Models:
    models = Models()
    monkeypatch.setattr(drawings, "_sources", [models])
    return models


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("part", PARTS)
def test_every_state(
    browser: Browser, live_server, project, ada, models, settings, monkeypatch, part, language
) -> None:
    settings.EMAIL_HOST = "mail.example.org"
    monkeypatch.setattr(mail, "send_later", mail._send)
    languages = cycle([language] if EXTENT else looks.LANGUAGES)
    start = LANGUAGES.index(language)
    next_looks = cycle([*looks.LOOKS[start:], *looks.LOOKS[:start]])
    states = [
        (own, looks.LOOKS if EXTENT == "all" else [next(next_looks)], name)
        for own, name in zip(languages, PARTS[part], strict=False)
    ]
    found, count = [], 0
    for own in dict.fromkeys(own for own, *_ in states):
        reader = Reader(browser, own, live_server.url)
        for own_looks, name in [rest for of, *rest in states if of == own]:
            stage = Stage(reader.sit_down(own_looks[0]), live_server.url, project, ada, models)
            faults = state_faults(stage, PARTS[part][name], own_looks)
            found += (faults := [f"{name}, {own}, {fault}" for fault in faults])
            count += len(own_looks)
            print(f"{name}, {own}: {len(own_looks)} looks, {len(faults)} faults", flush=True)
            reader.get_up(for_good=stage.is_changed_for_good)
        reader.get_up(for_good=True)
    let_server_finish()
    print(f"{part}, {language}: {len(PARTS[part])} states, {count} looks, {len(found)} faults")
    assert not found, "\n".join(found)


def state_faults(stage: Stage, show: State, own_looks: list[looks.Look]) -> Iterator[str]:
    """Show a state and look at it; return what is wrong, and in which look."""
    stage.clear()
    try:
        show(stage)
    except Exception as error:
        yield f"not shown: {error}"
        return
    for look in own_looks:
        for fault in looks.faults(stage.page, look):
            yield f"{look}: {fault}"
    for look in own_looks[1:3] or own_looks:
        looks.take(stage.page, look)
        for fault in looks.focus_faults(stage.page):
            yield f"{look}: {fault}"


class Reader:
    """Somebody who reads a language, with a page that is used again as if it were new.

    A new one takes a process, and all scripts anew.
    """

    def __init__(self, browser: Browser, language: str, url: str) -> None:
        self._browser, self._url = browser, url
        self._locale = looks.LANGUAGES[language]
        self._page: Page | None = None

    def sit_down(self, look: looks.Look) -> Page:
        """Return the page, blank and of the look's size."""
        if self._page is None:
            context = self._browser.new_context(locale=self._locale)
            context.set_default_timeout(20_000)
            self._page = context.new_page()
        width, height = looks.SIZES[look.size]
        self._page.set_viewport_size({"width": width, "height": height})
        return self._page

    def get_up(self, *, for_good: bool) -> None:
        """Leave nothing behind: close the page, or let it forget all that it has kept."""
        if self._page is None:
            return
        if for_good:
            self._page.context.close()
            self._page = None
            return
        page, context = self._page, self._page.context
        page.unroute_all(behavior="ignoreErrors")
        page.goto("about:blank")
        context.set_offline(False)
        page.emulate_media(color_scheme="null", forced_colors="null", reduced_motion="null")
        kept = {"origin": self._url, "storageTypes": "all"}
        context.new_cdp_session(page).send("Storage.clearDataForOrigin", kept)
        context.clear_cookies()
