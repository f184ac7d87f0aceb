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
from playwright.sync_api import Browser

from labeling import drawings
from labeling.accounts import mail
from labeling.models import Concept, Project, Question
from tests import every_page
from tests.browser import ReusedPage, let_server_finish
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


@pytest.fixture(scope="module")
def in_languages(browser: Browser) -> Iterator[dict[str, ReusedPage]]:
    """A page for visitors of each language, which has read all styles and scripts once."""
    visitors = {own: ReusedPage(browser, locale=locale) for own, locale in looks.LANGUAGES.items()}
    yield visitors
    for page in visitors.values():
        page.close()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("part", PARTS)
def test_every_state(
    in_languages, live_server, project, ada, models, settings, monkeypatch, part, language
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
    for own, own_looks, name in states:
        page = in_languages[own]
        width, height = looks.SIZES[own_looks[0].size]
        shown = page.open({"width": width, "height": height})
        looks.take(shown, own_looks[0])  # which a page that is blank takes at once
        stage = Stage(shown, live_server.url, project, ada, models)
        faults = state_faults(stage, PARTS[part][name], own_looks)
        found += (faults := [f"{name}, {own}, {fault}" for fault in faults])
        count += len(own_looks)
        print(f"{name}, {own}: {len(own_looks)} looks, {len(faults)} faults", flush=True)
        page.close() if stage.is_changed_for_good else page.forget()
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
