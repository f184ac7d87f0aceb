"""Two models' pictures side by side: what is drawn, what is shown, what has gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse

from labeling import stored_folders
from labeling.models import Project
from tests.pictures import plain
from tests.training.studio import lose, store
from training import side_by_side, tasks
from training.models import Generation, Model, Run, Sample

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from playwright.sync_api import Page
    from pytest_django.live_server_helper import LiveServer

SignIn = Callable[[str], Client]
COMPARE = "/projects/shapes/compare/"
API = "/api/v1/projects/shapes/comparison/"


@pytest.fixture(autouse=True)
def woken(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    enqueued: list[object] = []
    monkeypatch.setattr(
        tasks, "enqueue_on_commit", lambda task, *arguments: enqueued.extend(arguments)
    )
    return enqueued


def draw(model: Model, prompt: str, *, seed: int = 0, count: int = 2) -> Generation:
    generation = Generation.objects.create(
        model=model, prompt=prompt, seed=seed, count=count, state="succeeded", progress=1.0
    )
    for number in range(count):
        name = default_storage.save(f"samples/{generation.pk}-{number}.png", ContentFile(plain()))
        Sample.objects.create(generation=generation, file=name, seed=seed + number)
    return generation


def text(client: Client, address: str = COMPARE, **query: object) -> str:
    return client.get(address, query).content.decode()


def test_the_candidate_and_the_current_model_are_compared_at_first(
    ada_client: Client, judged: Model
) -> None:
    current = Model.objects.get(current=True)
    page = text(ada_client)
    assert f'value="{judged.pk}" selected' in page and f'value="{current.pk}" selected' in page
    assert "a circle\na square" in page and "0 of 4 drawn" in page and "Not drawn yet." in page
    assert "It cannot be &lt;judged&gt;: not promoted" in page
    assert "how well pictures fit their words" in page


def test_what_is_missing_is_requested_once_for_both(
    ada_client: Client, judged: Model, woken: list[object], ada: User
) -> None:
    current = Model.objects.get(current=True)
    draw(judged, "a circle")
    wish = {
        "model": judged.pk,
        "other": current.pk,
        "prompts": "a circle\r\n\r\na frog\r\na circle",
    }
    for _ in range(2):  # the second time nothing is missing
        response = ada_client.post(COMPARE, wish | {"seed": 0, "count": 2})
        assert response.status_code == 302
    queued = Generation.objects.filter(state="queued")
    assert {(g.model, g.prompt, g.seed, g.count) for g in queued} == {
        (judged, "a frog", 0, 2),
        (current, "a circle", 0, 2),
        (current, "a frog", 0, 2),
    }
    assert {g.requested_by for g in queued} == {ada} and len(woken) == 3
    page = text(ada_client, response["Location"])
    assert "1 of 4 drawn, 3 under way" in page and "Waits to be drawn." in page


def test_pairs_are_shown_as_they_come(ada_client: Client, judged: Model) -> None:
    current = Model.objects.get(current=True)
    query = {"model": judged.pk, "other": current.pk, "prompts": "a frog", "count": 2}
    Generation.objects.create(
        model=judged, prompt="a frog", count=2, state="running", progress=0.25
    )
    done = draw(current, "a frog", count=4)
    live = ada_client.get(f"{COMPARE}live/", query).json()
    (row,) = live["rows"]
    assert (live["drawn"], live["of"], live["unfinished"]) == (1, 2, 1)
    assert row["model"]["note"] == "Being drawn: 25%." and row["model"]["pictures"] == []
    assert len(row["other"]["pictures"]) == 2 and str(done.pk) in row["other"]["pictures"][0]
    picture = ada_client.get(row["other"]["pictures"][0])
    assert b"".join(picture).startswith(b"\x89PNG")


def test_a_model_without_files_shows_what_it_drew_and_draws_no_more(
    ada_client: Client, judged: Model
) -> None:
    lose(judged)
    current = Model.objects.get(current=True)
    draw(judged, "a circle")
    wish = {"model": judged.pk, "other": current.pk, "prompts": "a circle\na frog"}
    ada_client.post(COMPARE, wish)
    assert not Generation.objects.filter(model=judged, state="queued").exists()
    assert Generation.objects.filter(model=current, state="queued").count() == 2
    page = text(ada_client, **wish)
    assert "it draws nothing new" in page and "1 of 4 drawn" in page


def test_a_failed_drawing_says_why_and_is_drawn_again(ada_client: Client, judged: Model) -> None:
    current = Model.objects.get(current=True)
    draw(current, "a frog")
    Generation.objects.create(
        model=judged, prompt="a frog", count=2, state="failed", error="Too <little> memory."
    )
    wish = {"model": judged.pk, "other": current.pk, "prompts": "a frog"}
    assert "Too &lt;little&gt; memory." in text(ada_client, **wish)
    ada_client.post(COMPARE, wish)
    assert Generation.objects.filter(model=judged, state="queued").count() == 1


def test_models_that_draw_nothing_show_figures_alone(ada_client: Client, judged: Model) -> None:
    Model.objects.update(recipe="clip")
    page = text(ada_client)
    assert "draw nothing: there are figures alone" in page and "Draw what is missing" not in page


def test_the_last_pictures_of_both_runs_are_shown_where_their_prompts_are_the_same(
    ada_client: Client, judged: Model
) -> None:
    old = Model.objects.get(current=True).run
    Run.objects.filter(pk=old.pk).update(folder=(copy := f"{judged.run.folder}-old"))
    stored_folders.put(stored_folders.fetch(judged.run.folder), copy)
    page = text(ada_client)
    for run in (judged.run, old):
        assert reverse("project-run-sample", args=["shapes", run.pk, "000500.png"]) in page
    store({"prompts.json": '["something else"]'}, name=copy)
    assert "000500.png" not in text(ada_client)


def test_one_model_cannot_be_compared(ada_client: Client, judged: Model) -> None:
    Model.objects.exclude(pk=judged.pk).delete()
    assert "There is no pair of models" in text(ada_client)
    assert ada_client.get(API).status_code == 404


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"prompts": "\n".join(f"thing {n}" for n in range(9))}, "At most 8 prompts"),
        ({"prompts": "x" * 501}, "at most 500 characters"),
        ({"prompts": "a frog", "count": 5}, "From 1 to 4 pictures"),
        ({"prompts": "a frog", "count": 0}, "From 1 to 4 pictures"),
        ({"prompts": "a frog", "seed": 2**31}, "seed must be from"),
    ],
)
def test_a_wrong_wish_is_refused_and_keeps_what_was_typed(
    ada_client: Client, judged: Model, fields: dict[str, object], complaint: str
) -> None:
    response = ada_client.post(COMPARE, fields)
    page = response.content.decode()
    assert response.status_code == 400 and complaint in page
    assert str(fields["prompts"]).splitlines()[0] in page
    assert not Generation.objects.exists()


def test_a_comparison_may_request_more_than_the_studio_but_not_without_end(
    ada_client: Client, judged: Model
) -> None:
    for first in (0, 8):
        prompts = "\n".join(f"thing {n}" for n in range(first, first + 8))
        response = ada_client.post(COMPARE, {"prompts": prompts})
    assert response.status_code == 400 and "waiting already" in response.content.decode()
    assert Generation.objects.count() == 16


def test_another_projects_models_are_not_compared(ada_client: Client, judged: Model) -> None:
    moon = Project.objects.create(slug="moon", name="Moon")
    run = Run.objects.create(project=moon, recipe="diffusion")
    other = Model.objects.create(project=moon, run=run, recipe="diffusion")
    assert f'value="{other.pk}"' not in text(ada_client, model=other.pk)
    status = ada_client.get(API, {"model": other.pk, "other": judged.pk}).status_code
    assert status == 404
    with pytest.raises(side_by_side.GenerationError, match="two projects"):
        side_by_side.of(judged, other, prompts=["a frog"])


def test_who_may_look_sees_pairs_and_draws_none(member: SignIn, judged: Model) -> None:
    viewer = member("viewer")
    page = text(viewer)
    assert (
        "Draw what is missing" not in page
        and "csrfmiddlewaretoken" not in page.split('id="main"')[1]
    )
    assert viewer.post(COMPARE, {"prompts": "a frog"}).status_code == 403
    assert viewer.get(f"{COMPARE}live/").status_code == 200
    assert viewer.post(API, {}, content_type="application/json").status_code == 403
    assert member("annotator").get(COMPARE).status_code == 404
    assert member("trainer").post(COMPARE, {"prompts": "a frog"}).status_code == 302


def test_the_api_compares_too(ada_client: Client, judged: Model) -> None:
    current = Model.objects.get(current=True)
    wish = {"model": judged.pk, "other": current.pk, "prompts": ["a frog"], "seed": 3, "count": 1}
    body = ada_client.post(API, wish, content_type="application/json").json()
    assert (body["drawn"], body["of"], body["unfinished"]) == (0, 2, 2)
    draw(judged, "a frog", seed=3, count=1)
    body = ada_client.get(API, wish).json()
    assert body["drawn"] == 1 and body["seeds"] == [3]
    response = ada_client.post(API, wish | {"other": judged.pk}, content_type="application/json")
    assert response.status_code == 400 and "two different" in response.json()["detail"]


@pytest.mark.django_db(transaction=True)
def test_the_page_shows_pictures_as_they_are_drawn(
    live_server: LiveServer, judged: Model, ada: User, page: Page
) -> None:
    from tests.browser import sign_in

    current = Model.objects.get(current=True)
    draw(current, "a frog")
    waiting = Generation.objects.create(model=judged, prompt="a frog", count=2, state="queued")
    sign_in(page, ada, live_server.url)
    query = f"?model={judged.pk}&other={current.pk}&prompts=a+frog"
    page.goto(f"{live_server.url}{COMPARE}{query}")
    page.get_by_text("1 of 2 drawn, 1 under way.").wait_for()
    waiting.delete()
    draw(judged, "a frog")
    page.get_by_text("2 of 2 drawn.").wait_for()
    assert page.locator('[data-side="model"] img').count() == 2
