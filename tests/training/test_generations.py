"""Requests for samples: executed, shown, refused, put before people."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.utils import timezone

from labeling.models import Image, Question
from tests.pictures import decoded
from tests.training.studio import ADDRESS, lose, request
from training import generation_requests, generations, tasks
from training.api.generations import GenerationThrottle
from training.models import Generation, Model

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import SettingsWrapper

State = Generation.State


pytestmark = pytest.mark.usefixtures("stand_in")


def picture_size(client: Client, address: str) -> tuple[int, int]:
    response = client.get(address)
    assert response["Content-Type"] == "image/png"
    return decoded(b"".join(response)).size


def test_a_visitor_requests_samples_and_a_worker_generates_them(
    client: Client, model: Model
) -> None:
    asked = request(client, project="shapes", prompt=" a red circle ", count=2, seed=7, guidance=3)
    assert (asked["status"], asked["state"], asked["samples"]) == (201, "queued", [])
    tasks.generate(str(asked["id"]))
    drawn = client.get(f"{ADDRESS}{asked['id']}/").json()
    assert drawn["state"] == "succeeded" and drawn["prompt"] == "a red circle"
    assert [picture["seed"] for picture in drawn["samples"]] == [7, 8]
    for picture in drawn["samples"]:
        assert picture_size(client, picture["url"]) == (64, 64)
        assert picture_size(client, picture["nearest_url"]) == (32, 32)
    assert client.get(f"{ADDRESS}{asked['id']}/samples/3/").status_code == 404
    assert client.get(f"{ADDRESS}{asked['id']}/samples/1/nearest/2/").status_code == 404


def test_no_prompt_is_the_models_own_guess(client: Client, model: Model) -> None:
    asked = request(client)
    tasks.generate(str(asked["id"]))
    assert Generation.objects.get().state == State.SUCCEEDED


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"count": 0}, "count"),
        ({"count": 17}, "count"),
        ({"count": "many"}, "count"),
        ({"seed": -1}, "seed"),
        ({"seed": 10**30}, "seed"),
        ({"guidance": 1e9}, "guidance"),
        ({"guidance": "much"}, "guidance"),
        ({"kind": "film"}, "film"),
        ({"kind": "interpolation"}, "nothing would change"),
        ({"kind": "interpolation", "second_seed": 1, "count": 1}, "at least two"),
        ({"kind": "interpolation", "second_prompt": "a\0b"}, "second_prompt"),
        ({"kind": "interpolation", "second_prompt": "x" * 501}, "second_prompt"),
        ({"kind": "interpolation", "second_seed": -1}, "second_seed"),
        ({"kind": "inpainting", "example": 1}, "the recipe autoregressive"),
        ({"prompt": "x" * 501}, "prompt"),
        ({"prompt": ["a"]}, "prompt"),
        ({"prompt": "two\nlines"}, "one line"),
        ({"prompt": "a\0b"}, "prompt"),
        ({"model": 10**30}, "model"),
        ({"model": 4711}, "model"),
        ({"model": True}, "model"),
        ({"project": "moon"}, "no model that draws this yet"),
        ({"project": "a b"}, "project"),
    ],
)
def test_a_wrong_request_is_refused(
    client: Client, model: Model, fields: dict[str, object], message: str
) -> None:
    answer = request(client, **fields)
    assert answer["status"] == 400 and answer["code"] == "invalid"
    assert message in str(answer["detail"])
    assert not Generation.objects.exists()


def test_noise_is_refused(client: Client, model: Model) -> None:
    response = client.post(ADDRESS, b"\x00\xff[", content_type="application/json")
    assert response.status_code == 400 and response.json()["code"] == "invalid"
    assert client.get(f"{ADDRESS}00000000-0000-0000-0000-000000000000/").status_code == 404


def test_the_queue_has_an_end(client: Client, model: Model, settings: SettingsWrapper) -> None:
    settings.GENERATION_QUEUE_LIMIT = 2
    assert [request(client)["status"] for _ in range(3)] == [201, 201, 429]
    assert request(client)["code"] == "throttled"


def test_one_address_may_not_request_without_end(
    client: Client, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GenerationThrottle, "most", 2)
    answers = [request(client) for _ in range(3)]
    assert [answer["status"] for answer in answers] == [201, 201, 429]
    assert answers[2]["code"] == "throttled"


def test_a_failed_generation_says_why(client: Client, model: Model) -> None:
    asked = request(client, prompt="explode")
    tasks.generate(str(asked["id"]))
    shown = client.get(f"{ADDRESS}{asked['id']}/").json()
    assert shown["state"] == "failed" and shown["error"] == "That is too dangerous."


def test_a_vanished_model_says_what_to_do(model: Model) -> None:
    lose(model)
    generation = generation_requests.create(model=model, prompt="x")
    tasks.generate(str(generation.pk))
    generation.refresh_from_db()
    assert generation.state == State.FAILED and "train another model" in generation.error


def test_a_generation_is_executed_once_and_again_when_its_worker_was_lost(model: Model) -> None:
    generation = generation_requests.create(model=model, prompt="x")
    lost = timezone.now() - timedelta(seconds=1)
    Generation.objects.update(state=State.RUNNING, lease_until=lost, attempts=1)
    assert generations.execute(generation_id=generation.pk) is None
    assert generations.sweep() == [generation.pk]
    assert generations.execute(generation_id=generation.pk)
    assert generation.samples.count() == 4
    Generation.objects.update(state=State.RUNNING, lease_until=lost, attempts=3)
    assert generations.sweep() == []
    generation.refresh_from_db()
    assert generation.state == State.FAILED


def test_a_generation_that_was_cancelled_while_its_worker_was_lost_is_not_executed(
    model: Model,
) -> None:
    generation_requests.create(model=model, prompt="x")
    lost = timezone.now() - timedelta(seconds=1)
    Generation.objects.update(state=State.RUNNING, lease_until=lost, cancel_requested=True)
    assert generations.sweep() == []
    assert Generation.objects.get().state == State.CANCELLED


@pytest.mark.parametrize(("prompt", "kind"), [("A Circle", "concept"), ("a moon", "caption")])
def test_staff_ask_people_about_samples(
    client: Client, model: Model, ada: User, prompt: str, kind: str
) -> None:
    asked = request(client, prompt=prompt, count=2)
    address = f"{ADDRESS}{asked['id']}/ask/"
    assert client.post(address).status_code == 401
    client.force_login(ada)
    assert client.post(address).status_code == 409  # nothing is drawn yet
    tasks.generate(str(asked["id"]))
    assert client.post(address).json() == {"questions": 2}
    assert client.post(address).json() == {"questions": 0}
    drawn = Image.objects.filter(generated=True)
    assert {image.prompt for image in drawn} == {prompt}
    assert {q.kind for q in Question.objects.filter(tile__image__in=drawn)} == {kind}
    assert all(p["asked"] for p in client.get(f"{ADDRESS}{asked['id']}/").json()["samples"])
