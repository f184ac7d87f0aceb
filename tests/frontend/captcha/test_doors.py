"""The challenge in its frame: three doors, by keyboard, by the accessibility tree, in trouble."""

from collections.abc import Callable

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from labeling.captcha import attempts, passing, work
from labeling.models import Attempt, Site
from tests import axe
from tests.browser import Listen
from tests.frontend.captcha.asked import right_choices, shown
from tests.frontend.captcha.shop import Show
from tests.waiting import wait_until

BOX = """<form><div class="h-captcha" data-sitekey="{key}" data-theme="{theme}"
  data-error-callback="shop.failed" data-open-callback="shop.opened"
  data-close-callback="shop.closed" data-chalexpired-callback="shop.late"></div></form>"""
RECORD = """window.said = [];
window.shop = {};
for (const name of ['failed', 'opened', 'closed', 'late'])
  shop[name] = code => said.push(code ?? name);"""
SMALL = """() => [...document.querySelectorAll("button, input, summary, label")]
  .map(each => [each.outerHTML, each.getBoundingClientRect()])
  .filter(([, {width, height}]) => width && height && (width < 20 || height < 20))"""
OFFLINE = "The server cannot be reached. Check the connection, then try again."
FORGED = "() => postMessage({captcha: 'passed', response: 'forged', expires_in: 9}, '*')"
DOORS = {"grid": "Pictures", "text": "In words", "work": "Without a test"}


@pytest.fixture
def open_challenge(show: Show, site: Site, frame: FrameLocator):
    def open_challenge(theme: str = "light", hl: str = "en") -> Page:
        page = show(f"1/api.js?hl={hl}", BOX.format(key=site.key, theme=theme), RECORD)
        page.get_by_role("checkbox").click()
        expect(frame.get_by_role("checkbox")).to_have_count(16)
        return page

    return open_challenge


@pytest.fixture
def little_work(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From when it is called on, next to nothing is to be computed."""
    little = work.Parameters(n=2, r=1, p=1, bits=2, puzzles=4)
    return lambda: monkeypatch.setattr(work, "parameters", lambda *args: little)


def box(page: Page):
    return page.get_by_role("checkbox", name="I am a person")


def said(page: Page) -> list[str]:
    return page.evaluate("() => said.splice(0)")


def test_pictures_by_keyboard_alone(
    open_challenge, frame: FrameLocator, listen: Listen, complaints: list[str], monkeypatch
) -> None:
    most = passing.TRUE_SHARE[2]
    monkeypatch.setattr(passing, "TRUE_SHARE", (most, most, most))
    sheets: list[str] = []
    listen("request", lambda request: ".jpg" in request.url and sheets.append(request.url[-5:]))
    page = open_challenge()
    expect(frame.get_by_role("heading", level=1)).to_be_focused()
    wait_until(lambda: sheets == ["1.jpg", "2.jpg"])  # the second is loaded ahead
    page.keyboard.press("Tab")
    picture = frame.get_by_role("checkbox", name="Picture 1", exact=True)
    expect(picture).to_be_focused()
    expect(frame.get_by_role("button", name="None of these")).to_be_visible()
    page.keyboard.press("Enter")  # though as many show a bird as ever do
    expect(frame.get_by_role("status").first).to_have_text(
        "That did not convince. Here is another one: take your time. "
    )
    expect(frame.get_by_role("heading", level=1)).to_be_focused()
    page.keyboard.press("Tab")
    number = 1
    for wanted in (selected := shown(1)):
        down, right = (wanted - 1) // 4 - (number - 1) // 4, (wanted - 1) % 4 - (number - 1) % 4
        for key, count in (("Down", down), ("Right", right), ("Left", -right)):
            for _ in range(count):
                page.keyboard.press(f"Arrow{key}")
        page.keyboard.press("Space")
        number = wanted
    expect(frame.get_by_role("checkbox", checked=True)).to_have_count(len(selected))
    expect(frame.get_by_role("button", name=f"Submit {len(selected)}")).to_be_visible()
    page.keyboard.press("Enter")
    answer_second_round(page, frame, select_pictures)
    expect(box(page)).to_be_checked()
    expect(box(page)).to_be_focused()
    expect(page.locator("iframe")).to_have_count(0)
    assert said(page) == ["opened"] and complaints == []
    assert Attempt.objects.filter(state="passed", door="grid").count() == 1


def answer_second_round(page: Page, frame: FrameLocator, answer: Callable[..., None]) -> None:
    """Answer one more round, if the first is not enough, as some are not whoever answers."""
    more = frame.get_by_role("status").filter(has_text="One more round, to be sure.")

    def is_judged() -> bool:
        page.wait_for_timeout(20)  # in which Playwright hears of it
        return bool(more.count() or box(page).is_checked())

    wait_until(is_judged)
    if more.count():
        answer(frame, 2)
        frame.get_by_role("button", name="Submit").click()


def select_pictures(frame: FrameLocator, number: int) -> None:
    for picture in shown(number):
        frame.get_by_role("checkbox", name=f"Picture {picture}", exact=True).check()


def choose_sentences(frame: FrameLocator, number: int) -> None:
    choices = right_choices(number)
    for place, choice in enumerate(choices, 1):
        question = frame.get_by_role("group", name=f"Question {place} of {len(choices)}")
        question.get_by_role("radio").nth(choice - 1).check()  # the last one is “Neither”, or 0


def test_another_way_may_be_taken_at_any_time(
    open_challenge, little_work, frame: FrameLocator, complaints: list[str]
) -> None:
    page = open_challenge()
    frame.get_by_role("button", name=DOORS["work"]).click()
    expect(frame.get_by_role("progressbar")).to_be_visible()
    frame.get_by_role("button", name="Cancel").click()
    expect(frame.get_by_role("checkbox")).to_have_count(16)
    frame.get_by_role("checkbox").first.focus()
    page.keyboard.press("Escape")
    expect(page.locator("iframe")).to_have_count(0)
    expect(box(page)).to_be_focused()
    assert said(page) == ["opened", "closed"]
    page.evaluate(
        "() => { hcaptcha.execute(undefined, {async: true}).catch(code => said.push(code)) }"
    )
    page.get_by_role("button", name="Close").click()
    page.wait_for_function("() => said.length === 3")
    assert said(page)[1:] == ["closed", "challenge-closed"]
    little_work()
    page.evaluate("() => { hcaptcha.execute() }")
    frame.get_by_role("button", name=DOORS["work"]).click()
    expect(box(page)).to_be_checked()
    assert Attempt.objects.filter(state="passed", door="work").count() == 1
    assert complaints == []


def test_sentences_are_enough_to_pass(
    open_challenge, little_work, frame: FrameLocator, complaints: list[str]
) -> None:
    little_work()
    page = open_challenge()
    frame.get_by_role("button", name=DOORS["text"]).click()
    expect(frame.get_by_role("group", name="Question 1 of")).to_be_visible()
    frame.get_by_role("button", name="Submit").click()
    expect(frame.get_by_role("status").first).to_contain_text("Question 1 is still open")
    expect(frame.get_by_role("radio").first).to_be_focused()
    choose_sentences(frame, 1)
    page.keyboard.press("Enter")
    answer_second_round(page, frame, choose_sentences)
    expect(box(page)).to_be_checked()
    assert Attempt.objects.filter(state="passed", door="text").count() == 1
    assert complaints == []


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 320)])
def test_everything_fits_and_follows_the_rules(
    open_challenge, frame: FrameLocator, page: Page, theme: str, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    open_challenge(theme)
    own = page.frames[-1]
    found = axe.violations(page)
    for door in ("grid", "text", "work"):
        frame.get_by_role("button", name=DOORS[door]).click()
        expect(frame.locator("#stage:not([aria-busy])")).to_be_visible()
        found += axe.violations(own)
        assert own.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), door
        small = own.evaluate(SMALL)
        assert small == [], door
    assert found == []


def test_the_tree_says_all_that_is_to_be_known(open_challenge, frame: FrameLocator) -> None:
    page = open_challenge()
    dialog = page.get_by_role("dialog", name="A short question")
    expect(dialog).to_match_aria_snapshot("""
      - dialog "A short question":
        - button "Close"
        - heading "A short question" [level=2]
        - iframe
    """)
    subject = frame.locator("h1").inner_text().replace("\n", " ")
    pictures = "".join(f'\n          - checkbox "Picture {number}"' for number in range(1, 17))
    expect(frame.locator("body")).to_match_aria_snapshot(f"""
      - main:
        - status
        - group "{subject}":
          - heading "{subject}" [level=1]{pictures}
        - button "None of these"
        - group "Ways to answer":
          - button "Pictures" [pressed]
          - button "In words"
          - button "Without a test"
        - group: About this question
    """)
    inside = page.evaluate("() => document.activeElement.shadowRoot.activeElement.localName")
    assert inside == "iframe"


def test_more_time_is_given_before_it_is_over(
    open_challenge, frame: FrameLocator, page: Page, page_changed_for_good
) -> None:
    page.clock.install()
    open_challenge()
    seconds = int(attempts.LIFETIME.total_seconds())
    page.clock.fast_forward((seconds - 119) * 1000)
    frame.get_by_role("button", name="I need more time").click()
    expect(frame.get_by_role("status").first).to_have_text("You have more time now.")
    page.clock.fast_forward((seconds - 121) * 1000)
    expect(page.locator("iframe")).to_be_visible()
    page.clock.fast_forward(122_000)
    expect(page.get_by_text("This has expired. Please tick it again.")).to_be_visible()
    assert said(page) == ["opened", "late"]


def test_trouble_is_said_and_may_pass(
    open_challenge, little_work, frame: FrameLocator, page: Page
) -> None:
    little_work()
    open_challenge()
    page.route("**/attempts/", lambda route: route.abort())
    frame.get_by_role("button", name=DOORS["work"]).click()
    heading = frame.get_by_role("heading", level=1)
    expect(heading).to_have_text(
        "The server cannot be reached. Check the connection, then try again."
    )
    expect(heading).to_be_focused()
    page.unroute("**/attempts/")
    refusal = {"code": "rate-limited", "detail": "Wait a little."}
    page.route("**/answers/", lambda route: route.fulfill(json=refusal, status=429))
    frame.get_by_role("button", name="Try again").click()
    expect(heading).to_have_text("Wait a little.")
    page.unroute("**/answers/")
    expect(page.locator("iframe")).to_be_visible()
    frame.get_by_role("button", name="Try again").click()
    expect(box(page)).to_be_checked()
    assert said(page) == ["opened", "network-error", "rate-limited"]


def test_a_page_of_nobody_s_is_refused(
    show: Show, site: Site, frame: FrameLocator, page: Page
) -> None:
    Site.objects.update(hosts=["shop.example"])
    show("1/api.js", BOX.format(key=site.key, theme="light"), RECORD)
    box(page).click()
    expect(frame.get_by_role("heading", level=1)).to_contain_text("127.0.0.1")
    page.evaluate(
        "() => window.postMessage({captcha: 'passed', response: 'forged', expires_in: 9}, '*')"
    )
    page.get_by_role("button", name="Close").click()
    expect(page.locator("iframe")).to_have_count(0)
    assert page.evaluate("() => hcaptcha.getResponse()") == ""
    assert said(page) == ["opened", "invalid-data", "closed"]
    assert not Attempt.objects.exists()
