"""From a folder on somebody's disk to the report of its import, in a real browser."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from labeling import tasks
from labeling.models import Import, Membership, Project
from tests import axe
from tests.browser import sign_in
from tests.pictures import png

PHONE = {"width": 390, "height": 844}
FILES = {
    "owl/1.png": png(1),
    "owl/2.png": png(2),
    "Owl/3.png": png(3),
    "wren/4.png": png(4),
    "wren/4.txt": b"bird, small",
    "wren/5.png": png(4),
    "notes.pdf": b"%PDF-1.7",
    ".DS_Store": b"x",
}


@pytest.fixture
def birds(db, carol, settings, tmp_path: Path) -> Project:
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.CACHE_ROOT, settings.UPLOAD_MIN_FREE_BYTES = tmp_path / "cache", 0
    project = Project.objects.create(slug="birds", name="Birds")
    Membership.objects.create(project=project, user=carol, role="owner")
    return project


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in FILES.items():
        path = tmp_path / "My birds" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "My birds"


@pytest.fixture
def open_pictures(page: Page, live_server, birds, carol):
    """Open the page of pictures as the project's owner."""
    sign_in(page, carol, live_server.url)
    page.goto(f"{live_server.url}/projects/birds/pictures/")
    return page


def test_a_folder_comes_in_over_a_bad_line_and_is_imported_as_chosen(open_pictures, folder):
    page = open_pictures
    lost = []

    def lose_one(route) -> None:
        if lost:
            route.continue_()
        else:
            lost.append(route.request.url)
            route.abort()

    page.route("**/parts/", lose_one)
    assert axe.violations(page) == []
    page.locator('[data-input="folder"]').set_input_files(folder)
    page.wait_for_url(re.compile(r"/imports/\d+/$"))
    expect(page.get_by_role("heading", name="Looking at what there is")).to_be_visible()
    assert lost and Import.objects.get().name == "My birds"
    tasks.advance_imports()

    button = page.locator("[data-submit]")
    expect(button).to_have_text("Import 6 pictures and ask about 2 concepts")
    assert axe.violations(page) == []
    expect(page.get_by_role("checkbox", name=re.compile("owl.*also written Owl"))).to_be_checked()
    page.get_by_label("Filter").fill("wr")
    expect(page.get_by_role("checkbox")).to_have_count(1)
    page.get_by_role("checkbox", name=re.compile("wren")).uncheck()
    page.get_by_label("Others, one a line").fill("feather")
    expect(button).to_have_text("Import 6 pictures and ask about 2 concepts")
    button.click()
    expect(page.get_by_role("heading", name="Importing 6 pictures")).to_be_visible()
    tasks.advance_imports()

    expect(page.get_by_text("6 files were read")).to_be_visible()
    expect(page.get_by_role("heading", name=re.compile("Refused, and why"))).to_be_visible()
    expect(page.get_by_text("My birds/notes.pdf")).to_be_visible()
    assert axe.violations(page) == []
    project = Project.objects.get()
    assert set(project.concepts.values_list("name", flat=True)) == {"owl", "feather"}
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the report").click()
    assert "notes.pdf,refused" in download.value.path().read_text()
    page.get_by_role("link", name="4", exact=True).click()
    expect(page.locator(".picture-wall li")).to_have_count(4)
    page.locator(".picture-wall a").first.click()
    expect(page.get_by_role("heading", name=re.compile("My birds"))).to_be_visible()
    assert axe.violations(page) == []

    page.get_by_role("link", name="My birds", exact=True).first.click()
    page.get_by_role("link", name="Undo this import").click()
    expect(page.get_by_text("4 pictures that it brought go")).to_be_visible()
    assert axe.violations(page) == []
    page.get_by_role("button", name="Undo the import").click()
    expect(page.get_by_role("heading", name="Taking it back")).to_be_visible()
    tasks.advance_imports()
    expect(page.get_by_text("It was taken back: 4 pictures are gone")).to_be_visible()


def test_files_are_dropped_anywhere_on_the_page(open_pictures, live_server):
    page = open_pictures
    page.set_viewport_size(PHONE)
    page.evaluate("""() => {
      const transfer = new DataTransfer();
      transfer.items.add(new File(["clutter"], ".DS_Store"));
      transfer.items.add(new File(["owl"], "owl.png"));
      document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true }));
    }""")
    page.wait_for_url(re.compile(r"/imports/\d+/$"))
    expect(page.get_by_role("heading", name="Import of owl.png", exact=True)).to_be_visible()
    page.get_by_role("button", name="Cancel the import").click()
    expect(page.get_by_text("It was cancelled.")).to_be_visible()
    assert Import.objects.get().state == "cancelled"
