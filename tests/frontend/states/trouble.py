"""The states of the challenge screen when there is nothing to ask, or something is in the way."""

from playwright.sync_api import Route, expect

from tests.frontend.states.stage import ISSUE, Stage


def _panel(stage: Stage) -> None:
    expect(stage.page.locator("#ask")).to_have_attribute("data-mode", "panel")


def nothing_left(stage: Stage) -> None:
    stage.refuse(ISSUE, status=204)
    stage.go("/take-part/shapes/?kind=grid")
    _panel(stage)


def nothing_left_still(stage: Stage) -> None:
    nothing_left(stage)
    stage.page.locator("#actions .button:not(.primary)").click()
    expect(stage.page.locator("#note")).not_to_be_empty()


def nothing_left_after_answers(stage: Stage) -> None:
    stage.ask()
    stage.refuse(ISSUE, status=204)
    stage.answer("n")
    stage.press("s")
    stage.page.wait_for_timeout(400)
    stage.press("s")
    _panel(stage)


def nothing_left_without_pictures(stage: Stage) -> None:
    stage.refuse(ISSUE, status=204)
    stage.go("/take-part/shapes/?kind=text")
    _panel(stage)


def answers_wait(stage: Stage) -> None:
    stage.ask()
    stage.page.context.set_offline(True)
    stage.press("1", "f")
    expect(stage.page.locator("#waiting")).not_to_be_empty()


def offline(stage: Stage) -> None:
    stage.page.route(ISSUE, lambda route: route.abort())
    stage.go("/take-part/shapes/?kind=grid")
    _panel(stage)


def work_offline(stage: Stage) -> None:
    stage.ask("verify")
    stage.page.locator("#offline-switch").click()
    expect(stage.page.locator("#offline [data-part=lines] li").first).to_be_visible()


def offline_not_possible(stage: Stage) -> None:
    stage.change_for_good().add_init_script(
        "Storage.prototype.setItem = () => { throw new DOMException('', 'QuotaExceededError') };"
        "indexedDB.open = () => { throw new DOMException('', 'SecurityError') };"
    )
    stage.ask("verify")
    expect(stage.page.locator("#offline [data-part=lines] li").first).to_be_visible()
    stage.page.context.set_offline(True)
    stage.press("y")
    expect(stage.page.locator("#waiting")).not_to_be_empty()


def expired(stage: Stage) -> None:
    def shorten(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, json={**response.json(), "expires_in": 1})

    stage.page.route(ISSUE, shorten)
    stage.go("/take-part/shapes/?kind=grid")
    _panel(stage)


def asks_too_fast(stage: Stage) -> None:
    stage.refuse(ISSUE, status=429, headers={"Retry-After": "900"}, json={"code": "throttled"})
    stage.go("/take-part/shapes/?kind=grid")
    _panel(stage)


def answers_too_fast(stage: Stage) -> None:
    throttled = {"status": 429, "headers": {"Retry-After": "90"}, "json": {"code": "throttled"}}
    stage.refuse("**/answer/", **throttled)
    stage.ask()
    stage.press("1", "f")
    expect(stage.page.locator("#waiting")).not_to_be_empty()


def press_too_soon(stage: Stage) -> None:
    stage.ask()
    stage.page.evaluate("""() => new MutationObserver(() => document.activeElement.dispatchEvent(
      new KeyboardEvent("keydown", {key: "n", code: "KeyN", bubbles: true, cancelable: true})))
      .observe(document.getElementById("stage"), {childList: true})""")
    stage.press("s")
    expect(stage.page.locator("#note")).not_to_be_empty()


def not_counted(stage: Stage) -> None:
    stage.refuse("**/answer/", status=409, json={"code": "answered", "detail": ""})
    stage.ask()
    stage.press("n")
    expect(stage.page.locator("#note")).not_to_be_empty()


def not_undone(stage: Stage) -> None:
    stage.refuse("**/undo/", status=409, json={"code": "too_late", "detail": ""})
    stage.ask()
    stage.answer("n")
    stage.press("z")
    expect(stage.page.locator("#note")).not_to_be_empty()


def _refused(status: int, code: str | None):
    def show(stage: Stage) -> None:
        body = {"code": code, "detail": "Something that the server says."} if code else {}
        stage.refuse(ISSUE, status=status, json=body)
        stage.go("/take-part/shapes/?kind=grid")
        _panel(stage)

    return show


STATES = {
    "nothing left": nothing_left,
    "still nothing left": nothing_left_still,
    "nothing left after answers": nothing_left_after_answers,
    "nothing left without pictures": nothing_left_without_pictures,
    "answers that wait": answers_wait,
    "offline": offline,
    "working offline": work_offline,
    "a browser that keeps nothing": offline_not_possible,
    "expired": expired,
    "asking too fast": asks_too_fast,
    "answering too fast": answers_too_fast,
    "a press too soon": press_too_soon,
    "an answer that did not count": not_counted,
    "an answer that was not taken back": not_undone,
    "a server in trouble": _refused(500, "broken"),
    "a page that is out of date": _refused(403, None),
    "closed meanwhile": _refused(403, "closed"),
    "private meanwhile": _refused(403, "private"),
    "too many newcomers": _refused(403, "newcomers"),
    "gone meanwhile": _refused(404, "not_found"),
    "refused": _refused(400, "invalid"),
}
