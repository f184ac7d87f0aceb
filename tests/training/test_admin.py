"""Trainers' pages in the admin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from labeling.models import Snapshot
from tests.cast import allow
from training import runs, tasks
from training.engine.presets import PRESETS
from training.models import Generation, Model, Promotion, Run, Sample

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from playwright.sync_api import Page
    from pytest_django.fixtures import SettingsWrapper
    from pytest_django.live_server_helper import LiveServer

State = Run.State
ADD = "/admin/training/run/add/"


@pytest.fixture
def run(bare_snapshot: Snapshot, tmp_path: Path) -> Run:
    folder = tmp_path / "run"
    (folder / "samples").mkdir(parents=True)
    Image.new("RGB", (64, 32), "red").save(folder / "samples" / "000500.png")
    (folder / "prompts.json").write_text('["a red apple"]')
    (folder / "log.txt").write_text("line one\nline <two>\n")
    lines = [{"step": n, "steps": 9, "loss": 1 / n, "stage": "train"} for n in (1, 2, 3)]
    (folder / "progress.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return Run.objects.create(
        project=bare_snapshot.project,
        snapshot=bare_snapshot,
        recipe="diffusion",
        preset="cpu",
        state=State.RUNNING,
        folder=str(folder),
        stage="train",
        step=3,
        steps=9,
        loss=0.33,
        images_per_second=1234.5,
        seconds_left=70.0,
    )


def page_of(run: Run, what: str = "change") -> str:
    return reverse(f"admin:training_run_{what}", args=[run.pk])


def test_freeze_and_train_queues_both_recipes(ada_client: Client, bare_snapshot: Snapshot) -> None:
    project = bare_snapshot.project
    assert "a new snapshot of Shapes" in ada_client.get(ADD).content.decode()
    response = ada_client.post(
        ADD,
        {
            "source": f"project:{project.pk}",
            "recipe_and_preset": "clip,diffusion/smoke",
            "seed": 1,
            "include_generated": "on",
            "options": "steps=50",
        },
    )
    first, second = Run.objects.order_by("pk")
    assert response["Location"] == page_of(first)
    assert [first.recipe, second.recipe] == ["clip", "diffusion"]
    assert first.snapshot is None and first.include_generated and first.trigger == "admin"
    assert first.options == {} and second.options == {"steps": 50}


@pytest.mark.parametrize("recipe", PRESETS)
def test_every_preset_of_every_recipe_can_be_chosen(
    ada_client: Client, bare_snapshot: Snapshot, recipe: str
) -> None:
    source = {"source": f"snapshot:{bare_snapshot.pk}", "seed": 0}
    for preset in PRESETS[recipe]:
        ada_client.post(ADD, source | {"recipe_and_preset": f"{recipe}/{preset}"})
    chosen = Run.objects.order_by("pk").values_list("recipe", "preset")
    assert list(chosen) == [(recipe, preset) for preset in PRESETS[recipe]]


def test_options_and_the_projects_own_clip_are_asked_for(
    ada_client: Client, bare_snapshot: Snapshot
) -> None:
    project = bare_snapshot.project
    learnt = Run.objects.create(project=project, recipe="clip", folder="/runs/1")
    clip = Model.objects.create(
        project=project, run=learnt, recipe="clip", folder="/runs/1/model", current=True
    )
    assert f"{clip}, the current one of Shapes" in ada_client.get(ADD).content.decode()
    fields = {"source": f"snapshot:{bare_snapshot.pk}", "seed": 0, "clip": clip.pk}
    options = 'steps = 5000\n\nprompts=["a red apple"]\nsampler=euler'
    address = ada_client.post(
        ADD, fields | {"recipe_and_preset": "diffusion/cpu", "options": options}
    )["Location"]
    run = Run.objects.latest("pk")
    assert run.options == {"steps": 5000, "prompts": ["a red apple"], "sampler": "euler"}
    config = runs.config(run, snapshot=bare_snapshot)
    assert config["init"] == "/runs/1/model" and config["options"] == run.options
    page = ada_client.get(address).content.decode()
    assert "steps = 5000" in page and str(clip) in page
    page = ada_client.post(
        ADD, fields | {"recipe_and_preset": "lora/smoke"}, follow=True
    ).content.decode()
    assert "The recipe lora reads texts by itself" in page and Run.objects.count() == 2


def test_projects_and_snapshots_lead_to_training(
    ada_client: Client, bare_snapshot: Snapshot
) -> None:
    for name, thing in (("project", bare_snapshot.project), ("snapshot", bare_snapshot)):
        address = reverse(f"admin:labeling_{name}_change", args=[thing.pk])
        assert f"{ADD}?{name}={thing.pk}" in ada_client.get(address).content.decode()


def test_a_snapshot_is_chosen_by_the_address(ada_client: Client, bare_snapshot: Snapshot) -> None:
    page = ada_client.get(f"{ADD}?snapshot={bare_snapshot.pk}").content.decode()
    assert f'value="snapshot:{bare_snapshot.pk}" selected' in page
    assert ada_client.get(f"{ADD}?snapshot=%00&project=x").status_code == 200


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"source": "project:999", "recipe_and_preset": "clip/cpu", "seed": 0},
        {"source": "rocket:1", "recipe_and_preset": "clip/cpu", "seed": 0},
        {"recipe_and_preset": "alchemy/cpu", "seed": 0},
        {"recipe_and_preset": "clip/huge", "seed": 0},
        {"recipe_and_preset": "clip/cpu", "seed": 10**30},
        {"recipe_and_preset": "clip/cpu", "seed": 0, "options": "steps"},
        {"recipe_and_preset": "clip,diffusion/cpu", "seed": 0, "options": "foo=1"},
        {"recipe_and_preset": "diffusion/cpu", "seed": 0, "clip": "999"},
    ],
)
def test_a_wrong_form_starts_nothing(
    ada_client: Client, bare_snapshot: Snapshot, fields: dict[str, object]
) -> None:
    fields = {"source": f"project:{bare_snapshot.project.pk}"} | fields
    response = ada_client.post(ADD, fields)
    assert response.status_code == 200 and "errornote" in response.content.decode()
    assert not Run.objects.exists()


def test_a_runs_page_says_how_it_goes(ada_client: Client, run: Run) -> None:
    page = ada_client.get(page_of(run)).content.decode()
    for words in (
        "Running: learning",
        "step 3 of 9 · 1,234 images/s · loss 0.330 · about 70 s left",
        "1 to learn from",
        "a red apple",
        "line &lt;two&gt;",
        page_of(run, "cancel"),
    ):
        assert words in page
    live = ada_client.get(page_of(run, "live")).json()
    assert live["state"] == "running" and live["curve"][0] == [1, 1.0]
    (sample,) = live["samples"]
    assert sample["step"] == 500
    assert b"".join(ada_client.get(sample["url"])).startswith(b"\x89PNG")


def test_a_failed_run_says_why_and_offers_to_resume(ada_client: Client, run: Run) -> None:
    Run.objects.update(state=State.FAILED, error="There is no <snapshot>.\n\nThe end of its log:")
    page = ada_client.get(page_of(run)).content.decode()
    assert "There is no &lt;snapshot&gt;." in page and page_of(run, "resume") in page


@pytest.fixture
def judged(run: Run, ada: User) -> Model:
    """The run's model, which stayed a candidate, beside a current one."""
    metrics = {"r_precision@judge": 0.9, "near_copies": 0.25, "nearest_train_apart": 1.5}
    beside = {"low": 0.85, "high": 0.95, "chance": 0.125, "real": 0.975}
    metrics |= {f"r_precision@judge_{name}": value for name, value in beside.items()}
    Run.objects.update(state=State.SUCCEEDED, metrics=metrics)
    old = Run.objects.create(
        project=run.project, recipe="diffusion", metrics={"r_precision@judge": 0.7}
    )
    folder = Path(run.folder).with_name("old")
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (Path(run.folder) / "config.json").write_text("{}")
    first = Model.objects.create(
        project=run.project, run=old, recipe="diffusion", current=True, folder=str(folder)
    )
    Promotion.objects.create(model=first, automatic=True, reason="It is better than chance.")
    judge = {"name": "r_precision@judge", "new": 0.9, "current": 0.7, "difference": 0.2}
    judge |= {"low": -0.31, "high": 0.71, "margin": 0.05, "says": "cannot tell"}
    verdict = {"promoted": False, "why": "It cannot be <judged>.", "judges": [judge]}
    return Model.objects.create(
        project=run.project,
        run=run,
        recipe="diffusion",
        folder=run.folder,
        feedback={"samples": 4},
        verdict=verdict | {"baseline": first.pk, "answers": 21},
        reviewed_at=timezone.now(),
    )


def test_a_finished_run_is_compared_with_the_current_model(
    ada_client: Client, run: Run, judged: Model
) -> None:
    page = ada_client.get(page_of(run)).content.decode()
    for words in (
        "R-precision of the fixed prompts by judge",
        "0.85 to 0.95",
        "0.7",
        "0.125",
        "0.975",
        "near copies",
        "4 samples",
    ):
        assert words in page
    assert "r_precision@judge_low" not in page and "chance by judge" not in page


def test_the_verdict_is_shown_with_its_reasons(ada_client: Client, run: Run, judged: Model) -> None:
    address = reverse("admin:training_model_change", args=[judged.pk])
    for page in (
        ada_client.get(page_of(run)).content.decode(),
        ada_client.get(address).content.decode(),
    ):
        for words in (
            "candidate, not promoted",
            "It cannot be &lt;judged&gt;.",
            "-0.31 to 0.71",
            "cannot tell",
            'class="verdict-bar"',
            "21 answers",
            "by comparison",
            "Both drew the same prompts",
        ):
            assert words in page
    assert "candidate, not promoted" in ada_client.get("/admin/training/model/").content.decode()


def test_only_models_that_draw_are_said_to_have_drawn(
    ada_client: Client, run: Run, judged: Model
) -> None:
    Model.objects.filter(pk=judged.pk).update(
        recipe="clip", verdict=judged.verdict | {"baseline": None}
    )
    page = ada_client.get(reverse("admin:training_model_change", args=[judged.pk]))
    words = page.content.decode()
    assert "The shaded part of a bar" in words and "Both drew" not in words


def test_one_click_promotes_and_another_rolls_back(
    ada_client: Client, run: Run, judged: Model, ada: User
) -> None:
    first = Model.objects.get(current=True)
    promote = reverse("admin:training_model_promote", args=[judged.pk])
    assert promote in ada_client.get(page_of(run)).content.decode()
    assert ada_client.get(promote).status_code == 405
    page = ada_client.post(promote, follow=True).content.decode()
    assert f"The current one is {judged} now" in page and "by ada" in page
    assert f"Roll back to {first}" in page
    ada_client.post(reverse("admin:training_model_promote", args=[first.pk]))
    assert Model.objects.get(current=True) == first
    newest = Promotion.objects.first()
    assert newest and newest.promoted_by == ada and newest.replaced == judged
    (Path(judged.folder) / "config.json").unlink()
    assert "has gone" in ada_client.post(promote, follow=True).content.decode()


def test_a_report_may_do_nothing(ada_client: Client, run: Run) -> None:
    assert ada_client.get(page_of(run, "report")).status_code == 404
    (Path(run.folder) / "report.html").write_text("<script>alert(1)</script>")
    response = ada_client.get(page_of(run, "report"))
    assert b"".join(response).startswith(b"<script>")
    policy = response["Content-Security-Policy"]
    assert "sandbox;" in policy and "default-src 'none'" in policy and "allow" not in policy
    assert page_of(run, "report") in ada_client.get(page_of(run)).content.decode()


def test_a_report_is_announced_with_what_it_holds(ada_client: Client, run: Run) -> None:
    (Path(run.folder) / "report.html").write_text("<title>a report</title>")
    assert "pictures over time" in ada_client.get(page_of(run)).content.decode()
    Run.objects.filter(pk=run.pk).update(recipe="clip")
    page = ada_client.get(page_of(run)).content.decode()
    assert "Its report</a>: curves and figures</p>" in page


def test_a_run_is_cancelled_and_resumed_by_post_alone(ada_client: Client, run: Run) -> None:
    assert ada_client.get(page_of(run, "cancel")).status_code == 405
    run.refresh_from_db()
    assert not run.cancel_requested
    ada_client.post(page_of(run, "cancel"))
    run.refresh_from_db()
    assert run.cancel_requested
    Run.objects.update(state=State.CANCELLED)
    ada_client.post(page_of(run, "resume"))
    run.refresh_from_db()
    assert run.state == State.QUEUED
    page = ada_client.post(page_of(run, "resume"), follow=True).content.decode()
    assert "neither failed" in page


def test_a_deleted_run_takes_its_folder_along(
    ada_client: Client, run: Run, settings: SettingsWrapper
) -> None:
    settings.RUN_ROOT = Path(run.folder).parent
    assert ada_client.get(page_of(run, "delete")).status_code == 403  # it is still running
    Run.objects.update(state=State.CANCELLED)
    ada_client.post(page_of(run, "delete"), {"post": "yes"})
    assert not Run.objects.exists() and not Path(run.folder).exists()


def test_csrf_is_checked(run: Run, ada: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)
    assert client.post(page_of(run, "cancel")).status_code == 403


@pytest.mark.parametrize("name", ["log.txt", "000500.png.png", "999999.png"])
def test_only_sample_grids_are_served(ada_client: Client, run: Run, name: str) -> None:
    address = page_of(run).replace("change/", f"samples/{name}")
    assert ada_client.get(address).status_code == 404


def test_only_those_who_may_look_see_a_run(client: Client, run: Run, bea: User) -> None:
    client.force_login(bea)
    for what in ("change", "live", "log", "report"):
        assert client.get(page_of(run, what)).status_code == 403
    allow(bea, "view_run")
    assert "Cancel" not in client.get(page_of(run)).content.decode()
    assert client.get(page_of(run, "live")).status_code == 200
    assert client.post(page_of(run, "cancel")).status_code == 403
    assert client.get(ADD).status_code == client.post(ADD).status_code == 403


def test_who_may_only_look_promotes_nothing(
    client: Client, run: Run, judged: Model, bea: User
) -> None:
    allow(bea, "view_run")
    client.force_login(bea)
    promote = reverse("admin:training_model_promote", args=[judged.pk])
    assert promote not in client.get(page_of(run)).content.decode()
    assert client.post(promote).status_code == 403 and not Model.objects.get(pk=judged.pk).current


def test_lists_are_shown(ada_client: Client, run: Run) -> None:
    model = Model.objects.create(project=run.project, run=run, recipe="diffusion")
    generation = Generation.objects.create(model=model, prompt="a <boat>")
    Sample.objects.create(generation=generation, file="samples/x.png", seed=0)
    assert "Running" in ada_client.get("/admin/training/run/").content.decode()
    assert "not yet" in ada_client.get("/admin/training/model/").content.decode()
    assert "a &lt;boat&gt;" in ada_client.get("/admin/training/generation/").content.decode()
    for thing in (model, generation):
        address = reverse(f"admin:training_{thing._meta.model_name}_change", args=[thing.pk])
        assert ada_client.get(address).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_the_page_follows_the_run(
    live_server: LiveServer,
    run: Run,
    ada: User,
    page: Page,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tasks, "enqueue_on_commit", lambda task, *arguments: None)
    client.force_login(ada)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value}
    page.context.add_cookies([cookie | {"url": live_server.url}])
    page.goto(live_server.url + page_of(run))
    page.get_by_text("step 3 of 9").wait_for()
    page.locator("path.mean").wait_for(state="attached")
    Run.objects.update(step=6)
    page.get_by_text("step 6 of 9").wait_for()
    Run.objects.update(state=State.FAILED, error="The disk is full.")
    page.get_by_text("The disk is full.").wait_for()
    page.get_by_role("button", name="Resume").click()
    page.get_by_text("Queued: a worker takes it up").wait_for()
