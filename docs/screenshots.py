"""Take the README's screenshots of the running demo, once a model has been trained.

    make demo                               # in another terminal; then train in the admin
    .venv/bin/python docs/screenshots.py    # PORT=… DATA_DIR=… as for make demo

Six simulated visitors answer first, so that there is something to review: they know what the
pictures show, make mistakes at different rates, and one of them clicks at random.
"""

import os

from playwright.sync_api import Page, sync_playwright
from running_demo import ADDRESS, DATA, DOCS, answered_project

from config.demo_project import visitors
from labeling.models import Challenge, Project
from tests import chromium

OUT = DOCS / "screenshots"
LOADED = """() => [...document.images].every(
    image => image.loading === "lazy" || !image.getAttribute("src") || !image.checkVisibility()
        || (image.complete && image.naturalWidth))"""


def main() -> None:
    """Have visitors take part, then take all screenshots."""
    project = answered_project()
    OUT.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=chromium.FLAGS)
        page = browser.new_page(base_url=ADDRESS, viewport={"width": 1280, "height": 800})
        shoot_pages(page, project)
        shoot_admin(page, project)
        browser.close()


def shoot_pages(page: Page, project: Project) -> None:
    """Take the screenshots of the pages for everybody."""
    page.goto(f"/take-part/{project.slug}/?kind=grid")
    page.wait_for_selector("#ask[data-seen]")  # from then on, presses are taken
    if not page.locator(".tile img").count():
        page.keyboard.press("s")  # the practice of newcomers
    select(page)
    page.keyboard.press("f" if page.locator(".tile[aria-pressed=true]").count() else "n")
    page.wait_for_selector("#strip li")  # the answer made small, with Undo
    select(page)
    save(page, "challenge")
    page.goto(f"/take-part/{project.slug}/?kind=split")
    page.wait_for_selector(".tile img")
    save(page, "scene")
    page.goto("/draw/")
    page.fill("[name=prompt]", "a green frog")
    page.keyboard.press("Enter")
    page.wait_for_selector('img[src*="/samples/4/"]', timeout=90_000)
    save(page, "draw")


def select(page: Page) -> None:
    """Select the tiles that show what is asked about, once presses are taken."""
    page.wait_for_selector("#ask[data-seen] .tile img")
    address = page.locator(".tile img").first.get_attribute("src") or ""
    token = address.partition("/challenges/")[2]  # which begins with the challenge's id
    challenge = Challenge.objects.get(pk=token[:32])
    for number, truth in enumerate(visitors.true_answers(challenge), start=1):
        if truth:
            page.keyboard.press(str(number))


def shoot_admin(page: Page, project: Project) -> None:
    """Take the screenshots of the admin."""
    page.goto("/admin/login/")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", (DATA / "admin-password").read_text().strip())
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
    page.wait_for_function(LOADED)
    page.wait_for_timeout(1000)  # in which an answer is taken, and buttons change their colour
    page.screenshot(path=OUT / f"{name}.jpg", quality=85)


if __name__ == "__main__":
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    main()
