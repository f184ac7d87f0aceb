"""Take the README's pictures from the running demo, once a model has been trained.

    make demo                               # in another terminal; then train in the admin
    .venv/bin/python docs/screenshots.py    # PORT=… DATA_DIR=… as for make demo

Six pretended visitors answer first, so that there is something to review: they know what the
pictures show, err now and then, and one of them clicks at random.
"""

import os
import random
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labeling.settings")

import django  # noqa: E402

django.setup()

from playwright.sync_api import Page, sync_playwright  # noqa: E402

from fixtures.demo import concepts, emoji  # noqa: E402
from labeling import challenges, embedded  # noqa: E402
from labeling.models import Annotator, Project, Question  # noqa: E402
from tests import chromium  # noqa: E402

OUT = ROOT / "docs" / "screenshots"
ADDRESS = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"
CHALLENGES = 40
ERRORS = {"careful": 0.02, "calm": 0.05, "quick": 0.1, "hasty": 0.2, "tired": 0.1, "random": 0.5}


def take_part(project: Project) -> None:
    """Each visitor answers some grids of many pictures."""
    rules = {rule.name: rule for rule in concepts.load()}
    shown = {f"fluent-emoji-3d/{one.path.name}": one for one in emoji.load()}
    for name, errors in ERRORS.items():
        visitor, new = Annotator.objects.get_or_create(pseudonym=f"a {name} visitor")
        for _ in range(CHALLENGES if new else 0):
            challenge = challenges.issue(annotator=visitor, project=project, kind="grid")
            if challenge is None:
                break
            asked = Question.objects.select_related("concept", "tile__image")
            asked_by_id = asked.in_bulk(challenge.questions)
            selected = []
            for number, pk in enumerate(challenge.questions, start=1):
                question = asked_by_id[pk]
                truth = rules[question.concept.name].truth(shown[question.tile.image.source])
                if bool(truth) != (random.random() < errors):
                    selected.append(number)
            challenges.answer(challenge=challenge, selected=selected, seconds=4.0)


def shoot(page: Page, project: Project) -> None:
    def keep(name: str) -> None:
        page.wait_for_load_state("networkidle")
        page.screenshot(path=OUT / f"{name}.png")

    page.goto("/")
    keep("home")
    page.goto(f"/take-part/{project.slug}/?kind=grid")
    page.wait_for_selector(".tile img")
    page.keyboard.press("2")
    page.keyboard.press("5")
    keep("challenge")
    page.goto(f"/take-part/{project.slug}/?kind=split")
    page.wait_for_selector(".tile img")
    keep("scene")
    page.goto("/draw/")
    page.fill("[name=prompt]", "a green frog")
    page.keyboard.press("Enter")
    page.wait_for_selector(".drawn img, .picture img, figure img", timeout=90_000)
    keep("draw")
    page.goto("/admin/login/")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", (embedded.data_dir() / "admin-password").read_text().strip())
    page.click("[type=submit]")
    page.goto(f"/admin/labeling/project/{project.pk}/review/")
    keep("review")
    page.goto("/admin/training/run/")
    page.click("text=diffusion no.")
    page.wait_for_timeout(2_500)
    keep("run")


def main() -> None:
    if not embedded.running(embedded.data_dir()):
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
