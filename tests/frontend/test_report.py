"""Reporting that something is wrong with a picture, by keyboard, mouse and finger."""

from playwright.sync_api import expect

from labeling.models import Answer, Challenge, Comment


def test_a_picture_is_reported_with_the_keyboard_alone(ask):
    page = ask()
    page.keyboard.press("r")
    expect(page.locator("#note")).to_contain_text("Choose the picture")
    page.keyboard.press("3")
    dialog = page.get_by_role("dialog", name="What is wrong with it?")
    expect(dialog).to_be_visible()
    dialog.get_by_label("Broken picture").press("Space")
    dialog.get_by_label("More about it").fill("Only <b>grey</b>.")
    dialog.get_by_role("button", name="Report").press("Enter")
    expect(page.locator("#outcome")).to_contain_text("Reported")
    expect(page.get_by_role("button", name="Picture 3, reported")).to_have_attribute(
        "aria-pressed", "false"
    )
    flag = Comment.objects.get()
    shown = Challenge.objects.get(annotator=flag.annotator, tiles__2=flag.tile_id)
    assert (flag.kind, flag.text) == ("broken", "Only <b>grey</b>.")
    assert shown.answered_at is None and not Answer.objects.exists()


def test_a_finger_taps_report_and_then_the_picture(ask, page):
    page.set_viewport_size({"width": 390, "height": 844})
    page = ask()
    page.get_by_role("button", name="Report").click()
    page.locator(".tile").nth(4).click()
    dialog = page.get_by_role("dialog", name="What is wrong with it?")
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.locator('.tile[aria-pressed="true"]')).to_have_count(0)
    page.locator(".tile").nth(4).click()  # selects again
    expect(page.locator('.tile[aria-pressed="true"]')).to_have_count(1)
    assert not Comment.objects.exists()


def test_what_was_typed_stays_if_it_cannot_be_sent(ask, page):
    page.route("**/flag/", lambda route: route.abort())
    page = ask("verify")
    page.keyboard.press("r")
    dialog = page.get_by_role("dialog", name="What is wrong with it?")
    dialog.get_by_label("Offensive or private").check()
    dialog.get_by_label("More about it").fill("A name can be read.")
    dialog.get_by_role("button", name="Report").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Not sent.")
    expect(dialog.get_by_label("More about it")).to_have_value("A name can be read.")
