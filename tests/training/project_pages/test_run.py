"""The page of a run: how it goes, and what members may do to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.urls import reverse

from labeling import folder_deletions, stored_folders
from labeling.models import Event, Project
from tests.cast import allow
from tests.training.studio import store
from training import tasks
from training.models import Model, Run

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from playwright.sync_api import Page
    from pytest_django.fixtures import SettingsWrapper
    from pytest_django.live_server_helper import LiveServer

State = Run.State
SignIn = Callable[[str], Client]


def page_of(run: Run, what: str = "") -> str:
    name = f"project-run-{what}" if what else "project-run"
    return reverse(name, args=[run.project.slug, run.pk])


def text(client: Client, address: str) -> str:
    return client.get(address).content.decode()


def test_a_runs_page_says_how_it_goes(ada_client: Client, run: Run) -> None:
    page = text(ada_client, page_of(run))
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
    assert ada_client.get(sample["url"]).content.startswith(b"\x89PNG")


def test_drawings_among_what_it_learns_from_are_mentioned(ada_client: Client, run: Run) -> None:
    assert run.snapshot and "drawings are among them" not in text(ada_client, page_of(run))
    run.snapshot.counts |= {"generated": 3}
    run.snapshot.save()
    assert "held out; drawings are among them" in text(ada_client, page_of(run))


def test_a_queued_run_says_when_it_starts_and_how_long_it_takes(
    ada_client: Client, run: Run
) -> None:
    queued = Run.objects.create(project=run.project, recipe="diffusion", preset="cpu")
    page = text(ada_client, page_of(queued))
    assert "Queued: 1 before it, starts in about 1 to 2 minutes" in page
    assert "takes about 6 to 15 minutes" in page


def test_a_failed_run_says_why_and_offers_to_resume(ada_client: Client, run: Run) -> None:
    Run.objects.update(state=State.FAILED, error="There is no <snapshot>.\n\nThe end of its log:")
    page = text(ada_client, page_of(run))
    assert "There is no &lt;snapshot&gt;." in page and page_of(run, "resume") in page


def test_only_staff_read_where_files_lie(
    member: SignIn, admin_client: Client, run: Run, settings: SettingsWrapper
) -> None:
    error = "The folder of snapshot 7 (/srv/tessera/snapshots/demo-7) has gone."
    Run.objects.update(state=State.FAILED, error=error)
    store({"log.txt": "error: /srv/tessera/snapshots/demo-7 is missing."}, name=run.folder)
    trainer = member("trainer")
    for address in (
        page_of(run),
        page_of(run, "live"),
        page_of(run, "log"),
        f"/api/v1/runs/{run.pk}/",
    ):
        assert "/srv/" not in trainer.get(address).text
        assert "/srv/tessera/snapshots/demo-7" in admin_client.get(address).text
    assert "(demo-7) has gone" in trainer.get(page_of(run)).text


def test_a_finished_run_leads_to_its_model_and_its_verdict(
    ada_client: Client, run: Run, judged: Model
) -> None:
    page = text(ada_client, page_of(run))
    assert reverse("project-model", args=[run.project.slug, judged.pk]) in page
    assert "candidate, not promoted" in page and "It cannot be &lt;judged&gt;: not promoted" in page


def test_a_report_may_do_nothing(ada_client: Client, run: Run) -> None:
    assert ada_client.get(page_of(run, "report")).status_code == 404
    store({"report.html": "<script>alert(1)</script>"}, name=run.folder)
    response = ada_client.get(page_of(run, "report"))
    assert response.content.startswith(b"<script>")
    policy = response["Content-Security-Policy"]
    assert "sandbox;" in policy and "default-src 'none'" in policy and "allow" not in policy
    assert page_of(run, "report") in text(ada_client, page_of(run))


def test_a_report_is_announced_with_what_it_holds(ada_client: Client, run: Run) -> None:
    store({"report.html": "<title>a report</title>"}, name=run.folder)
    assert "pictures over time" in text(ada_client, page_of(run))
    Run.objects.filter(pk=run.pk).update(recipe="clip")
    assert "Its report: curves and figures</a>" in text(ada_client, page_of(run))


def test_a_run_on_pairs_shows_their_other_halves(ada_client: Client, run: Run) -> None:
    Run.objects.update(recipe="pairs")
    page = text(ada_client, page_of(run))
    assert "The other halves of the same pairs" in page
    assert "The same prompts" not in page


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
    done = Event.objects.filter(kind=Event.Kind.RUN).values_list("message", "actor")
    assert set(done) == {(f"Cancelled the run {run}.", "ada"), (f"Resumed the run {run}.", "ada")}


def test_a_deleted_run_takes_its_folder_along(ada_client: Client, run: Run) -> None:
    page = ada_client.post(page_of(run, "delete"), follow=True).content.decode()
    assert "cancel it first" in page and Run.objects.exists()
    Run.objects.update(state=State.CANCELLED)
    ada_client.post(page_of(run, "delete"))
    folder_deletions.delete_folders()
    assert not Run.objects.exists() and not stored_folders.exists(run.folder)


def test_a_run_whose_model_reads_the_texts_of_another_stays(
    ada_client: Client, run: Run, judged: Model
) -> None:
    Run.objects.create(project=run.project, recipe="gan", clip=judged)
    page = ada_client.post(page_of(run, "delete"), follow=True).content.decode()
    assert "Other runs read their texts" in page and Run.objects.filter(pk=run.pk).exists()


def test_csrf_is_checked(run: Run, ada: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)
    assert client.post(page_of(run, "cancel")).status_code == 403


@pytest.mark.parametrize("name", ["log.txt", "000500.png.png", "999999.png"])
def test_only_sample_grids_are_served(ada_client: Client, run: Run, name: str) -> None:
    assert ada_client.get(f"{page_of(run)}samples/{name}").status_code == 404


@pytest.mark.parametrize("role", ["reviewer", "viewer"])
def test_who_may_only_look_does_nothing_to_a_run(member: SignIn, run: Run, role: str) -> None:
    client = member(role)
    assert "Cancel" not in text(client, page_of(run))
    assert client.get(page_of(run, "live")).status_code == 200
    for what in ("cancel", "resume", "delete"):
        assert client.post(page_of(run, what)).status_code == 403


@pytest.mark.parametrize("role", ["owner", "trainer"])
def test_owners_and_trainers_cancel_a_run(member: SignIn, run: Run, role: str) -> None:
    member(role).post(page_of(run, "cancel"))
    assert Run.objects.get(pk=run.pk).cancel_requested


def test_others_are_not_told_of_a_run(client: Client, run: Run, bea: User, member: SignIn) -> None:
    assert "/sign-in" in client.get(page_of(run))["Location"]
    client.force_login(bea)
    for visitor in (client, member("annotator")):
        for what in ("", "live", "log", "report"):
            assert visitor.get(page_of(run, what)).status_code == 404


def test_a_run_is_reached_by_its_own_project_alone(ada_client: Client, run: Run) -> None:
    Project.objects.create(slug="moon", name="Moon")
    assert ada_client.get(reverse("project-run", args=["moon", run.pk])).status_code == 404


def test_the_admins_lists_lead_to_the_pages(
    ada_client: Client, client: Client, run: Run, judged: Model, bea: User
) -> None:
    assert page_of(run) in text(ada_client, "/admin/training/run/")
    address = reverse("admin:training_run_change", args=[run.pk])
    assert ada_client.get(address)["Location"] == page_of(run)
    model = reverse("admin:training_model_change", args=[judged.pk])
    assert reverse("project-model", args=[run.project.slug, judged.pk]) in text(ada_client, model)
    assert "It cannot be &lt;judged&gt;" in text(ada_client, "/admin/training/model/")
    assert "the comparison" in text(ada_client, "/admin/training/promotion/")
    client.force_login(bea)
    assert client.get(address).status_code == 403
    allow(bea, "view_run")
    assert client.get(address).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_the_page_follows_the_run(
    live_server: LiveServer,
    run: Run,
    ada: User,
    page: Page,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tasks, "enqueue_on_commit", lambda task, *arguments, **options: None)
    client.force_login(ada)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value}
    page.context.add_cookies([cookie | {"url": live_server.url}])
    page.goto(live_server.url + page_of(run))
    page.get_by_text("step 3 of 9").wait_for()
    page.locator("path.mean").wait_for(state="attached")
    assert page.locator("[data-curve] circle").count() == 3
    Run.objects.update(step=6)
    page.get_by_text("step 6 of 9").wait_for()
    Run.objects.update(state=State.FAILED, error="The disk is full.")
    page.get_by_text("The disk is full.").wait_for()
    page.get_by_role("button", name="Resume").click()
    page.get_by_text("Queued: a worker takes it up").wait_for()
