"""The buttons that answer never move: not with hints, long headings, kinds, or what is said."""

from collections.abc import Callable

from playwright.sync_api import Page, Route, expect

from tests.every_page import ARABIC, LONG_WORD
from tests.frontend.conftest import SEEN

Ask = Callable[..., Page]
SIZES = {
    "desk": (1280, 800),
    "phone": (390, 844),
    "low": (320, 568),
    "side": (844, 390),
    "zoomed": (320, 200),
}
SETTLED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
BAR = """() => {
  const button = document.querySelector("#actions .button.primary, #actions .button");
  const {bottom, height} = button.getBoundingClientRect();
  const bar = document.getElementById("actions").getBoundingClientRect();
  return [bar.left, bar.right, bar.bottom, height].map(Math.round);
}"""
SUBJECTS = ["a cat", LONG_WORD, f"{ARABIC} {ARABIC}", " ".join([LONG_WORD] * 3)]


def bars(page: Page) -> dict[str, list[int]]:
    """Return where the bar is in windows of each size."""
    found = {}
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate(SETTLED)
        found[size] = page.evaluate(BAR)
    return found


def test_the_bar_stays_where_it_is(ask: Ask, page: Page) -> None:
    subjects = iter(SUBJECTS * 5)

    def rename(route: Route) -> None:
        response = route.fetch()
        if response.status != 201:
            return route.fulfill(response=response)
        route.fulfill(status=201, json={**response.json(), "subject": next(subjects)})

    page.route("**/api/v1/challenges/", rename)
    ask()
    places = {"with a hint": bars(page)}
    page.keyboard.press("f")
    expect(page.locator("#note")).to_contain_text("No picture is selected")
    places["with a sentence"] = bars(page)
    page.keyboard.press("1")
    places["with a tile selected"] = bars(page)
    for number in range(len(SUBJECTS) - 1):
        page.wait_for_selector(SEEN)
        before = page.locator("#stage img").first.get_attribute("src")
        page.keyboard.press("n" if number else "f")
        expect(page.locator(f'#stage img[src="{before}"]')).to_have_count(0)
        subject = page.locator("#subject").text_content()
        places[f"under {subject} with a strip"] = bars(page)
    page.unroute_all(behavior="ignoreErrors")  # it asks ahead
    for size in SIZES:
        assert len({tuple(each[size]) for each in places.values()}) == 1, (size, places)


def test_the_bar_is_at_the_same_place_for_every_kind_and_direction(ask: Ask, scenes) -> None:
    places = {}
    for kind in ("grid", "split", "verify", "write"):
        page = ask(kind)
        places[kind] = page.evaluate(BAR)
        page.evaluate("document.documentElement.dir = 'rtl'")
        left, right, bottom, height = page.evaluate(BAR)
        places[f"{kind}, rtl"] = [1280 - right, 1280 - left, bottom, height]
    assert len(set(map(tuple, places.values()))) == 1, places
