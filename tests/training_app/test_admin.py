"""Trainers' pages in the admin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from PIL import Image

from labeling.models import Snapshot
from training import jobs
from training.models import Generation, Model, Run, Sample

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from playwright.sync_api import Page
    from pytest_django.fixtures import SettingsWrapper
    from pytest_django.live_server_helper import LiveServer

State = Run.State
ADD = "/admin/training/run/add/"


@pytest.fixture
def staff(client: Client, trainer: User) -> Client:
    client.force_login(trainer)
    return client


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


def test_freeze_and_train_queues_both_recipes(staff: Client, bare_snapshot: Snapshot) -> None:
    project = bare_snapshot.project
    assert "a new snapshot of Shapes" in staff.get(ADD).content.decode()
    response = staff.post(
        ADD,
        {
            "source": f"project:{project.pk}",
            "recipe": "clip,diffusion",
            "preset": "smoke",
            "seed": 1,
            "include_generated": "on",
        },
    )
    first, second = Run.objects.order_by("pk")
    assert response["Location"] == page_of(first)
    assert [first.recipe, second.recipe] == ["clip", "diffusion"]
    assert first.snapshot is None and first.include_generated and first.trigger == "admin"


def test_projects_and_snapshots_lead_to_training(staff: Client, bare_snapshot: Snapshot) -> None:
    for name, thing in (("project", bare_snapshot.project), ("snapshot", bare_snapshot)):
        address = reverse(f"admin:labeling_{name}_change", args=[thing.pk])
        assert f"{ADD}?{name}={thing.pk}" in staff.get(address).content.decode()


def test_a_snapshot_is_chosen_by_the_address(staff: Client, bare_snapshot: Snapshot) -> None:
    page = staff.get(f"{ADD}?snapshot={bare_snapshot.pk}").content.decode()
    assert f'value="snapshot:{bare_snapshot.pk}" selected' in page
    assert staff.get(f"{ADD}?snapshot=%00&project=x").status_code == 200


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"source": "project:999", "recipe": "clip", "preset": "cpu", "seed": 0},
        {"source": "rocket:1", "recipe": "clip", "preset": "cpu", "seed": 0},
        {"recipe": "alchemy", "preset": "cpu", "seed": 0},
        {"recipe": "clip", "preset": "huge", "seed": 0},
        {"recipe": "clip", "preset": "cpu", "seed": 10**30},
    ],
)
def test_a_wrong_form_starts_nothing(
    staff: Client, bare_snapshot: Snapshot, fields: dict[str, object]
) -> None:
    fields = {"source": f"project:{bare_snapshot.project.pk}"} | fields
    response = staff.post(ADD, fields)
    assert response.status_code == 200 and "errornote" in response.content.decode()
    assert not Run.objects.exists()


def test_a_runs_page_says_how_it_goes(staff: Client, run: Run) -> None:
    page = staff.get(page_of(run)).content.decode()
    for words in (
        "Running: learning",
        "step 3 of 9 · 1,234 images/s · loss 0.330 · about 70 s left",
        "1 to learn from",
        "a red apple",
        "line &lt;two&gt;",
        page_of(run, "cancel"),
    ):
        assert words in page
    live = staff.get(page_of(run, "live")).json()
    assert live["state"] == "running" and live["curve"][0] == [1, 1.0]
    (sample,) = live["samples"]
    assert sample["step"] == 500
    assert b"".join(staff.get(sample["url"])).startswith(b"\x89PNG")


def test_a_failed_run_says_why_and_offers_to_resume(staff: Client, run: Run) -> None:
    Run.objects.update(state=State.FAILED, error="There is no <snapshot>.\n\nThe end of its log:")
    page = staff.get(page_of(run)).content.decode()
    assert "There is no &lt;snapshot&gt;." in page and page_of(run, "resume") in page


def test_a_finished_run_is_compared_with_the_current_model(staff: Client, run: Run) -> None:
    metrics = {"r_precision@judge": 0.9, "chance": 0.1, "near_copies": 0.25}
    Run.objects.update(state=State.SUCCEEDED, metrics=metrics)
    old = Run.objects.create(
        project=run.project, recipe="diffusion", metrics={"r_precision@judge": 0.7}
    )
    Model.objects.create(project=run.project, run=run, recipe="diffusion", feedback={"pictures": 4})
    Model.objects.create(project=run.project, run=old, recipe="diffusion", current=True)
    page = staff.get(page_of(run)).content.decode()
    for words in ("R-precision by judge", "0.9", "0.7", "chance 0.1", "near copies", "4 pictures"):
        assert words in page


def test_a_run_is_cancelled_and_resumed_by_post_alone(staff: Client, run: Run) -> None:
    assert staff.get(page_of(run, "cancel")).status_code == 405
    run.refresh_from_db()
    assert not run.cancel_requested
    staff.post(page_of(run, "cancel"))
    run.refresh_from_db()
    assert run.cancel_requested
    Run.objects.update(state=State.CANCELLED)
    staff.post(page_of(run, "resume"))
    run.refresh_from_db()
    assert run.state == State.QUEUED
    said = staff.post(page_of(run, "resume"), follow=True).content.decode()
    assert "neither failed" in said


def test_a_deleted_run_takes_its_folder_along(
    staff: Client, run: Run, settings: SettingsWrapper
) -> None:
    settings.RUN_ROOT = Path(run.folder).parent
    assert staff.get(page_of(run, "delete")).status_code == 403  # it is still running
    Run.objects.update(state=State.CANCELLED)
    staff.post(page_of(run, "delete"), {"post": "yes"})
    assert not Run.objects.exists() and not Path(run.folder).exists()


def test_csrf_is_checked(run: Run, trainer: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(trainer)
    assert client.post(page_of(run, "cancel")).status_code == 403


@pytest.mark.parametrize("name", ["log.txt", "000500.png.png", "999999.png"])
def test_only_sample_grids_are_served(staff: Client, run: Run, name: str) -> None:
    address = page_of(run).replace("change/", f"samples/{name}")
    assert staff.get(address).status_code == 404


def test_only_those_who_may_look_see_a_run(
    client: Client, run: Run, django_user_model: type[User]
) -> None:
    bob = django_user_model.objects.create_user("bob", is_staff=True)
    client.force_login(bob)
    for what in ("change", "live", "log"):
        assert client.get(page_of(run, what)).status_code == 403
    bob.user_permissions.add(Permission.objects.get(codename="view_run"))
    assert "Cancel" not in client.get(page_of(run)).content.decode()
    assert client.get(page_of(run, "live")).status_code == 200
    assert client.post(page_of(run, "cancel")).status_code == 403
    assert client.get(ADD).status_code == client.post(ADD).status_code == 403


def test_lists_are_shown(staff: Client, run: Run) -> None:
    model = Model.objects.create(project=run.project, run=run, recipe="diffusion")
    generation = Generation.objects.create(model=model, prompt="a <boat>")
    Sample.objects.create(generation=generation, file="samples/x.png", seed=0)
    assert "Running" in staff.get("/admin/training/run/").content.decode()
    assert "not yet" in staff.get("/admin/training/model/").content.decode()
    assert "a &lt;boat&gt;" in staff.get("/admin/training/generation/").content.decode()
    for thing in (model, generation):
        address = reverse(f"admin:training_{thing._meta.model_name}_change", args=[thing.pk])
        assert staff.get(address).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_the_page_follows_the_run(
    live_server: LiveServer,
    run: Run,
    trainer: User,
    page: Page,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jobs, "wake", lambda task, *arguments: None)
    client.force_login(trainer)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value}
    page.context.add_cookies([cookie | {"url": live_server.url}])
    page.goto(live_server.url + page_of(run))
    page.get_by_text("step 3 of 9").wait_for()
    page.locator("polyline.mean").wait_for(state="attached")
    Run.objects.update(step=6)
    page.get_by_text("step 6 of 9").wait_for()
    Run.objects.update(state=State.FAILED, error="The disk is full.")
    page.get_by_text("The disk is full.").wait_for()
    page.get_by_role("button", name="Resume").click()
    page.get_by_text("Queued: a worker takes it up").wait_for()
