"""Interpolations, inpainting, cancelled generations, and child processes that die."""

from __future__ import annotations

import errno
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.utils import timezone
from PIL import Image as Pillow

from tests.pictures import decoded, plain
from tests.training.studio import ADDRESS, make_model, request
from tests.waiting import wait_until
from training import generation_requests, generations, generators, sampler_client, tasks
from training.models import Generation, Model

if TYPE_CHECKING:
    from pathlib import Path

    from django.contrib.auth.models import User

State = Generation.State

pytestmark = pytest.mark.usefixtures("stand_in")


def drawn(client: Client, **fields: object) -> dict[str, object]:
    asked = request(client, **fields)
    assert asked["status"] == 201, asked
    tasks.generate(str(asked["id"]))
    found: dict[str, object] = client.get(f"{ADDRESS}{asked['id']}/").json()
    return found


def upload(client: Client, model: Model, data: bytes) -> dict[str, object]:
    file = SimpleUploadedFile("../../picture.png", data)
    fields = {"kind": "inpainting", "model": model.pk, "source_image": file, "count": "2"}
    response = client.post(ADDRESS, fields)
    return {"status": response.status_code} | response.json()


def test_an_interpolation_goes_from_one_prompt_to_another(client: Client, model: Model) -> None:
    interpolation = drawn(
        client,
        kind="interpolation",
        prompt="a frog",
        second_prompt="a cat",
        count=5,
        seed=1,
        second_seed=9,
    )
    assert interpolation["state"] == "succeeded", interpolation["error"]
    assert len(interpolation["samples"]) == 5  # type: ignore[arg-type]
    assert str(Generation.objects.get()) == "a frog → a cat"


def test_an_interpolation_needs_only_another_seed(client: Client, model: Model) -> None:
    interpolation = drawn(client, kind="interpolation", prompt="a frog", second_seed=9)
    assert (interpolation["second_prompt"], interpolation["second_seed"]) == ("a frog", 9)


def test_people_are_asked_about_the_ends_of_an_interpolation(
    client: Client, model: Model, ada: User
) -> None:
    interpolation = drawn(client, kind="interpolation", prompt="a frog", second_prompt="", count=5)
    client.force_login(ada)
    assert client.post(f"{ADDRESS}{interpolation['id']}/ask/").json() == {"questions": 1}
    shown = client.get(f"{ADDRESS}{interpolation['id']}/").json()
    assert [one["asked"] for one in shown["samples"]] == [True] + 4 * [False]


def test_a_picture_of_the_project_is_completed(client: Client, completing: Model) -> None:
    done = drawn(client, kind="inpainting", model=completing.pk, example=1, count=2)
    assert done["state"] == "succeeded", done["error"]
    given = client.get(str(done["source_image_url"]))
    assert decoded(b"".join(given)).size == (32, 32)


def test_a_drawn_picture_is_completed(client: Client, completing: Model) -> None:
    first = drawn(client, model=completing.pk)
    fields = {"kind": "inpainting", "model": completing.pk, "generation": first["id"]}
    assert drawn(client, **fields, number=4)["state"] == "succeeded"
    assert request(client, **fields, number=5)["status"] == 400
    stranger = "00000000-0000-0000-0000-000000000000"
    assert request(client, **fields | {"generation": stranger})["status"] == 400
    assert request(client, **fields | {"generation": "../../etc"})["status"] == 400


def test_an_uploaded_picture_is_completed(client: Client, completing: Model) -> None:
    asked = upload(client, completing, plain())
    assert asked["status"] == 201, asked
    tasks.generate(str(asked["id"]))
    generation = Generation.objects.get()
    assert generation.state == State.SUCCEEDED, generation.error
    assert generation.source_image.name == f"source-images/{generation.pk}.webp"


def test_an_upload_that_is_no_picture_is_refused(client: Client, completing: Model) -> None:
    for data in (b"", b"GIF89a", b"<svg/>" * 99, plain()[:60], plain((5000, 4000))):
        refused = upload(client, completing, data)
        assert refused["status"] == 400, data[:9]
    huge = upload(
        client, completing, b"\x89PNG" + bytes(generation_requests.SOURCE_IMAGE_BYTES + 2**20)
    )
    assert huge["status"] == 413
    assert not Generation.objects.exists()


def test_inpainting_without_a_picture_is_refused(client: Client, completing: Model) -> None:
    refused = request(client, kind="inpainting", model=completing.pk)
    assert refused["status"] == 400 and "Give a picture" in str(refused["detail"])
    assert request(client, kind="inpainting", model=completing.pk, example=99)["status"] == 400


def test_examples_are_few_and_their_numbers_cannot_be_forged(
    client: Client, completing: Model
) -> None:
    address = f"/api/v1/models/{completing.pk}/examples/"
    assert b"".join(client.get(f"{address}1/"))
    for number in ("0", "2", "9" * 30, "x", "-1", "../1"):
        assert client.get(f"{address}{number}/").status_code == 404


def test_a_clip_model_generates_nothing(client: Client, model: Model, tmp_path: Path) -> None:
    snapshot = model.run.snapshot
    assert snapshot
    clip = make_model(snapshot, recipe="clip")
    assert request(client, model=clip.pk)["status"] == 400
    with pytest.raises(generation_requests.GenerationError, match="draws no pictures"):
        generation_requests.create(model=clip)


def test_a_model_that_is_not_current_generates_too(
    client: Client, model: Model, tmp_path: Path
) -> None:
    snapshot = model.run.snapshot
    assert snapshot
    old = make_model(snapshot, recipe="gan", current=False)
    Model.objects.filter(pk=old.pk).update(accepted=True)  # it was current before
    assert drawn(client, model=old.pk)["state"] == "succeeded"
    assert [one.pk for one in generators.all_models()] == [model.pk, old.pk]


def test_a_queued_generation_is_cancelled_by_whom_it_belongs_to(
    client: Client, model: Model
) -> None:
    asked = request(client, prompt="x")
    assert asked["may_cancel"] is True
    mallory = Client()
    assert mallory.get(f"{ADDRESS}{asked['id']}/").json()["may_cancel"] is False
    assert mallory.post(f"{ADDRESS}{asked['id']}/cancel/").status_code == 403
    assert client.post(f"{ADDRESS}{asked['id']}/cancel/").json()["state"] == "cancelled"
    assert client.post(f"{ADDRESS}{asked['id']}/cancel/").status_code == 409
    assert generations.execute(generation_id=str(asked["id"])) is None


def test_staff_and_a_user_from_elsewhere_cancel(
    client: Client, model: Model, ada_client: Client, carol: User
) -> None:
    client.force_login(carol)
    first, second = (request(client)["id"] for _ in range(2))
    elsewhere = Client()
    elsewhere.force_login(carol)
    assert elsewhere.post(f"{ADDRESS}{first}/cancel/").status_code == 200
    assert ada_client.post(f"{ADDRESS}{second}/cancel/").status_code == 200


def cancel_soon(generation: Generation) -> None:
    this = Generation.objects.filter(pk=generation.pk)
    wait_until(this.filter(state=State.RUNNING).exists)
    generation_requests.cancel(generation=generation)
    connection.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("prompt", ["slow", "deaf"])
def test_a_running_generation_stops_soon_after_it_is_cancelled(model: Model, prompt: str) -> None:
    generation = generation_requests.create(model=model, prompt=prompt)
    person = threading.Thread(target=cancel_soon, args=(generation,))
    person.start()
    generations.execute(generation_id=generation.pk)
    person.join()
    generation.refresh_from_db()
    assert generation.state == State.CANCELLED and generation.error == ""
    after = generation_requests.create(model=model, prompt="x")
    assert generations.execute(generation_id=after.pk)
    after.refresh_from_db()
    assert after.state == State.SUCCEEDED


def lose_soon(generation: Generation) -> None:
    """Another worker takes the generation over while it runs."""
    row = Generation.objects.filter(pk=generation.pk)
    wait_until(row.filter(state=State.RUNNING, progress__gte=0).exists)

    def taken_over() -> bool:
        row.update(lease_until=timezone.now() - timedelta(seconds=1))
        return generations.sweep() == [generation.pk]

    wait_until(taken_over)
    connection.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("prompt", ["slow", "deaf"])
def test_a_worker_that_lost_its_lease_stops_its_child_and_writes_nothing(
    model: Model, prompt: str
) -> None:
    generation = generation_requests.create(model=model, prompt=prompt)
    heir = threading.Thread(target=lose_soon, args=(generation,))
    heir.start()
    generations.execute(generation_id=generation.pk)
    heir.join()
    generation.refresh_from_db()
    assert generation.state == State.QUEUED and generation.error == ""
    assert not generation.samples.exists()


def test_a_request_that_kills_its_process_fails_alone(client: Client, model: Model) -> None:
    dead = drawn(client, prompt="die")
    assert (dead["state"], dead["error"]) == ("failed", "I cannot go on.")
    assert drawn(client, prompt="x")["state"] == "succeeded"


def test_a_request_that_takes_too_long_is_stopped(
    client: Client, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generations, "TIME_LIMIT", 0.5)
    late = drawn(client, prompt="deaf")
    assert late["state"] == "failed" and "too long" in str(late["error"])


def test_samples_that_cannot_be_stored_wait_and_are_drawn_again(
    client: Client, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(generations.default_storage, "save", full)
        waiting = drawn(client, prompt="x")
    assert (waiting["state"], waiting["samples"]) == ("queued", [])
    assert "disk of a worker is full" in str(waiting["error"])
    assert generations.sweep() == []  # not yet
    Generation.objects.update(lease_until=None)
    (due,) = generations.sweep()
    done = generations.execute(generation_id=due)
    assert done and done.samples.count() == 4 and not done.error


def test_one_process_executes_request_after_request(model: Model, tmp_path: Path) -> None:
    shades = set()
    for number in range(3):
        out = tmp_path / str(number)
        out.mkdir()
        asked = {"model": str(tmp_path), "out": str(out), "prompts": ["x"], "seeds": [0]}
        sampler_client.generate(asked, on_progress=lambda share: True, time_limit=60)
        with Pillow.open(out / "00.png") as drawn:
            shades.add(drawn.getpixel((0, 0)))
    assert len(shades) == 1  # which tell the process


def test_one_person_may_not_fill_the_queue(client: Client, model: Model) -> None:
    answers = [request(client) for _ in range(generation_requests.REQUESTER_LIMIT + 1)]
    assert [one["status"] for one in answers] == [201] * generation_requests.REQUESTER_LIMIT + [429]
    assert "your drawings" in str(answers[-1]["detail"])
    assert request(Client())["status"] == 201


def test_a_visitor_finds_their_last_generations_again(client: Client, model: Model) -> None:
    assert client.get(ADDRESS).json() == []
    first, second = request(client, prompt="one")["id"], request(client, prompt="two")["id"]
    request(Client(), prompt="somebody else's")
    assert [one["id"] for one in client.get(ADDRESS).json()] == [second, first]
