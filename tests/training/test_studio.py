"""The studio page in a browser: each of its states, and who uses it without a mouse."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from labeling import stored_folders
from tests.training.studio import make_model, make_quick
from training import generation_requests, generations, sampler_client, tasks
from training.models import Generation, Model

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper
    from pytest_django.live_server_helper import LiveServer

pytestmark = [
    pytest.mark.usefixtures("stand_in", "idle"),
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enqueue nothing, as if no worker were there: each test generates when it chooses to."""
    monkeypatch.setattr(tasks, "enqueue_on_commit", lambda task, *arguments, **options: None)


@pytest.fixture
def studio(live_server: LiveServer, model: Model, page: Page) -> Page:
    page.goto(f"{live_server.url}/draw/")
    return page


def draw_last() -> Generation:
    generation = Generation.objects.latest("created_at")
    generations.execute(generation_id=generation.pk)
    generation.refresh_from_db()
    return generation


def ask_for(page: Page, prompt: str) -> None:
    page.get_by_label("Prompt").fill(prompt)
    page.keyboard.press("Enter")


def test_a_person_draws_with_the_keyboard(studio: Page) -> None:
    ask_for(studio, "a blue square")
    expect(studio.get_by_role("status")).to_have_text("Waiting for a worker …")
    generation = draw_last()
    expect(studio.get_by_role("heading", name="“a blue square”")).to_be_visible()
    pictures = studio.get_by_alt_text(re.compile("^“a blue square”, picture"))
    expect(pictures).to_have_count(4)
    expect(pictures.nth(3)).to_be_visible()
    assert pictures.first.evaluate("image => image.clientWidth") == 192  # 3 × 64
    expect(studio.get_by_alt_text("The nearest training picture")).to_have_count(4)
    assert studio.url.endswith(f"prompt=a+blue+square&count=4&seed=0#{generation.pk}")


def test_while_somebody_types_a_draft_is_drawn(
    live_server: LiveServer, model: Model, page: Page
) -> None:
    make_quick(model)
    page.goto(f"{live_server.url}/draw/")
    with page.expect_response(lambda response: response.request.method == "POST"):
        page.get_by_label("Prompt").press_sequentially("a blue")
    assert draw_last().draft
    status = page.get_by_role("status")
    expect(status).to_contain_text("A draft, while you type")
    expect(page.get_by_alt_text(re.compile("^“a blue”, picture"))).to_have_count(4)
    expect(page.get_by_role("button", name="Draw others")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(status).to_have_text("Waiting for a worker …")
    assert not draw_last().draft
    expect(page.get_by_role("button", name="Draw others")).to_be_visible()
    page.get_by_label("Draw while I type").uncheck()
    page.get_by_label("Prompt").press_sequentially(" square")
    page.wait_for_timeout(600)  # twice as long as it waits for the next key
    assert Generation.objects.filter(draft=True).count() == 1


def test_its_address_brings_a_drawing_and_its_settings_back(studio: Page) -> None:
    ask_for(studio, "a blue square")
    expect(studio.get_by_role("status")).to_have_text("Waiting for a worker …")
    draw_last()
    studio.reload()
    expect(studio.get_by_role("heading", name="“a blue square”")).to_be_visible()
    expect(studio.get_by_label("Prompt")).to_have_value("a blue square")
    studio.get_by_role("button", name="Draw others").click()
    expect(studio.get_by_role("status")).to_have_text("Waiting for a worker …")
    assert set(Generation.objects.values_list("seed", flat=True)) == {0, 4}


def test_a_shared_address_fills_the_form_and_draws_nothing(
    live_server: LiveServer, model: Model, page: Page
) -> None:
    page.goto(
        f"{live_server.url}/draw/?kind=interpolation&prompt=a+frog&second_prompt=a+cat&seed=3&count=x"
    )
    expect(page.get_by_label("At its one end")).to_have_value("a frog")
    expect(page.get_by_label("… and at its other end")).to_have_value("a cat")
    assert not Generation.objects.exists()


def test_a_strip_is_drawn_between_two_prompts(studio: Page) -> None:
    studio.get_by_role("radio", name="A strip").press("Space")
    studio.get_by_label("At its one end").fill("a frog")
    studio.get_by_label("… and at its other end").fill("a cat")
    studio.keyboard.press("Enter")
    expect(studio.get_by_role("status")).to_have_text("Waiting for a worker …")
    draw_last()
    expect(studio.get_by_role("heading", name="“a frog” to “a cat”")).to_be_visible()
    expect(studio.locator(".strip .sample-image")).to_have_count(8)


def test_the_lower_half_of_a_given_picture_is_drawn(
    live_server: LiveServer, completing: Model, page: Page
) -> None:
    page.goto(f"{live_server.url}/draw/?model={completing.pk}")
    page.get_by_role("radio", name="A lower half").press("Space")
    page.get_by_role("radio", name="Picture 1 of the project").press("Space")
    page.get_by_role("button", name="Draw", exact=True).click()
    expect(page.get_by_role("status")).to_have_text("Waiting for a worker …")
    assert draw_last().kind == "inpainting"
    expect(page.get_by_role("heading", name="Completed")).to_be_visible()
    expect(page.get_by_alt_text("The picture whose upper half was given")).to_be_visible()


def test_the_other_half_of_ones_own_picture_is_drawn(
    live_server: LiveServer, model: Model, page: Page
) -> None:
    assert model.run.snapshot
    pairs = make_model(model.run.snapshot, recipe="pairs")
    page.goto(f"{live_server.url}/draw/?model={pairs.pk}")
    expect(page.get_by_role("radio", name="Pictures")).to_be_hidden()
    picture = stored_folders.fetch(model.run.snapshot.folder) / "train" / "seen.png"
    page.locator("[name=upload]").set_input_files(picture)
    expect(page.get_by_alt_text("Your picture")).to_be_visible()
    page.get_by_role("button", name="Draw", exact=True).press("Enter")
    expect(page.get_by_role("status")).to_have_text("Waiting for a worker …")
    assert draw_last().kind == "translation"
    expect(page.get_by_role("heading", name="Other half")).to_be_visible()
    expect(page.locator(".sample").get_by_alt_text("The picture that was given")).to_be_visible()
    page.reload()  # which forgets the file
    page.get_by_role("button", name="Draw others").click()  # of the picture that was given
    expect(page.get_by_role("status")).to_have_text("Waiting for a worker …")
    assert draw_last().source_image


def test_it_says_how_far_it_is_and_a_drawing_is_cancelled(studio: Page) -> None:
    ask_for(studio, "a frog")
    expect(studio.get_by_role("status")).to_have_text("Waiting for a worker …")
    Generation.objects.update(state="running", progress=0.5)
    expect(studio.get_by_role("status")).to_have_text("Drawing …")
    expect(studio.get_by_role("progressbar", name="Drawing")).to_have_js_property("value", 0.5)
    Generation.objects.update(state="queued")
    studio.get_by_role("button", name="Cancel").press("Enter")
    expect(studio.get_by_role("status")).to_have_text("Cancelled: nothing was drawn.")
    expect(studio.get_by_role("button", name="Cancel")).to_be_hidden()
    expect(studio.get_by_label("Prompt")).to_be_focused()


def test_it_says_why_nothing_was_drawn(studio: Page) -> None:
    ask_for(studio, "explode")
    expect(studio.get_by_role("status")).to_have_text("Waiting for a worker …")
    draw_last()
    message = "It was not drawn. That is too dangerous."
    expect(studio.get_by_role("status")).to_have_text(message)


def test_it_says_that_the_queue_is_full(studio: Page, settings: SettingsWrapper) -> None:
    settings.GENERATION_QUEUE_LIMIT = 1
    generation_requests.create(model=Model.objects.get(), prompt="x")
    ask_for(studio, "a frog")
    expect(studio.get_by_role("status")).to_contain_text("The queue is full, with 1 waiting")


def test_it_says_how_many_are_before(studio: Page) -> None:
    generation_requests.create(model=Model.objects.get(), prompt="x")
    ask_for(studio, "a frog")
    expect(studio.get_by_role("status")).to_have_text("1 drawing is before yours …")


def test_offline_it_keeps_trying_and_shows_what_was_drawn(studio: Page) -> None:
    studio.context.set_offline(True)
    ask_for(studio, "a frog")
    expect(studio.get_by_role("status")).to_contain_text("Nothing was sent")
    studio.context.set_offline(False)
    studio.keyboard.press("Enter")
    expect(studio.get_by_role("status")).to_have_text("Waiting for a worker …")
    studio.context.set_offline(True)
    expect(studio.get_by_role("status")).to_contain_text("trying again")
    draw_last()
    studio.context.set_offline(False)
    expect(studio.get_by_role("heading", name="“a frog”")).to_be_visible()


def test_what_was_drawn_before_is_a_press_away(studio: Page) -> None:
    for prompt in ("one", "two"):
        ask_for(studio, prompt)
        expect(studio.get_by_role("status")).to_have_text("Waiting for a worker …")
        draw_last()
        expect(studio.get_by_role("heading", name=f"“{prompt}”")).to_be_visible()
    studio.get_by_role("button", name="“one”").press("Enter")
    expect(studio.get_by_role("heading", name="“one”")).to_be_visible()
    expect(studio.get_by_label("Prompt")).to_have_value("one")
    studio.go_back()
    expect(studio.get_by_role("heading", name="“two”")).to_be_visible()


def test_a_model_that_is_not_current_is_marked(
    live_server: LiveServer, model: Model, page: Page
) -> None:
    assert model.run.snapshot
    old = make_model(model.run.snapshot, recipe="gan", current=False)
    Model.objects.filter(pk=old.pk).update(accepted=True)  # it was current before
    page.goto(f"{live_server.url}/draw/")
    page.get_by_text("Model, number, seed, guidance").click()
    choice = page.get_by_label("Model", exact=True)
    expect(choice.locator("option")).to_have_text(
        [f"diffusion no. {model.pk} · Shapes", f"gan no. {old.pk} · Shapes (not current)"]
    )
    choice.select_option(str(old.pk))
    expect(page.get_by_text("It is not the current model")).to_be_visible()
    ask_for(page, "a frog")
    expect(page.get_by_role("status")).to_have_text("Waiting for a worker …")
    assert Generation.objects.get().model == old


@pytest.mark.usefixtures("model")
def test_a_prompt_is_shown_as_it_is_written(studio: Page) -> None:
    ask_for(studio, "<img src=x onerror=alert(1)>")
    expect(studio.get_by_role("status")).to_have_text("Waiting for a worker …")
    draw_last()
    heading = studio.get_by_role("heading", name="“<img src=x onerror=alert(1)>”")
    expect(heading).to_be_visible()


def test_a_drawing_that_is_gone_is_said_to_be(
    live_server: LiveServer, model: Model, page: Page
) -> None:
    page.goto(f"{live_server.url}/draw/#00000000-0000-0000-0000-000000000000")
    expect(page.get_by_role("status")).to_have_text("There is nothing here by that name.")
    sampler_client.close()
