"""The form that starts a project's runs: what it offers, what it warns of, what it starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from labeling.models import Pair, Project, Question, Snapshot
from tests.training.studio import make_model
from training import runs
from training.engine.presets import PRESETS
from training.models import Model, Run
from training.project_pages.train_form import TrainForm

SignIn = Callable[[str], Client]
TRAIN = "/projects/shapes/train/"
NOW = {"source": "now", "seed": 0}


def text(client: Client, address: str) -> str:
    return client.get(address).content.decode()


def send(client: Client, **fields: object) -> str:
    return client.post(TRAIN, NOW | fields).content.decode()


def test_freeze_and_train_queues_both_recipes(ada_client: Client, bare_snapshot: Snapshot) -> None:
    fields = {"recipe_and_preset": "clip,diffusion/smoke", "seed": 1, "include_generated": "on"}
    response = ada_client.post(TRAIN, NOW | fields | {"options": "steps=50"})
    first, second = Run.objects.order_by("pk")
    assert response["Location"] == reverse("project-run", args=["shapes", first.pk])
    assert [first.recipe, second.recipe] == ["clip", "diffusion"]
    assert first.snapshot is None and first.include_generated and first.trigger == "page"
    assert first.options == {} and second.options == {"steps": 50}


@pytest.mark.parametrize("recipe", PRESETS)
def test_every_preset_of_every_recipe_can_be_chosen(
    ada_client: Client, bare_snapshot: Snapshot, recipe: str, tmp_path: Path
) -> None:
    make_model(bare_snapshot, recipe=recipe)  # to go on from
    for preset in PRESETS[recipe]:
        send(
            ada_client,
            source=bare_snapshot.pk,
            recipe_and_preset=f"{recipe}/{preset}",
            anyway="on",
        )
    chosen = Run.objects.exclude(preset="").order_by("pk").values_list("recipe", "preset")
    assert list(chosen) == [(recipe, preset) for preset in PRESETS[recipe]]


def test_options_and_the_projects_own_clip_are_asked_for(
    ada_client: Client, bare_snapshot: Snapshot
) -> None:
    project = bare_snapshot.project
    learnt = Run.objects.create(project=project, recipe="clip", folder="runs/1")
    clip = Model.objects.create(
        project=project, run=learnt, recipe="clip", folder="runs/1/model", current=True
    )
    assert f"{clip}, the current one" in text(ada_client, TRAIN)
    fields = {"source": bare_snapshot.pk, "seed": 0, "clip": clip.pk, "anyway": "on"}
    options = 'steps = 5000\n\nprompts=["a red apple"]\nsampler=euler'
    send(ada_client, **fields, recipe_and_preset="diffusion/cpu", options=options)
    run = Run.objects.latest("pk")
    assert run.options == {"steps": 5000, "prompts": ["a red apple"], "sampler": "euler"}
    config = runs.config(run, snapshot=bare_snapshot)
    assert config["init"] == "runs/1/model" and config["options"] == run.options
    page = text(ada_client, reverse("project-run", args=["shapes", run.pk]))
    assert "steps = 5000" in page and str(clip) in page
    page = send(ada_client, **fields, recipe_and_preset="lora/smoke")
    assert "The recipe lora reads texts by itself" in page and Run.objects.count() == 2


def test_a_snapshot_and_a_preset_are_chosen_by_the_address(
    ada_client: Client, bare_snapshot: Snapshot
) -> None:
    page = text(ada_client, f"{TRAIN}?snapshot={bare_snapshot.pk}&preset=gan/cpu")
    assert f'value="{bare_snapshot.pk}" selected' in page and 'value="gan/cpu" selected' in page
    assert ada_client.get(f"{TRAIN}?snapshot=%00&preset=x").status_code == 200


def test_the_projects_and_snapshots_of_the_admin_lead_here(
    ada_client: Client, bare_snapshot: Snapshot
) -> None:
    address = reverse("admin:labeling_snapshot_change", args=[bare_snapshot.pk])
    assert f"{TRAIN}?snapshot={bare_snapshot.pk}" in text(ada_client, address)


@pytest.mark.parametrize(
    "fields",
    [
        {"source": ""},
        {"source": "999", "recipe_and_preset": "clip/smoke"},
        {"source": "rocket:1", "recipe_and_preset": "clip/smoke"},
        {"recipe_and_preset": "alchemy/cpu"},
        {"recipe_and_preset": "clip/huge"},
        {"recipe_and_preset": "clip/smoke", "seed": 10**30},
        {"recipe_and_preset": "clip/smoke", "options": "steps"},
        {"recipe_and_preset": "clip,diffusion/smoke", "options": "foo=1"},
        {"recipe_and_preset": "diffusion/smoke", "clip": "999"},
    ],
)
def test_a_wrong_form_starts_nothing(
    ada_client: Client, bare_snapshot: Snapshot, fields: dict[str, object]
) -> None:
    response = ada_client.post(TRAIN, NOW | fields)
    assert response.status_code == 200
    assert "Please correct what is marked" in response.content.decode()
    assert not Run.objects.exists()


def test_another_projects_snapshots_and_clips_are_not_offered(
    ada_client: Client, bare_snapshot: Snapshot
) -> None:
    moon = Project.objects.create(slug="moon", name="Moon", state="open")
    other = Snapshot.objects.create(project=moon, state="ready", counts={"images": 3})
    send(ada_client, source=other.pk, recipe_and_preset="clip/smoke")
    assert not Run.objects.exists()


def test_a_run_without_labels_says_so_first_and_asks_to_confirm(
    ada_client: Client, bare_snapshot: Snapshot
) -> None:
    page = send(ada_client, recipe_and_preset="diffusion/cpu", options="steps=77")
    assert "0 settled labels, 0 captions, 0 pictures" in page and "Train all the same" in page
    assert "steps=77" in page and not Run.objects.exists()
    send(ada_client, recipe_and_preset="diffusion/cpu", options="steps=77", anyway="on")
    assert Run.objects.get().options == {"steps": 77}


def test_a_project_of_pairs_alone_is_offered_to_learn_from_them(shapes: Project) -> None:
    assert TrainForm(project=shapes).initial_preset == "clip,diffusion/cpu"
    Pair.objects.bulk_create(Pair(image=image) for image in shapes.images.all())
    assert TrainForm(project=shapes).initial_preset == "pairs/cpu"


def test_a_run_on_labels_starts_without_a_question(ada_client: Client, shapes: Project) -> None:
    first = Question.objects.filter(project=shapes)[:1].values("pk")
    Question.objects.filter(pk__in=first).update(settled_at=timezone.now())
    send(ada_client, recipe_and_preset="diffusion/cpu")
    assert Run.objects.exists()


def test_the_outlook_changes_with_the_choice(ada_client: Client, bare_snapshot: Snapshot) -> None:
    def outlook(**fields: object) -> str:
        return ada_client.get(f"{TRAIN}outlook/", NOW | fields).content.decode()

    assert "about 6 to 15 minutes" in outlook(recipe_and_preset="diffusion/cpu")
    assert "about 2 to 6 hours" in outlook(recipe_and_preset="diffusion/gpu-l")
    smoke = outlook(recipe_and_preset="diffusion/smoke", source=bare_snapshot.pk)
    assert "only tries whether everything works" in smoke and "1 picture" in smoke
    assert "It starts within seconds" in smoke
    Run.objects.create(project=bare_snapshot.project, recipe="clip", preset="cpu")
    assert "1 run before it: it starts in about 3 to 10 minutes" in outlook(
        recipe_and_preset="diffusion/cpu"
    )
    assert "Takes" in outlook(recipe_and_preset="<script>", source="\0")


def test_only_owners_and_trainers_train(
    member: SignIn, client: Client, bare_snapshot: Snapshot
) -> None:
    for role, status in (("owner", 200), ("trainer", 200), ("reviewer", 403), ("annotator", 404)):
        visitor = member(role)
        assert visitor.get(TRAIN).status_code == status
        wish = NOW | {"recipe_and_preset": "clip/smoke"}
        assert visitor.post(TRAIN, wish).status_code == (302 if status == 200 else status)
        assert visitor.get(f"{TRAIN}outlook/").status_code == status
    assert Run.objects.filter(recipe="clip").count() == 2
