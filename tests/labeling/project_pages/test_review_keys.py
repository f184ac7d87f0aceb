"""Reviewing with the keyboard, in a real browser."""

from functools import partial

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import ConsoleMessage, Page, expect

from labeling.models import Project, Question
from tests.browser import Listen


@pytest.fixture
def reviewer(page: Page, live_server: object, ada: User, ada_client: Client) -> Page:
    """Ada, signed in."""
    cookie = ada_client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": str(live_server)}])
    return page


def note(problems: list[str], line: ConsoleMessage) -> None:
    if line.type == "error":
        problems.append(line.text)


@pytest.mark.django_db(transaction=True)
def test_a_reviewer_needs_no_mouse(
    reviewer: Page, live_server: object, shapes: Project, listen: Listen
) -> None:
    problems: list[str] = []
    listen("console", partial(note, problems))
    reviewer.goto(f"{live_server}/projects/shapes/labels/?kind=concept")
    first, second, third = Question.objects.filter(kind="concept", verdict=None).order_by("-pk")[:3]

    reviewer.keyboard.press("ArrowRight")  # to the first tile
    reviewer.keyboard.press("ArrowRight")
    reviewer.keyboard.press("ArrowLeft")
    reviewer.keyboard.press("Enter")
    reviewer.wait_for_url(f"**/questions/{first.pk}/?kind=concept")
    reviewer.keyboard.press("y")
    reviewer.wait_for_url(f"**/questions/{second.pk}/?kind=concept")
    expect(reviewer.locator(".page-messages")).to_contain_text("yes, by your decision")
    reviewer.keyboard.press("j")
    reviewer.wait_for_url(f"**/questions/{third.pk}/?kind=concept")
    reviewer.keyboard.press("k")
    reviewer.wait_for_url(f"**/questions/{second.pk}/?kind=concept")
    reviewer.keyboard.press("n")
    reviewer.wait_for_url(f"**/questions/{third.pk}/?kind=concept")
    reviewer.keyboard.press("a")
    reviewer.wait_for_url(lambda url: f"/{third.pk}/" not in url)
    reviewer.keyboard.press("Escape")
    reviewer.wait_for_url("**/projects/shapes/labels/?kind=concept")

    third.refresh_from_db()
    verdicts = dict(Question.objects.filter(decided_by__isnull=False).values_list("pk", "verdict"))
    assert verdicts == {first.pk: True, second.pk: False, third.pk: third.label}
    assert problems == []


@pytest.mark.django_db(transaction=True)
def test_many_are_selected_by_keys_and_by_shift_and_decided_at_once(
    reviewer: Page, live_server: object, shapes: Project, listen: Listen
) -> None:
    problems: list[str] = []
    listen("console", partial(note, problems))
    reviewer.goto(f"{live_server}/projects/shapes/labels/?kind=concept&state=open")
    ids = list(Question.objects.filter(kind="concept", state="open").order_by("-pk")[:6])
    expect(reviewer.locator("#selected")).to_have_text("None selected")
    reviewer.keyboard.press("ArrowRight")
    reviewer.keyboard.press("x")
    boxes = reviewer.locator("input[name=question]")
    boxes.nth(3).click(modifiers=["Shift"])
    expect(reviewer.locator("#selected")).to_have_text("4 selected")
    reviewer.keyboard.press("y")
    expect(reviewer.locator(".page-messages")).to_contain_text("Decided yes: 4 questions.")
    decided = Question.objects.filter(decided_by__isnull=False, verdict=True)
    assert set(decided.values_list("pk", flat=True)) == {question.pk for question in ids[:4]}
    reviewer.get_by_role("button", name="Undo").click()
    expect(reviewer.locator(".page-messages")).to_contain_text("Put back as before: 4 questions.")
    assert not decided.exists()
    expect(reviewer.locator("#selected")).to_have_text("None selected")  # the keys are listened to
    reviewer.keyboard.press("a")
    expect(boxes.nth(20)).to_be_checked()
    reviewer.keyboard.press("Escape")
    expect(reviewer.locator("#selected")).to_have_text("None selected")
    assert problems == []
