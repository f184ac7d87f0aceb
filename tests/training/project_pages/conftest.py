"""A run under way, and a judged candidate beside a current model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.models import User
    from django.test import Client

    from labeling.models import Snapshot
    from training.models import Model, Run


@pytest.fixture
def run(bare_snapshot: Snapshot) -> Run:
    """Return a run that has learnt for three steps."""
    from PIL import Image

    from tests.pictures import encoded
    from tests.training.studio import store
    from training import run_folders
    from training.models import Run

    lines = [{"step": n, "steps": 9, "loss": 1 / n, "stage": "train"} for n in (1, 2, 3)]
    files: dict[str, str | bytes] = {
        "samples/000500.png": encoded(Image.new("RGB", (64, 32), "red"), "PNG"),
        "prompts.json": '["a red apple"]',
        "log.txt": "line one\nline <two>\n",
        "progress.jsonl": "".join(json.dumps(line) + "\n" for line in lines),
    }
    run = Run.objects.create(
        project=bare_snapshot.project,
        snapshot=bare_snapshot,
        recipe="diffusion",
        preset="cpu",
        state=Run.State.RUNNING,
        stage="train",
        step=3,
        steps=9,
        loss=0.33,
        images_per_second=1234.5,
        seconds_left=70.0,
    )
    run.folder = run_folders.name_of(run)
    run.save()
    store(files, name=run.folder)
    return run


@pytest.fixture
def judged(run: Run) -> Model:
    """Return the run's model, which stayed a candidate, beside a current one."""
    from django.utils import timezone

    from tests.training.studio import store
    from training import run_folders
    from training.models import Model, Promotion, Run

    metrics = {"r_precision@judge": 0.9, "near_copies": 0.25, "nearest_train_apart": 1.5}
    beside = {"low": 0.85, "high": 0.95, "chance": 0.125, "real": 0.975}
    metrics |= {f"r_precision@judge_{name}": value for name, value in beside.items()}
    Run.objects.filter(pk=run.pk).update(state=Run.State.SUCCEEDED, metrics=metrics)
    old = Run.objects.create(
        project=run.project,
        recipe="diffusion",
        preset="cpu",
        state=Run.State.SUCCEEDED,
        metrics={"r_precision@judge": 0.7},
    )
    for each in (old, run):
        store({"config.json": "{}"}, name=run_folders.model_name_of(each))
    first = Model.objects.create(
        project=run.project,
        run=old,
        recipe="diffusion",
        current=True,
        accepted=True,
        folder=run_folders.model_name_of(old),
        suggestions=["a circle"],
    )
    Promotion.objects.create(
        project=run.project,
        recipe="diffusion",
        model=first,
        automatic=True,
        reason="Better than chance by 40 points on how well pictures fit their words (±6).",
    )
    judge = {"name": "r_precision@judge", "new": 0.9, "current": 0.7, "difference": 0.2}
    judge |= {"low": -0.31, "high": 0.71, "margin": 0.05, "n": 60, "says": "cannot tell"}
    verdict = {"promoted": False, "why": "It cannot be <judged>.", "judges": [judge]}
    return Model.objects.create(
        project=run.project,
        run=run,
        recipe="diffusion",
        folder=run_folders.model_name_of(run),
        verdict=verdict | {"baseline": first.pk, "answers": 21},
        reviewed_at=timezone.now(),
        suggestions=["a circle", "a square"],
    )


@pytest.fixture
def member(run: Run) -> Callable[..., Client]:
    """Return how to sign in as somebody with a role in the project."""
    from django.contrib.auth.models import User
    from django.test import Client

    from labeling.models import Membership

    def sign_in(role: str) -> Client:
        user: User = User.objects.create_user(f"{role} {User.objects.count()}")
        Membership.objects.create(project=run.project, user=user, role=role)
        client = Client()
        client.force_login(user)
        return client

    return sign_in
