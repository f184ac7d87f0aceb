"""Where a state is shown: a page, the server, and the project that it is about."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import User
from django.core.cache import cache
from playwright.sync_api import Page, expect

from labeling import examples
from labeling.drawings import Drawing
from labeling.models import ConceptExample, Project, Question, Tile
from tests.browser import sign_in
from tests.every_page import LONG_WORD
from tests.frontend.conftest import SEEN
from tests.frontend.looks import MARK, TEXT_LANGUAGE

ISSUE = "**/api/v1/challenges/"
State = Callable[["Stage"], None]
PICTURE = "/pictures/shapes/1/"


@dataclass
class Models:
    """A source of drawings that may have some, or none."""

    drawings: list[Drawing] = field(default_factory=list)

    def newest(self, project: Project) -> list[Drawing]:
        return self.drawings

    def after_answers(self, annotator: object, project: Project) -> list[Drawing]:
        return self.drawings

    def draw(self) -> None:
        words = f"{MARK} {LONG_WORD}"
        pair = Drawing(words, PICTURE, 32, PICTURE, TEXT_LANGUAGE)
        self.drawings = [pair, Drawing(words, PICTURE, 256, "", TEXT_LANGUAGE)]


@dataclass
class Stage:
    """What a state is made with."""

    page: Page
    url: str
    project: Project
    owner: User
    models: Models
    is_changed_for_good: bool = False  # the page, which shows no other state then

    def change_for_good(self) -> Page:
        """Return the page, to do to it what cannot be undone."""
        self.is_changed_for_good = True
        return self.page

    def clear(self) -> None:
        """Ask without practice, definitions and drawings, as nobody had been here."""
        cache.clear()
        fields = {"state": "open", "private": False, "practice_questions": 0}
        Project.objects.filter(pk=self.project.pk).update(**fields)
        self.project.concepts.update(definition="")
        ConceptExample.objects.all().delete()
        Question.objects.update(reservations=[])
        self.models.drawings = []

    def explain(self) -> None:
        """Give the project's concepts a definition and examples."""
        text = f"{MARK} {LONG_WORD}"
        self.project.concepts.update(definition=f"{text}, {LONG_WORD}.")
        wholes = Tile.objects.filter(image__project=self.project, grid=1).order_by("pk")[1:23:14]
        for concept in self.project.concepts.all():
            for tile, kind in zip(wholes, ("yes", "hard_no"), strict=True):
                examples.choose(concept=concept, tile=tile, kind=kind, note=text, by=self.owner)
        cache.clear()

    def go(self, path: str) -> None:
        self.page.goto(self.url + path)

    def sign_in(self) -> None:
        sign_in(self.page, self.owner, self.url)

    def ask(self, kind: str = "grid") -> Page:
        """Open the challenge screen, and wait until presses are taken."""
        self.go(f"/take-part/shapes/?kind={kind}")
        self.expect_mode(kind)
        return self.page

    def expect_mode(self, mode: str) -> None:
        expect(self.page.locator("#ask")).to_have_attribute("data-mode", mode)
        self.page.wait_for_selector(SEEN)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def answer(self, *keys: str) -> None:
        """Answer by keys; wait until the next challenge is there, and what the answer did."""
        with self.page.expect_response("**/answer/"):
            self.press(*keys)
        expect(self.page.locator("#undo")).to_be_visible()
        self.page.wait_for_selector(SEEN)

    def refuse(self, address: str, *, times: int | None = None, **response: Any) -> None:
        """Let the server answer with something else."""
        self.page.route(address, lambda route: route.fulfill(**response), times=times)
