"""What the challenge screen shows when things do not go their way."""

import json
from datetime import timedelta

from django.utils import timezone
from playwright.sync_api import expect

from labeling.models import Annotator, Answer, Challenge, Image, Project, Question
from tests.cast import answer
from tests.frontend.conftest import SEEN
from tests.pictures import plain
from tests.waiting import wait_until

ISSUE = "**/api/v1/challenges/"
# Press the button of a screen without a question as soon as it is there.
PRESS_AT_ONCE = """addEventListener("DOMContentLoaded", () => {
  const panel = '#ask[data-mode="panel"] #actions button';
  new MutationObserver((_, observer) => {
    if (!document.querySelector(panel)) return;
    observer.disconnect();
    setTimeout(() => document.querySelector(panel).click());
  }).observe(document.getElementById("ask"), {subtree: true, childList: true, attributes: true});
})"""


def post(page, path, body):
    """Send what the page itself would send, from outside its own code."""
    return page.evaluate(
        """async ([path, body]) => (await fetch(path, {
            method: "POST", body, headers: {
                "Content-Type": "application/json",
                "X-CSRFToken": document.querySelector('meta[name="csrf-token"]').content,
            }})).status""",
        [path, json.dumps(body)],
    )


def press_n_again(page):
    """Say none of these, once what is asked about has been seen."""
    page.wait_for_selector(SEEN)
    page.keyboard.press("n")


def token(page):
    return page.locator("#stage img").first.get_attribute("src").split("/")[4]


def test_a_second_submission_changes_nothing_and_says_so(ask):
    page = ask()
    assert post(page, f"/api/v1/challenges/{token(page)}/answer/", {"selected": [1]}) == 200
    page.keyboard.press("n")
    expect(page.locator("#note")).to_contain_text("answered before: the first answer stands")
    assert Answer.objects.filter(value=True).count() == 1


def test_an_answer_that_comes_too_late_is_not_counted_and_says_so(ask):
    page = ask()
    key = token(page).split(".")[0]
    Challenge.objects.filter(pk=key).update(expires_at=timezone.now() - timedelta(seconds=1))
    page.keyboard.press("n")
    expect(page.locator("#note")).to_contain_text("expired before your answer")
    assert not Answer.objects.exists()


def test_a_question_that_was_open_too_long_offers_a_new_one(ask):
    page = ask()

    def shorten(route):
        response = route.fetch()
        route.fulfill(response=response, json={**response.json(), "expires_in": 1})

    page.route(ISSUE, shorten)
    page.reload()
    expect(page.locator("#subject")).to_have_text("This question has been open too long")
    page.unroute(ISSUE)
    page.get_by_role("button", name="Show a new one").click()
    expect(page.locator(".tile img").first).to_be_visible()


def test_answers_given_offline_are_sent_later(ask):
    page = ask()
    page.context.set_offline(True)
    page.keyboard.press("n")
    expect(page.locator("#waiting")).to_contain_text("1 answer waits on this device")
    press_n_again(page)
    expect(page.locator("#subject")).to_have_text("You are offline")
    expect(page.locator("#hint")).to_contain_text("2 answers wait")
    assert not Answer.objects.exists()
    page.context.set_offline(False)
    expect(page.locator("#outcome")).to_contain_text("recorded")
    expect(page.locator("#waiting")).to_be_empty()
    assert Challenge.objects.filter(answered_at__isnull=False).count() == 2


def test_an_answer_outlives_the_page_that_it_was_given_on(ask):
    page = ask()
    page.context.set_offline(True)
    page.keyboard.press("n")
    expect(page.locator("#waiting")).to_contain_text("1 answer waits")
    address = page.url
    page.context.set_offline(False)
    page.goto(address)
    wait_until(Answer.objects.exists)
    assert Answer.objects.count() == 9


def test_it_says_when_there_is_nothing_to_ask(ask, page_changed_for_good):
    page = ask()
    Image.objects.all().delete()
    page.add_init_script(PRESS_AT_ONCE)
    page.reload()
    nothing = "There is nothing to ask you of this kind right now"
    expect(page.locator("#subject")).to_have_text(nothing)
    expect(page.locator("#hint")).to_contain_text("choose Mixed or another kind")
    expect(page.locator("#note")).to_contain_text("Still nothing new")  # no picture to be seen
    page.get_by_role("link", name="Mixed").click()
    expect(page.locator("#subject")).to_have_text("There is nothing to ask you right now")
    expect(page.locator("#hint")).not_to_contain_text("Thank you")  # nothing was answered here
    expect(page.locator("#actions button")).to_have_count(1)  # there is no other kind either


def test_it_leads_on_from_a_kind_of_which_nothing_is_left_for_somebody(ask):
    page = ask()
    for question in Question.objects.filter(tile__grid=1):  # all that grids are made of
        answer(Annotator.objects.get(), {question.pk: True})
    Challenge.objects.all().delete()
    page.reload()
    expect(page.locator("#subject")).to_contain_text("There is nothing to ask you of this kind")
    page.get_by_role("button", name="Answer questions of another kind").click()
    expect(page.locator("#stage img").first).to_be_visible()
    assert "kind=" not in page.url


def test_it_says_that_a_project_was_made_private_meanwhile(ask):
    page = ask()
    Project.objects.update(private=True)
    page.keyboard.press("n")
    expect(page.locator("#outcome")).not_to_be_empty()  # what was asked before still counts
    press_n_again(page)
    expect(page.locator("#subject")).to_have_text("This project is private")
    expect(page.locator("#hint")).to_contain_text("open the invitation that you were sent")
    page.reload()
    expect(page.get_by_role("heading", name="This project is private")).to_be_visible()


def test_it_thanks_whoever_has_answered_when_there_is_nothing_more_to_ask(ask):
    page = ask()
    page.route(ISSUE, lambda route: route.fulfill(status=204))
    page.keyboard.press("n")
    expect(page.locator("#outcome")).not_to_be_empty()
    press_n_again(page)
    expect(page.locator("#subject")).to_contain_text("There is nothing to ask you of this kind")
    expect(page.locator("#hint")).to_contain_text("Thank you for your answers!")


def test_those_who_are_too_fast_are_asked_to_wait_and_lose_nothing(ask):
    page = ask()
    throttled = {"status": 429, "headers": {"Retry-After": "3"}, "json": {"code": "throttled"}}
    page.route("**/answer/", lambda route: route.fulfill(**throttled), times=1)
    page.keyboard.press("n")
    expect(page.locator("#waiting")).to_contain_text("That was quick!")
    expect(page.locator("#outcome")).to_contain_text("recorded")
    assert Answer.objects.count() == 9


def test_a_failing_server_is_a_calm_sentence(ask):
    page = ask()
    page.route(ISSUE, lambda route: route.fulfill(status=500, body="boom"), times=1)
    page.reload()
    expect(page.locator("#subject")).to_have_text("The server has trouble")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".tile img").first).to_be_visible()


def test_the_skeleton_waits_a_moment_before_it_shows(ask):
    page = ask()
    page.route(ISSUE, lambda route: None)
    page.reload(wait_until="domcontentloaded")
    expect(page.locator("#ask")).to_have_attribute("data-mode", "loading")
    expect(page.locator(".skeleton")).to_be_visible()
    page.unroute_all(behavior="ignoreErrors")


def test_help_opens_with_a_key_and_closes(ask):
    page = ask()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Help")).to_be_visible()
    page.keyboard.press("n")  # means nothing while the help is open
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert not Answer.objects.exists()


def test_without_javascript_it_says_what_is_missing(browser, live_server, shapes):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{live_server.url}/take-part/shapes/")
    assert "This page needs JavaScript" in page.locator("main").inner_text()
    context.close()


def test_upright_and_wide_pictures_are_shown_whole(page, ask):
    drawn = plain((150, 300)), plain((300, 150))

    def fulfil(route):
        upright = route.request.url.rstrip("/").endswith(("1", "2"))
        route.fulfill(body=drawn[0 if upright else 1], content_type="image/png")

    page.route("**/tiles/*/", fulfil)
    for kind in ("grid", "verify"):
        frames = ask(kind).evaluate(
            """() => [...document.querySelectorAll("#stage img")].map(image => {
              const frame = image.closest(".tile, .single").getBoundingClientRect();
              const box = image.getBoundingClientRect();
              return Math.max(box.height - frame.height, box.width - frame.width); })"""
        )
        assert max(frames) <= 1
