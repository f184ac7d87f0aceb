"""Runs and models over HTTP."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.utils import timezone

from labeling.models import Membership, Snapshot
from tests.training.studio import store
from training import run_folders
from training.engine import metric_names
from training.models import Model, Promotion, Run

if TYPE_CHECKING:
    from django.contrib.auth.models import User

RUNS = "/api/v1/runs/"
State = Run.State


@pytest.fixture
def run(bare_snapshot: Snapshot) -> Run:
    return Run.objects.create(
        project=bare_snapshot.project, snapshot=bare_snapshot, recipe="clip", preset="cpu"
    )


def post(client: Client, address: str, **fields: Any) -> tuple[int, Any]:
    response = client.post(address, fields, content_type="application/json")
    return response.status_code, response.json()


def test_a_run_is_started_on_a_snapshot_or_a_project(
    ada_client: Client, bare_snapshot: Snapshot, ada: User
) -> None:
    status, body = post(
        ada_client, RUNS, snapshot=bare_snapshot.pk, recipe="clip", seed=3, anyway=True
    )
    assert status == 201
    run = Run.objects.get(pk=body["id"])
    assert (run.snapshot, run.preset, run.seed) == (bare_snapshot, "cpu", 3)
    assert (run.trigger, run.requested_by) == ("api", ada)
    status, body = post(
        ada_client, RUNS, project="shapes", recipe="gan", preset="smoke", options={"steps": 9}
    )
    assert body["options"] == {"steps": 9} and body["clip"] is None
    assert status == 201 and body["snapshot"] is None and body["project"] == "shapes"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "recipe"),
        ({"recipe": "clip"}, "Send one of these fields"),
        ({"recipe": "clip", "project": "shapes", "snapshot": 1}, "snapshot"),
        ({"recipe": "clip", "project": "moon"}, "project"),
        ({"recipe": "clip", "snapshot": 10**40}, "snapshot"),
        ({"recipe": "clip", "snapshot": "x\0"}, "snapshot"),
        ({"recipe": "alchemy", "project": "shapes"}, "no recipe 'alchemy'"),
        ({"recipe": "clip", "preset": "huge", "project": "shapes"}, "no preset 'huge'"),
        ({"recipe": "clip", "project": "shapes", "seed": 2**31}, "seed"),
        ({"recipe": ["clip"], "project": "shapes"}, "recipe"),
        ({"recipe": "clip", "project": "shapes", "options": [1]}, "options"),
        ({"recipe": "clip", "project": "shapes", "options": {"steps": {}}}, "option steps"),
        ({"recipe": "clip", "project": "shapes", "options": {"beta1": 10**400}}, "option beta1"),
        ({"recipe": "lora", "project": "shapes", "options": {"base": "\ud800"}}, "options: A text"),
        (
            {"recipe": "lora", "project": "shapes", "options": {"base": ["\udc00"]}},
            "options: A text",
        ),
        ({"recipe": "diffusion", "project": "shapes", "clip": 77}, "clip"),
    ],
)
def test_a_wrong_run_is_refused(
    ada_client: Client, bare_snapshot: Snapshot, fields: dict[str, Any], message: str
) -> None:
    status, answer = post(ada_client, RUNS, **fields)
    assert status == 400 and answer["code"] == "invalid" and message in answer["detail"]
    assert not Run.objects.exists()


def test_a_run_is_followed_cancelled_and_resumed(ada_client: Client, run: Run) -> None:
    lines = [{"step": n, "steps": 9, "loss": 1 / n, "stage": "train"} for n in (1, 2, 3, 2, 3, 4)]
    Run.objects.update(folder=(name := run_folders.name_of(run)), step=4)
    store({"progress.jsonl": "".join(json.dumps(line) + "\n" for line in lines)}, name=name)
    address = f"{RUNS}{run.pk}/"
    body = ada_client.get(address).json()
    assert body["step"] == 4 and [step for step, _ in body["curve"]] == [1, 2, 3, 4]
    assert post(ada_client, f"{address}cancel/")[1]["state"] == "cancelled"
    assert post(ada_client, f"{address}cancel/")[0] == 409
    assert post(ada_client, f"{address}resume/")[1]["state"] == "queued"
    assert post(ada_client, f"{address}resume/")[0] == 409
    assert ada_client.get(RUNS, {"state": "queued", "project": "shapes"}).json()["results"]
    assert ada_client.get(RUNS, {"state": "failed"}).json()["results"] == []


def test_models_are_listed_with_their_metrics(ada_client: Client, run: Run) -> None:
    Run.objects.update(metrics={"recall@10": 0.5})
    model = Model.objects.create(project=run.project, run=run, recipe="clip", current=True)
    (listed,) = ada_client.get("/api/v1/models/").json()["results"]
    assert listed == ada_client.get(f"/api/v1/models/{model.pk}/").json()
    assert listed["metrics"] == {"recall@10": 0.5} and listed["current"]


def model_of(run: Run, **fields: object) -> Model:
    """Make a run's model, whose folder is in the storage."""
    store({"config.json": "{}"}, name=(name := run_folders.model_name_of(run)))
    return Model.objects.create(project=run.project, run=run, recipe="clip", folder=name, **fields)


def test_a_model_is_made_the_current_one(ada_client: Client, run: Run, bea: User) -> None:
    model = model_of(run, feedback={})
    address = f"/api/v1/models/{model.pk}/promote/"
    status, body = post(ada_client, address)
    assert status == 400 and "reason" in body["detail"]
    status, body = post(ada_client, address, reason="It is better.", instead_of=0)
    assert status == 200 and body["current"] and body["feedback"] is None
    assert body["standing"] == "current"
    status, body = post(ada_client, address, reason="It is better.")
    assert status == 409 and "current one already" in body["detail"]
    ada_client.force_login(bea)
    assert post(ada_client, address, reason="It is better.")[0] == 404


def test_a_promotion_is_undone_or_the_model_taken_back(ada_client: Client, run: Run) -> None:
    model = model_of(run)
    address = f"/api/v1/models/{model.pk}/"
    post(ada_client, f"{address}promote/", reason="It is better.")
    status, body = post(ada_client, f"{address}demote/", reason="It is not.")
    assert status == 200 and not body["current"]
    change, promoted = ada_client.get("/api/v1/promotions/").json()["results"]
    assert change["model"] is None and change["replaced"] == model.pk
    assert (change["promoted_by"], change["reason"]) == ("ada", "It is not.")
    undo = f"/api/v1/promotions/{change['id']}/undo/"
    status, body = post(ada_client, undo, reason="It is, after all.")
    assert status == 200 and body["model"] == model.pk and body["undoes"] == change["id"]
    assert ada_client.get(address).json()["current"]
    assert post(ada_client, undo, reason="Again.")[0] == 409
    undo = f"/api/v1/promotions/{promoted['id']}/undo/"
    assert post(ada_client, undo, reason="None at all.")[1]["model"] is None


def test_a_verdict_is_told_in_words(ada_client: Client, run: Run) -> None:
    judge = {"name": "recall@10", "new": 0.87, "current": 0.84, "difference": 0.03}
    judge |= {"low": 0.01, "high": 0.05, "margin": 0.05, "n": 141, "says": "better"}
    why = "Better by 3 points on how often a caption finds its picture among ten (±2)."
    verdict = {"promoted": False, "why": why, "judges": [judge]}
    model = Model.objects.create(
        project=run.project, run=run, recipe="clip", verdict=verdict, reviewed_at=timezone.now()
    )
    body = ada_client.get(f"/api/v1/models/{model.pk}/").json()
    assert body["sentence"] == f"{why.rstrip('.')}: not promoted."
    (figure,) = body["figures"]
    assert figure == {
        "name": metric_names.words("recall@10"),
        "new": "87%",
        "current": "84%",
        "difference": "3 points better (±2)",
        "n": "141 pictures",
        "says": "better",
    }


@pytest.mark.parametrize("address", [f"{RUNS}4711/", f"{RUNS}{10**30}/", "/api/v1/models/4711/"])
def test_what_is_not_there_is_unknown(ada_client: Client, address: str) -> None:
    response = ada_client.get(address)
    assert response.status_code == 404 and response.json()["code"] == "not_found"


def test_others_than_staff_see_and_start_nothing(client: Client, run: Run, carol: User) -> None:
    for user, list_refused, run_refused in ((None, 401, 401), (carol, 403, 404)):
        if user:
            client.force_login(user)
        assert client.get(RUNS).status_code == list_refused
        assert post(client, RUNS, project="shapes", recipe="clip")[0] == list_refused
        assert client.get(f"{RUNS}{run.pk}/").status_code == run_refused
        assert post(client, f"{RUNS}{run.pk}/cancel/")[0] == run_refused


@pytest.mark.parametrize("address", [RUNS, "/api/v1/models/"])
def test_a_made_up_cursor_is_refused(ada_client: Client, address: str) -> None:
    position_x = "cD14"
    assert ada_client.get(f"{address}?cursor={position_x}").status_code == 400


def test_members_act_by_their_role(run: Run, carol: User, client: Client) -> None:
    model = model_of(run)
    change = Promotion.objects.create(project=run.project, recipe="clip", model=model)
    of_model, of_change = f"/api/v1/models/{model.pk}/", f"/api/v1/promotions/{change.pk}/"
    membership = Membership.objects.create(project=run.project, user=carol, role="viewer")
    client.force_login(carol)
    reason = {"reason": "It is better."}
    writes = [f"{of_model}promote/", f"{of_model}demote/", f"{of_change}undo/"]
    assert client.get(of_model).status_code == 200
    assert len(client.get("/api/v1/promotions/").json()["results"]) == 1
    assert [post(client, address, **reason)[0] for address in writes] == [403] * 3
    Membership.objects.filter(pk=membership.pk).update(role="trainer")
    assert post(client, writes[0], **reason)[0] == 200
    assert Model.objects.get(pk=model.pk).current
    membership.delete()
    assert [post(client, address, **reason)[0] for address in writes] == [404] * 3
