"""Drafts: drawn in one call while somebody types, and kept by nobody."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.core.files.storage import default_storage
from django.test import Client
from django.utils import timezone

from tests.training.studio import ADDRESS, make_quick, request
from training import generation_drafts, generations, generators, tasks
from training.api.generations import DraftThrottle, GenerationThrottle
from training.generation_requests import GenerationError
from training.models import Generation, Model
from training.sample_questions import ask

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper
    from pytest_django.plugin import DjangoCaptureOnCommitCallbacks as OnCommit

pytestmark = pytest.mark.usefixtures("stand_in")


@pytest.fixture
def quick(model: Model) -> Model:
    make_quick(model)
    return model


def drawn_draft(client: Client, prompt: str) -> Generation:
    asked = request(client, prompt=prompt, draft=True)
    assert asked["status"] == 201
    tasks.generate(str(asked["id"]))
    generation = Generation.objects.get(pk=str(asked["id"]))
    assert generation.state == Generation.State.SUCCEEDED
    return generation


def test_a_draft_is_drawn_in_one_step_and_is_not_among_the_last_drawings(
    client: Client, quick: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, object]] = []
    message = generations._message

    def recording(generation: Generation, out: Path) -> dict[str, object]:
        sent.append(message(generation, out))
        return sent[-1]

    monkeypatch.setattr(generations, "_message", recording)
    draft = drawn_draft(client, "a red circle")
    finished = request(client, prompt="a red circle")
    tasks.generate(str(finished["id"]))
    assert [each.get("steps") for each in sent] == [1, None]
    assert [each["id"] for each in client.get(ADDRESS).json()] == [finished["id"]]
    assert client.get(f"{ADDRESS}{draft.pk}/").json()["draft"] is True
    with pytest.raises(GenerationError, match="draw its pictures first"):
        ask(generation=draft)


def test_the_next_draft_takes_the_place_of_the_last(
    client: Client, quick: Model, django_capture_on_commit_callbacks: OnCommit
) -> None:
    draft = drawn_draft(client, "a red")
    files = [sample.file.name for sample in draft.samples.all()]
    drawn_draft(Client(), "somebody else's")
    with django_capture_on_commit_callbacks(execute=True):
        request(client, prompt="a red circle", draft=True)
    prompts = Generation.objects.values_list("prompt", flat=True)
    assert sorted(prompts) == ["a red circle", "somebody else's"]
    assert files and not any(map(default_storage.exists, files))


def test_a_draft_that_is_being_drawn_is_cancelled_not_deleted(client: Client, quick: Model) -> None:
    request(client, prompt="a", draft=True)
    Generation.objects.update(state=Generation.State.RUNNING)
    request(client, prompt="a red", draft=True)
    first = Generation.objects.get(prompt="a")
    assert first.cancel_requested


def test_an_old_draft_is_swept_away_and_a_drawing_is_not(client: Client, quick: Model) -> None:
    drawn_draft(client, "a red circle")
    request(client, prompt="a drawing")
    generation_drafts.sweep()
    assert Generation.objects.count() == 2
    Generation.objects.update(created_at=timezone.now() - timedelta(hours=2))
    generation_drafts.sweep()
    assert Generation.objects.get().prompt == "a drawing"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "interpolation", "second_seed": 1}, "one prompt"),
        ({"guidance": 3}, "own guidance"),
        ({"draft": "perhaps"}, "draft"),
    ],
)
def test_a_wrong_draft_is_refused(
    client: Client, quick: Model, fields: dict[str, object], message: str
) -> None:
    answer = request(client, **{"draft": True, **fields})
    assert answer["status"] == 400 and message in str(answer["detail"])


def test_a_model_of_many_steps_makes_no_drafts(client: Client, model: Model) -> None:
    generators.has_student.cache_clear()
    answer = request(client, draft=True)
    assert answer["status"] == 400 and "many steps" in str(answer["detail"])


def test_those_who_type_leave_room_in_the_queue_for_those_who_draw(
    client: Client, quick: Model, settings: SettingsWrapper
) -> None:
    settings.GENERATION_QUEUE_LIMIT = 4
    drafts = [request(Client(), prompt="a red", draft=True)["status"] for _ in range(3)]
    assert drafts == [201, 201, 429]
    assert [request(client, prompt="a red circle")["status"] for _ in range(3)] == [201, 201, 429]


def test_typing_does_not_use_up_what_may_be_drawn(
    client: Client, quick: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GenerationThrottle, "most", 1)
    monkeypatch.setattr(DraftThrottle, "most", 2)
    statuses = [request(client, prompt=p, draft=True)["status"] for p in ("a", "a r", "a re")]
    assert statuses == [201, 201, 429]
    assert [request(client, prompt="a red circle")["status"] for _ in range(2)] == [201, 429]
