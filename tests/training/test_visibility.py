"""Whose pictures the public sees: every way by which a sample reaches a visitor.

A model that was refused, or that only tries whether everything works, and all models of private and
draft projects are shown to members alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.conf import settings as project_settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client

from labeling import stored_folders, visitors
from labeling.models import (
    Annotator,
    Concept,
    Membership,
    Project,
    Question,
    RemovedAnswer,
    RemovedImage,
    Snapshot,
)
from tests.cast import answer
from tests.pictures import draw, plain
from tests.training.studio import make_model, request
from training import feedback, generators, sample_questions, tasks
from training.generation_requests import GenerationError
from training.models import Generation, Model, Run, Sample

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Hide = Callable[[Model], object]


def refuse(model: Model) -> None:
    Model.objects.filter(pk=model.pk).update(current=False, accepted=False)


def only_try(model: Model) -> None:
    Run.objects.filter(pk=model.run_id).update(preset="smoke")


def make_private(model: Model) -> None:
    Project.objects.update(private=True)


def make_draft(model: Model) -> None:
    Project.objects.update(state="draft")


def archive(model: Model) -> None:
    Project.objects.update(state="archived")


HIDDEN = pytest.mark.parametrize("hide", [refuse, only_try, make_private, make_draft, archive])


@pytest.fixture(autouse=True)
def asleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "enqueue_on_commit", lambda task, *arguments, **options: None)


@pytest.fixture
def drawn(model: Model) -> Generation:
    """Return a generation with a picture, near one that the model has seen."""
    generation = Generation.objects.create(
        model=model, prompt="a circle", state="succeeded", count=1, source_image="samples/x.png"
    )
    name = default_storage.save("samples/x.png", ContentFile(plain()))
    generation.source_image = name
    generation.save()
    nearest = [{"file_name": "seen.png", "distance": 0.5}]
    Sample.objects.create(generation=generation, file=name, seed=0, nearest=nearest)
    return generation


def addresses(generation: Generation) -> list[str]:
    """Return every address below which something of a model's drawings is sent."""
    own = f"/api/v1/generations/{generation.pk}/"
    examples = f"/api/v1/models/{generation.model_id}/examples/1/"
    return [own, f"{own}samples/1/", f"{own}samples/1/nearest/1/", f"{own}source-image/", examples]


def statuses(client: Client, generation: Generation) -> list[int]:
    """Return what is answered below each of these addresses."""
    responses = [client.get(address) for address in addresses(generation)]
    for response in responses:
        if response.streaming:
            list(response)  # reads the file to its end, and closes it
    return [response.status_code for response in responses]


def test_everybody_sees_a_current_models_drawings(client: Client, drawn: Generation) -> None:
    assert statuses(client, drawn) == [200] * 5
    assert f"no. {drawn.model_id}" in client.get("/draw/").content.decode()
    assert request(client, model=drawn.model_id, prompt="x")["status"] == 201


@HIDDEN
def test_visitors_and_other_users_see_nothing_of_a_hidden_model(
    client: Client, carol: User, drawn: Generation, hide: Hide
) -> None:
    hide(drawn.model)
    signed_in = Client()
    signed_in.force_login(carol)
    for visitor in (client, signed_in):
        assert statuses(visitor, drawn) == [404] * 5
        for query in ("", f"?model={drawn.model_id}", "?project=shapes"):
            assert "Nothing can be drawn yet" in visitor.get(f"/draw/{query}").content.decode()
        for wish in ({"model": drawn.model_id}, {"project": "shapes"}, {}):
            assert request(visitor, prompt="x", **wish)["status"] == 400


def test_nobody_sees_a_removed_picture_of_the_snapshot_any_more(
    client: Client, drawn: Generation
) -> None:
    snapshot = drawn.model.run.snapshot
    assert snapshot is not None
    own, examples = f"/api/v1/generations/{drawn.pk}/", f"/api/v1/models/{drawn.model_id}/examples/"
    sha256 = "0123456789abcdef".ljust(64, "0")
    name = f"{sha256[:16]}.png"
    folder = stored_folders.working(snapshot.folder)
    (folder / "train" / "seen.png").rename(folder / "train" / name)
    stored_folders.put(folder, snapshot.folder)
    Sample.objects.update(nearest=[{"file_name": name, "distance": 0.5}])
    assert statuses(client, drawn) == [200] * 5
    assert client.get(own).json()["samples"][0]["nearest_url"]
    RemovedImage.objects.create(project=snapshot.project, image_id=1, sha256=sha256, reason="asked")
    Snapshot.objects.update(removed=1)
    assert client.get(f"{own}samples/1/nearest/1/").status_code == 404
    assert client.get(own).json()["samples"][0]["nearest_url"] is None
    assert client.get(f"{examples}1/").status_code == 404


@HIDDEN
def test_a_visitors_own_earlier_drawings_are_hidden_too(
    client: Client, model: Model, hide: Hide
) -> None:
    asked = request(client, prompt="x")
    assert len(client.get("/api/v1/generations/").json()) == 1
    hide(model)
    assert client.get("/api/v1/generations/").json() == []
    assert client.get(f"/api/v1/generations/{asked['id']}/").status_code == 404


@HIDDEN
def test_members_who_may_look_see_all_of_it(
    client: Client, carol: User, drawn: Generation, hide: Hide
) -> None:
    hide(drawn.model)
    Membership.objects.create(project=drawn.model.project, user=carol, role="viewer")
    client.force_login(carol)
    assert statuses(client, drawn) == [200] * 5
    page = client.get(f"/draw/?model={drawn.model_id}").content.decode()
    assert "What shall it draw?" in page


@pytest.mark.parametrize("as_user", [True, False])
def test_who_was_invited_to_a_private_project_sees_its_accepted_models(
    client: Client, carol: User, alice: Annotator, drawn: Generation, as_user: bool
) -> None:
    make_private(drawn.model)
    project = drawn.model.project
    if as_user:
        Membership.objects.create(project=project, user=carol, role="annotator")
        client.force_login(carol)
    else:
        Membership.objects.create(project=project, annotator=alice, role="annotator")
        client.cookies[project_settings.PSEUDONYM_COOKIE] = _signed(alice.pseudonym)
    assert statuses(client, drawn) == [200] * 5
    assert "What shall it draw?" in client.get("/draw/").content.decode()
    refuse(drawn.model)
    assert statuses(client, drawn) == [404] * 5


def _signed(pseudonym: str) -> str:
    from django.core import signing

    salt = project_settings.PSEUDONYM_COOKIE + visitors.COOKIE_SALT
    return signing.get_cookie_signer(salt=salt).sign(pseudonym)


def test_a_model_that_was_only_surpassed_is_still_offered(
    client: Client, model: Model, bare_snapshot: Snapshot, tmp_path: Path
) -> None:
    Model.objects.filter(pk=model.pk).update(current=False, accepted=True)
    newer = make_model(bare_snapshot, recipe="gan")
    page = client.get("/draw/").content.decode()
    assert f"no. {model.pk}" in page and f"no. {newer.pk}" in page


def test_suggestions_of_refused_models_are_not_shown(client: Client, model: Model) -> None:
    Model.objects.filter(pk=model.pk).update(suggestions=["a secret"])
    assert "a secret" in client.get("/draw/").content.decode()
    refuse(model)
    assert "a secret" not in client.get("/draw/").content.decode()


@pytest.mark.parametrize("hide", [refuse, only_try])
def test_people_are_not_asked_about_a_refused_models_pictures(
    model: Model, drawn: Generation, hide: Hide, ada_client: Client
) -> None:
    hide(model)
    with pytest.raises(GenerationError, match="not asked about its pictures"):
        sample_questions.ask(generation=Generation.objects.get(pk=drawn.pk))
    response = ada_client.post(f"/api/v1/generations/{drawn.pk}/ask/")
    assert response.status_code == 409 and not Question.objects.exists()


@pytest.mark.parametrize("hide", [refuse, only_try])
def test_a_refused_model_gives_no_pictures_to_the_loop(model: Model, hide: Hide) -> None:
    Model.objects.filter(pk=model.pk).update(reviewed_at=model.created_at)
    assert feedback.is_due(model)
    hide(model)
    assert not feedback.is_due(model)


def test_questions_about_a_model_that_is_taken_back_are_asked_no_more(
    model: Model, bare_snapshot: Snapshot, alice: Annotator
) -> None:
    generation = Generation.objects.create(model=model, prompt="a circle", state="succeeded")
    for number, colour in enumerate(("red", "green")):
        data = draw(shape="circle", colour=colour, corner=4)
        name = default_storage.save(f"samples/{number}.png", ContentFile(data))
        Sample.objects.create(generation=generation, file=name, seed=number)
    assert sample_questions.ask(generation=generation) == 2
    settled, answered = Question.objects.order_by("pk")
    Question.objects.filter(pk=settled.pk).update(state="settled", answers_count=3)
    answer(alice, {answered.pk: True})
    assert not feedback.to_take_back().exists()
    refuse(model)
    assert list(feedback.to_take_back()) == [model.project]
    tasks.take_back(model.project_id)
    assert list(Question.objects.all()) == [settled]
    (kept,) = RemovedAnswer.objects.all()
    assert kept.question_id == answered.pk and kept.value
    assert Sample.objects.filter(question=None).count() == 1
    assert not feedback.to_take_back().exists()


def test_a_clip_that_is_taken_back_predicts_no_more(
    shapes: Project, snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make_model(snapshot, recipe="clip")
    Model.objects.filter(pk=clip.pk).update(feedback={"predictions": 3})
    Project.objects.filter(pk=shapes.pk).update(features="features/gone.safetensors")
    caption = Question.objects.filter(kind=Question.Kind.CAPTION)[0]
    before = caption.probability
    from labeling.inference import model_prior

    model_prior.store({caption.pk: 0.1})
    caption.refresh_from_db()
    assert caption.probability < before and not feedback.to_take_back().exists()
    refuse(clip)
    assert list(feedback.to_take_back()) == [shapes]
    tasks.take_back(shapes.pk)
    shapes.refresh_from_db()
    caption.refresh_from_db()
    assert not shapes.features and caption.model_probability is None
    assert caption.probability == pytest.approx(before) and caption.prior_shift == 0
    assert not Concept.objects.filter(priors_stale=True).exists()
    assert Model.objects.get(pk=clip.pk).feedback is None
    assert not feedback.to_take_back().exists()


def test_only_accepted_models_are_accepted(model: Model) -> None:
    assert generators.is_accepted(model)
    only_try(model)
    assert not generators.is_accepted(model)
