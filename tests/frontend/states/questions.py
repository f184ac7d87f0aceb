"""The states of the challenge screen while it asks."""

import json
import time

from playwright.sync_api import Route, expect

from tests.frontend.states.stage import ISSUE, Stage


def _kind(kind: str):
    def ask(stage: Stage) -> None:
        stage.ask(kind)

    return ask


def selected(stage: Stage) -> None:
    stage.ask()
    stage.press("1", "5", "ArrowDown")
    expect(stage.page.locator('.tile[aria-pressed="true"]')).to_have_count(2)


def parts_selected(stage: Stage) -> None:
    stage.ask("split")
    stage.press("1", "2", "l", "ArrowDown")


def nothing_selected(stage: Stage) -> None:
    stage.ask()
    stage.press("f")
    expect(stage.page.locator("#note")).not_to_be_empty()


def sentence_chosen(stage: Stage) -> None:
    stage.ask("text")
    stage.press("2")
    expect(stage.page.locator("input:checked")).to_have_count(1)


def sentence_written(stage: Stage) -> None:
    stage.ask("write")
    stage.page.locator("textarea#sentence").fill("one two three four five six " * 10)


def loading(stage: Stage) -> None:
    stage.page.route(ISSUE, lambda route: None)
    stage.go("/take-part/shapes/?kind=grid")
    expect(stage.page.locator("#ask")).to_have_attribute("data-mode", "loading")


def strip_with_undo(stage: Stage) -> None:
    stage.ask()
    stage.answer("1", "3", "f")


def undone(stage: Stage) -> None:
    strip_with_undo(stage)
    with stage.page.expect_response("**/undo/"):
        stage.press("z")
    expect(stage.page.locator('.tile[aria-pressed="true"]')).to_have_count(2)


def _results(stage: Stage, kind: str) -> None:
    others = [{"yes": 3, "no": 1}, {"yes": 0, "no": 12}, {"yes": 2, "no": 2}, None]
    tiles = [
        {
            "number": number,
            "selected": number == 1,
            "others": others[number % 4],
            "model": [True, False, None][number % 3],
            "state": "open",
        }
        for number in range(1, 17)
    ]
    message = "Marks that are not told yet are told a day later, on the page of your own answers."
    stage.refuse("**/result/", json={"tiles": tiles, "message": message})
    stage.change_for_good().clock.install()
    stage.ask(kind)
    stage.answer("1", "f")
    stage.page.clock.fast_forward(10_500)
    expect(stage.page.locator("#strip.known")).to_be_visible()


def strip_with_results(stage: Stage) -> None:
    _results(stage, "grid")


def strip_of_parts_with_results(stage: Stage) -> None:
    _results(stage, "split")


def skip_for_a_reason(stage: Stage) -> None:
    stage.ask()
    stage.press("Shift+S")
    expect(stage.page.locator("#skip-dialog")).to_be_visible()


def report_mode(stage: Stage) -> None:
    stage.ask()
    stage.press("r")
    expect(stage.page.locator("#note")).not_to_be_empty()


def report_mode_of_sentences(stage: Stage) -> None:
    stage.ask("text")
    stage.press("r")
    expect(stage.page.locator("#note")).not_to_be_empty()


def report(stage: Stage) -> None:
    report_mode(stage)
    stage.press("2")
    expect(stage.page.locator("#report-dialog")).to_be_visible()


def report_not_sent(stage: Stage) -> None:
    stage.refuse("**/flag/", status=500, body="")
    report(stage)
    stage.press("Space", "Enter")
    expect(stage.page.locator("#report-dialog [role=alert]")).not_to_be_empty()


def reported(stage: Stage) -> None:
    report(stage)
    stage.press("Space", "Enter")
    expect(stage.page.locator("[data-reported]")).to_have_count(1)


def help_without_guide(stage: Stage) -> None:
    stage.ask("verify")
    stage.press("?")
    expect(stage.page.locator("#help")).to_be_visible()


def help_with_guide(stage: Stage) -> None:
    stage.explain()
    guide(stage)
    stage.press("Enter")
    stage.expect_mode("grid")
    stage.press("?")
    expect(stage.page.locator("#help-guide")).to_be_visible()


def guide(stage: Stage) -> None:
    stage.explain()
    stage.go("/take-part/shapes/?kind=grid")
    stage.expect_mode("guide")


def practice(stage: Stage) -> None:
    stage.project.__class__.objects.update(practice_questions=3)
    stage.go("/take-part/shapes/?kind=grid")
    stage.expect_mode("practice")


def feedback(stage: Stage) -> None:
    practice(stage)
    stage.press("y")
    stage.expect_mode("feedback")


def feedback_with_guide(stage: Stage) -> None:
    stage.explain()
    stage.project.__class__.objects.update(practice_questions=3)
    stage.go("/take-part/shapes/?kind=grid")
    stage.expect_mode("guide")
    stage.press("Enter")
    stage.expect_mode("practice")
    stage.press("n")
    stage.expect_mode("feedback")


def goal(stage: Stage) -> None:
    stage.ask()
    stage.page.locator("#sitting .button").first.click()
    expect(stage.page.locator("#sitting progress")).to_be_visible()


def goal_reached(stage: Stage) -> None:
    now = int(time.time() * 1000)
    chosen = {"kind": "pictures", "amount": 20, "from": -20}
    sitting = {"answers": 0, "labels": 0, "start": now, "last": now, "goal": chosen}
    kept = f"localStorage.setItem('tessera.sitting.shapes', {json.dumps(json.dumps(sitting))})"
    stage.change_for_good().add_init_script(kept)
    stage.ask()
    expect(stage.page.locator("#sitting")).to_have_attribute("data-state", "reached")


def summary_of_nothing(stage: Stage) -> None:
    stage.ask()
    stage.page.locator("#sitting [aria-haspopup]").click()
    expect(stage.page.locator(".sitting-summary")).to_be_visible()


def summary(stage: Stage) -> None:
    stage.models.draw()
    stage.ask()
    stage.answer("n")
    stage.page.locator("#sitting [aria-haspopup]").click()
    expect(stage.page.locator(".sitting-summary .drawings img")).to_have_count(3)


def summary_offline(stage: Stage) -> None:
    stage.refuse("**/sitting/", status=503, body="")
    stage.ask()
    stage.answer("n")
    stage.page.locator("#sitting [aria-haspopup]").click()
    expect(stage.page.locator(".sitting-summary")).to_be_visible()


def preview(stage: Stage) -> None:
    stage.sign_in()
    stage.go("/projects/shapes/preview/?kind=grid")
    stage.expect_mode("grid")


def renamed(stage: Stage) -> None:
    """Ask for a word that is very long."""

    def rename(route: Route) -> None:
        response = route.fetch()
        challenge = response.json()
        long = f"{challenge['subject']} {challenge['subject']}"
        route.fulfill(status=201, json={**challenge, "subject": long})

    stage.page.route(ISSUE, rename)
    stage.ask()


STATES = {
    **{kind: _kind(kind) for kind in ("grid", "split", "verify", "write", "text")},
    "selected": selected,
    "parts selected": parts_selected,
    "nothing selected": nothing_selected,
    "a sentence chosen": sentence_chosen,
    "a sentence written": sentence_written,
    "a long word": renamed,
    "loading": loading,
    "a strip with undo": strip_with_undo,
    "taken back": undone,
    "a strip with results": strip_with_results,
    "a strip of parts with results": strip_of_parts_with_results,
    "skipping for a reason": skip_for_a_reason,
    "choosing what to report": report_mode,
    "choosing a sentence to report": report_mode_of_sentences,
    "a report": report,
    "a report that was not sent": report_not_sent,
    "reported": reported,
    "help": help_without_guide,
    "help with a guide": help_with_guide,
    "a guide": guide,
    "practice": practice,
    "feedback": feedback,
    "feedback with a guide": feedback_with_guide,
    "a goal": goal,
    "a goal that is reached": goal_reached,
    "the end of a sitting without answers": summary_of_nothing,
    "the end of a sitting": summary,
    "the end of a sitting offline": summary_offline,
    "a preview": preview,
}
