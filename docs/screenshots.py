"""Take the README's screenshots of the running demo, once a model has been trained.

    make demo                               # in another terminal; then train in the admin
    .venv/bin/python docs/screenshots.py    # PORT=… DATA_DIR=… as for make demo

Six simulated visitors answer first, so that there is something to review: they know what the
pictures show, make mistakes at different rates, and one of them clicks at random.
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
ADDRESS = f"http://127.0.0.1:{os.environ.get('PORT') or 8000}"
CHALLENGES = 40  # answered by each visitor
ERROR_RATES = {
    "careful": 0.02,
    "calm": 0.05,
    "quick": 0.1,
    "hasty": 0.2,
    "tired": 0.1,
    "random": 0.5,
}


def main() -> None:
    """Have visitors take part, then take all screenshots."""
    if not servers.running(servers.data_dir()):
        sys.exit("The demo is not running: start it with `make demo`.")
    project = Project.objects.get(slug="demo")
    take_part(project)
    OUT.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=chromium.FLAGS)
        page = browser.new_page(base_url=ADDRESS, viewport={"width": 1280, "height": 800})
        shoot_pages(page, project)
        shoot_admin(page, project)
        browser.close()


def take_part(project: Project) -> None:
    """Have each visitor who is new answer some grids."""
    for name, error_rate in ERROR_RATES.items():
        visitor, is_new = Annotator.objects.get_or_create(pseudonym=f"a {name} visitor")
        for _ in range(CHALLENGES if is_new else 0):
            challenge = challenges.issue(annotator=visitor, project=project, kind="grid")
            if challenge is None:
                break
            selected = [
                number
                for number, truth in enumerate(true_answers(challenge), start=1)
                if truth != (random.random() < error_rate)
            ]
            challenges.answer(challenge=challenge, selected=selected, seconds=4.0)


def true_answers(challenge: Challenge) -> list[bool]:
    """Return for each tile of a grid whether it shows the concept."""
    assert challenge.concept is not None
    rules, pictures = demo_content()
    rule = rules[challenge.concept.name]
    questions = Question.objects.select_related("tile__image").in_bulk(challenge.questions)
    sources = [questions[pk].tile.image.source for pk in challenge.questions]
    return [bool(rule.truth(pictures[source])) for source in sources]


@cache
def demo_content() -> tuple[dict[str, concepts.Rule], dict[str, emoji.Emoji]]:
    """Return the demo's concepts by name, and its pictures by source."""
    pictures = {f"fluent-emoji-3d/{picture.path.name}": picture for picture in emoji.load()}
    return {rule.name: rule for rule in concepts.load()}, pictures


def shoot_pages(page: Page, project: Project) -> None:
    """Take the screenshots of the pages for everybody."""
    page.goto(f"/take-part/{project.slug}/?kind=grid")
    page.wait_for_selector("#ask[data-seen]")  # from then on, presses are taken
    if not page.locator(".tile img").count():
        page.click("#skip")  # the practice of newcomers
    page.wait_for_selector("#ask[data-seen] .tile img")
    address = page.locator(".tile img").first.get_attribute("src") or ""
    token = address.partition("/challenges/")[2]  # which begins with the challenge's id
    for number, truth in enumerate(true_answers(Challenge.objects.get(pk=token[:32])), start=1):
        if truth:
            page.keyboard.press(str(number))
    save(page, "challenge")
    page.goto(f"/take-part/{project.slug}/?kind=split")
    page.wait_for_selector(".tile img")
    save(page, "scene")
    page.goto("/draw/")
    page.fill("[name=prompt]", "a green frog")
    page.keyboard.press("Enter")
    page.wait_for_selector('img[src*="/samples/4/"]', timeout=90_000)
    save(page, "draw")


def shoot_admin(page: Page, project: Project) -> None:
    """Take the screenshots of the admin."""
    page.goto("/admin/login/")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", (servers.data_dir() / "admin-password").read_text().strip())
    page.click("[type=submit]")
    page.goto(f"/projects/{project.slug}/labels/")
    save(page, "review")
    page.goto(f"/projects/{project.slug}/models/")
    page.click("table >> text=diffusion no.")
    page.wait_for_timeout(2_500)
    save(page, "run")


def save(page: Page, name: str) -> None:
    """Save a screenshot of the page once it is complete."""
    page.wait_for_load_state("networkidle")
    page.screenshot(path=OUT / f"{name}.jpg", quality=85)


if __name__ == "__main__":
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    main()
