"""Take the pictures of docs/your-own-project.md, going the way that the page describes.

    make demo EMPTY=1 DATA_DIR=/tmp/own     # in another terminal; a folder that is new
    DATA_DIR=/tmp/own .venv/bin/python docs/own_project.py      # PORT=… as for make demo

The pictures are emoji of animals, with their keywords in text files beside them.
"""

import os
import re
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright
from running_demo import ADDRESS, DOCS, is_running

from config.demo_project import emoji, fetch
from labeling.accounts import set_up
from tests import chromium

OUT = DOCS / "own-project"
GROUPS = {"animal-bird": "bird", "animal-mammal": "mammal", "animal-bug": "insect"}
EACH = 16  # pictures of a group
DEFINITION = "An animal with feathers and a beak, alive or drawn; not an egg or a nest."
PASSWORD = "correct horse battery staple"


expect.set_options(timeout=60_000)


def main() -> None:
    """Go the whole way, and take a picture at each step."""
    if not is_running() or not set_up.is_needed():
        sys.exit("Start an empty installation first: make demo EMPTY=1 DATA_DIR=…")
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as parent, sync_playwright() as playwright:
        folder = make_folder(Path(parent) / "From the zoo")
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=chromium.FLAGS)
        page = browser.new_page(base_url=ADDRESS, viewport={"width": 1280, "height": 800})
        make_project(page)
        add_pictures(page, folder)
        explain_concept(page)
        mark_gold(page)
        invite(page)
        publish(page)
        browser.close()


def make_folder(folder: Path) -> Path:
    """Make a folder of pictures with their keywords, and return it."""
    fetch.fetch()
    folder.mkdir()
    for subgroup, keyword in GROUPS.items():
        animals = [each for each in emoji.load() if each.subgroup == subgroup]
        for each in animals[:EACH]:
            (folder / each.path.name).write_bytes(each.path.read_bytes())
            text = (folder / each.path.name).with_suffix(".txt")
            text.write_text(", ".join([keyword, *each.name.split()[-1:]]))
    (folder / "list.doc").write_bytes(b"not a picture")
    return folder


def make_project(page: Page) -> None:
    """Make the first administrator and a project."""
    page.goto(f"/set-up/?code={set_up.code()}")
    page.get_by_label("Username").fill("olga")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password confirmation").fill(PASSWORD)
    page.get_by_role("button", name="Make the administrator").click()
    page.get_by_label("Name").fill("Animals of the zoo")
    page.get_by_label("In a sentence").fill("Which animals are in our pictures?")
    page.get_by_label("My team").check()
    save(page, "new")
    page.get_by_role("button", name="Make the draft").click()


def add_pictures(page: Page, folder: Path) -> None:
    """Drop the folder, choose what is asked, and wait for the report."""
    page.get_by_role("link", name="Add pictures").first.click()
    page.wait_for_load_state("networkidle")
    page.locator('[data-input="folder"]').set_input_files(folder)
    expect(page.get_by_role("checkbox", name=re.compile("bird"))).to_be_visible()
    page.get_by_role("button", name="Tick none").click()
    for keyword in GROUPS.values():
        page.get_by_role("checkbox", name=re.compile(f"^{keyword}")).check()
    save(page, "concepts-of-an-import")
    page.get_by_role("button", name=re.compile("^Import")).click()
    expect(page.get_by_role("link", name="Download the report")).to_be_visible()
    save(page, "report")


def explain_concept(page: Page) -> None:
    """Say what a concept means, and pick examples."""
    page.get_by_role("link", name="Concepts").first.click()
    page.get_by_role("link", name="bird", exact=True).click()
    page.get_by_label("Definition").fill(DEFINITION)
    page.get_by_role("button", name="Save").first.click()
    save(page, "concept")


def mark_gold(page: Page) -> None:
    """Mark pictures whose truth is known."""
    page.get_by_role("link", name="Gold").first.click()
    page.get_by_role("link", name=re.compile("Mark 20 of bird")).first.click()
    for _ in range(3):
        page.wait_for_timeout(500)
        page.keyboard.press("y")
    save(page, "gold")


def invite(page: Page) -> None:
    """Make a link for those who help."""
    page.get_by_role("link", name="People").first.click()
    page.get_by_label("How many may use it").fill("")
    page.get_by_role("button", name="Make a link").click()
    save(page, "invitation")


def publish(page: Page) -> None:
    """See the first question as a visitor sees it, and publish."""
    page.get_by_role("link", name="Overview").first.click()
    save(page, "overview")
    page.get_by_role("link", name="Preview and publish").first.click()
    page.get_by_role("link", name="Many pictures").click()
    guide = page.get_by_role("button", name="Go on")
    expect(guide.or_(page.locator("#stage img").first)).to_be_visible()
    if guide.is_visible():
        guide.click()
    expect(page.locator("#stage img").first).to_be_visible()
    save(page, "preview")
    page.get_by_role("button", name="Publish").click()
    page.get_by_role("link", name="Labels").first.click()
    save(page, "labels")


def save(page: Page, name: str) -> None:
    """Save a screenshot of the page once it is complete."""
    page.wait_for_load_state("networkidle")
    page.screenshot(path=OUT / f"{name}.jpg", quality=85)


if __name__ == "__main__":
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    main()
