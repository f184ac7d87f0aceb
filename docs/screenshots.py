"""Take the README's pictures from the running demo, once a model has been trained.

    make demo                               # in another terminal; then train in the admin
    .venv/bin/python docs/screenshots.py    # PORT=… DATA_DIR=… as for make demo

Six pretended visitors answer first, so that there is something to review: they know what the
pictures show, err now and then, and one of them clicks at random.
"""

import os
import random
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django  # noqa: E402

django.setup()

from playwright.sync_api import Page, sync_playwright  # noqa: E402

from config import servers  # noqa: E402
from fixtures.demo import concepts, emoji  # noqa: E402
from labeling import challenges  # noqa: E402
from labeling.models import Annotator, Challenge, Project, Question  # noqa: E402
from tests import chromium  # noqa: E402

OUT = ROOT / "docs" / "screenshots"
ADDRESS = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"
CHALLENGES = 40
ERRORS = {"careful": 0.02, "calm": 0.05, "quick": 0.1, "hasty": 0.2, "tired": 0.1, "random": 0.5}


def take_part(project: Project) -> None:
    """Each visitor who is new answers some grids of many pictures."""
    for name, errors in ERRORS.items():
        visitor, new = Annotator.objects.get_or_create(pseudonym=f"a {name} visitor")
        for _ in range(CHALLENGES if new else 0):
            challenge = challenges.issue(annotator=visitor, project=project, kind="grid")
            if challenge is None:
                break
            selected = [
                number
                for number, truth in enumerate(look(challenge), start=1)
                if truth != (random.random() < errors)
            ]
            challenges.answer(challenge=challenge, selected=selected, seconds=4.0)


@cache
def truths() -> tuple[dict[str, concepts.Rules], dict[str, emoji.Emoji]]:
    """The demo's concepts by name, and its pictures by source."""
    rules = {rule.name: rule for rule in concepts.load()}
    return rules, {f"fluent-emoji-3d/{one.path.name}": one for one in emoji.load()}


def look(challenge: Challenge) -> list[bool]:
    """What a person would see in each tile of a grid."""
    rules, shown = truths()
    asked = Question.objects.select_related("concept", "tile__image")
    found = asked.in_bulk(challenge.questions)
    return [
        bool(rules[found[pk].concept.name].truth(shown[found[pk].tile.image.source]))
        for pk in challenge.questions
    ]


def shoot(page: Page, project: Project) -> None:
    def keep(name: str) -> None:
        page.wait_for_load_state("networkidle")
        page.screenshot(path=OUT / f"{name}.jpg", quality=85)

    page.goto(f"/take-part/{project.slug}/?kind=grid")
    page.wait_for_selector(".tile img")
    token = page.locator(".tile img").first.get_attribute("src").split("/challenges/")[1]
    for number, truth in enumerate(look(Challenge.objects.get(pk=token[:32])), start=1):
        if truth:
            page.keyboard.press(str(number))
    keep("challenge")
    page.goto(f"/take-part/{project.slug}/?kind=split")
    page.wait_for_selector(".tile img")
    keep("scene")
    page.goto("/draw/")
    page.fill("[name=prompt]", "a green frog")
    page.keyboard.press("Enter")
    page.wait_for_selector('img[src*="/samples/4/"]', timeout=90_000)
    keep("draw")
    page.goto("/admin/login/")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", (servers.data_dir() / "admin-password").read_text().strip())
    page.click("[type=submit]")
    page.goto(f"/admin/labeling/project/{project.pk}/review/")
    keep("review")
    page.goto("/admin/training/run/")
    page.click("text=diffusion no.")
    page.wait_for_timeout(2_500)
    keep("run")


def main() -> None:
    if not servers.running(servers.data_dir()):
        sys.exit("The demo is not running: start it with `make demo`.")
    project = Project.objects.get(slug="demo")
    take_part(project)
    OUT.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=chromium.FLAGS)
        page = browser.new_page(base_url=ADDRESS, viewport={"width": 1280, "height": 800})
        shoot(page, project)
        browser.close()


if __name__ == "__main__":
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    main()
