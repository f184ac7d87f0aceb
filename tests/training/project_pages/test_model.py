"""The page of a model: its verdict in words, and the decision which one is current."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse

from labeling.models import Project
from tests.pictures import plain
from tests.training.studio import lose
from training.models import Generation, Model, Promotion, Run, Sample

if TYPE_CHECKING:
    from django.contrib.auth.models import User

SignIn = Callable[[str], Client]


def page_of(model: Model, what: str = "") -> str:
    name = f"project-model-{what}" if what else "project-model"
    return reverse(name, args=[model.project.slug, model.pk])


def text(client: Client, address: str) -> str:
    return client.get(address).content.decode()


def test_the_verdict_is_shown_with_its_figures_in_plain_words(
    ada_client: Client, judged: Model
) -> None:
    page = text(ada_client, page_of(judged))
    for words in (
        "Candidate, not promoted",
        "It cannot be &lt;judged&gt;: not promoted.",
        "how well pictures fit their words (R-precision), by the CLIP judge",
        "20 points better (±51)",
        "60 prompts",
        "too close to call",
        'class="verdict-bar"',
        "21 answers",
        "by the comparison",
        "both drew the same prompts",
        "85% to 95%",
        "70%",
        "12%",
        "98%",
        "how many pictures nearly copy one it learnt from",
    ):
        assert words in page, words
    assert "r_precision" not in page


def test_only_models_that_draw_are_said_to_have_drawn(ada_client: Client, judged: Model) -> None:
    verdict = judged.verdict or {}
    Model.objects.filter(pk=judged.pk).update(recipe="clip", verdict=verdict | {"baseline": None})
    words = text(ada_client, page_of(judged))
    assert "The shaded part of a bar" in words and "both drew" not in words
    assert "Its drawings" not in words


def test_what_could_not_be_judged_was_not_compared(ada_client: Client, judged: Model) -> None:
    assert "Compared with" in text(ada_client, page_of(judged))
    Model.objects.filter(pk=judged.pk).update(verdict=(judged.verdict or {}) | {"judges": []})
    assert "Compared with" not in text(ada_client, page_of(judged))


def test_a_model_is_promoted_with_a_reason_and_rolled_back(
    ada_client: Client, judged: Model, ada: User
) -> None:
    first = Model.objects.get(current=True)
    promote = page_of(judged, "promote")
    assert ada_client.get(promote).status_code == 405
    wish = {"instead_of": first.pk, "reason": "Its circles are <round>."}
    page = ada_client.post(promote, wish, follow=True).content.decode()
    assert f"The current one is {judged} now" in page and "by ada" in page
    assert "Its circles are &lt;round&gt;." in page
    change = Promotion.objects.all()[0]
    assert f"back to no. {first.pk}" in page
    ada_client.post(page_of(judged, "undo"), {"change": change.pk, "reason": "They are not."})
    assert Model.objects.get(current=True) == first
    newest = Promotion.objects.all()[0]
    assert newest.promoted_by == ada and newest.replaced == judged and newest.undoes == change
    page = text(ada_client, page_of(judged))
    assert "(undone)" in page and "They are not." in page


def test_the_last_model_can_be_taken_back_and_the_page_says_so(
    ada_client: Client, judged: Model
) -> None:
    first = Model.objects.get(current=True)
    page = ada_client.post(page_of(first, "demote"), {"reason": "It blurs."}, follow=True)
    assert "No diffusion model is current now." in page.content.decode()
    assert not Model.objects.filter(current=True).exists()
    models = text(ada_client, reverse("project-models", args=[judged.project.slug]))
    assert "No model is current" in models


@pytest.mark.parametrize(("reason", "complaint"), [("", "Say why"), ("x" * 501, "longer than 500")])
def test_without_a_good_reason_nothing_happens_and_nothing_is_lost(
    ada_client: Client, judged: Model, reason: str, complaint: str
) -> None:
    response = ada_client.post(page_of(judged, "promote"), {"reason": reason, "instead_of": 0})
    assert response.status_code == 409
    page = response.content.decode()
    assert complaint in page and f'value="{reason}"' in page
    assert not Model.objects.get(pk=judged.pk).current


def test_the_second_of_two_who_decide_is_told(ada_client: Client, judged: Model) -> None:
    first = Model.objects.get(current=True)
    Model.objects.filter(pk=first.pk).update(current=False)
    response = ada_client.post(
        page_of(judged, "promote"), {"reason": "It is good.", "instead_of": first.pk}
    )
    page = response.content.decode()
    assert response.status_code == 409 and "look again" in page and 'value="It is good."' in page


def test_a_model_whose_files_have_gone_says_so(ada_client: Client, judged: Model) -> None:
    lose(judged)
    assert "Its files are not in the storage" in text(ada_client, page_of(judged))
    wish = {"instead_of": Model.objects.get(current=True).pk, "reason": "It is good."}
    page = ada_client.post(page_of(judged, "promote"), wish).content.decode()
    assert "Put them back, or choose another model" in page


def test_pictures_of_its_snapshot_that_were_removed_are_mentioned(
    ada_client: Client, judged: Model
) -> None:
    snapshot = judged.run.snapshot
    assert snapshot is not None
    snapshot.removed = 2
    snapshot.save()
    assert "It holds 2 pictures that were removed since." in text(ada_client, page_of(judged))


def test_its_drawings_are_shown_to_members_alone(
    ada_client: Client, client: Client, judged: Model
) -> None:
    generation = Generation.objects.create(model=judged, prompt="a <boat>", state="succeeded")
    name = default_storage.save("samples/x.png", ContentFile(plain()))
    sample = Sample.objects.create(generation=generation, file=name, seed=0)
    address = reverse("project-sample", args=[judged.project.slug, sample.pk])
    page = text(ada_client, page_of(judged))
    assert address in page and "a &lt;boat&gt;" in page
    assert ada_client.get(address).content.startswith(b"\x89PNG")
    assert client.get(address).status_code == 302
    Project.objects.create(slug="moon", name="Moon")
    moon = reverse("project-sample", args=["moon", sample.pk])
    assert ada_client.get(moon).status_code == 404


def test_drafts_are_not_among_its_drawings(ada_client: Client, judged: Model) -> None:
    typed = Generation.objects.create(model=judged, prompt="a bo", state="succeeded", draft=True)
    Sample.objects.create(generation=typed, file="samples/x.png", seed=0)
    assert "It has drawn nothing from a prompt yet" in text(ada_client, page_of(judged))


def test_a_smoke_model_says_that_the_public_never_sees_it(
    ada_client: Client, judged: Model
) -> None:
    assert "it was not accepted" in text(ada_client, page_of(judged))
    Run.objects.filter(pk=judged.run_id).update(preset="smoke")
    page = text(ada_client, page_of(judged))
    assert "the public never sees its pictures: its preset only tries" in page.lower()
    assert "Back to the loop: nothing: its preset only tries whether everything works." in page


@pytest.mark.parametrize("role", ["viewer", "reviewer"])
def test_who_may_only_look_decides_nothing(member: SignIn, judged: Model, role: str) -> None:
    client = member(role)
    page = text(client, page_of(judged))
    assert page_of(judged, "promote") not in page
    for what in ("promote", "demote", "undo"):
        assert client.post(page_of(judged, what), {"reason": "So."}).status_code == 403


def test_others_are_not_told_of_a_model(
    client: Client, judged: Model, carol: User, member: SignIn
) -> None:
    client.force_login(carol)
    for visitor in (client, member("annotator")):
        assert visitor.get(page_of(judged)).status_code == 404
        assert visitor.post(page_of(judged, "promote"), {"reason": "So."}).status_code == 404


def test_a_model_and_a_change_are_reached_by_their_own_project_alone(
    ada_client: Client, judged: Model
) -> None:
    moon = Project.objects.create(slug="moon", name="Moon")
    assert ada_client.get(reverse("project-model", args=["moon", judged.pk])).status_code == 404
    run = Run.objects.create(project=moon, recipe="diffusion")
    other = Model.objects.create(project=moon, run=run, recipe="diffusion", current=True)
    change = Promotion.objects.create(project=moon, recipe="diffusion", model=other)
    wish = {"change": change.pk, "reason": "So."}
    assert ada_client.post(page_of(judged, "undo"), wish).status_code == 404
