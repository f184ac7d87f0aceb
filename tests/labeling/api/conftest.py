"""One row of everything that the API shows."""

import secrets
from datetime import timedelta
from typing import Any

import pytest


@pytest.fixture(scope="session")
def document() -> dict[str, Any]:
    """The OpenAPI document, made once for all tests, which only read it."""
    from drf_spectacular.generators import SchemaGenerator

    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return made


@pytest.fixture
def ids(shapes, mallory, ada, client) -> dict[str, object]:
    """What stands in the braces of the endpoints."""
    from django.contrib.auth.models import User
    from django.core.files.base import ContentFile
    from django.utils import timezone

    from labeling import comments, decisions, stored_folders, tokens, webhooks
    from labeling.captcha import sites
    from labeling.models import (
        Answer,
        ConceptExample,
        Export,
        Import,
        Invitation,
        Membership,
        Question,
        Snapshot,
    )
    from tests.cast import answer
    from training.models import Generation, Model, Promotion, Run

    upload = Import.objects.create(project=shapes, name="box", folder="box")
    upload.report.save("report.csv", ContentFile(b"path,outcome\n"))
    snapshot = Snapshot.objects.create(project=shapes)
    folder = f"exports/{secrets.token_hex(4)}"
    place = stored_folders.working(folder)
    (place / "MANIFEST.sha256").write_bytes(b"")
    stored_folders.put(place, folder)
    export = Export.objects.create(
        project=shapes, snapshot=snapshot, format="labels", state="ready", folder=folder
    )
    run_folder = f"runs/{secrets.token_hex(4)}"
    place = stored_folders.working(run_folder)
    for name in ("log.txt", "report.html"):
        (place / name).write_text("It ran.")
    stored_folders.put(place, run_folder)
    run = Run.objects.create(
        project=shapes,
        snapshot=snapshot,
        recipe="diffusion",
        trigger=Run.Trigger.PAGE,
        folder=run_folder,
    )
    model = Model.objects.create(project=shapes, run=run, recipe="diffusion")
    earlier = Run.objects.create(
        project=shapes, snapshot=snapshot, recipe="diffusion", trigger=Run.Trigger.PAGE
    )
    Model.objects.create(project=shapes, run=earlier, recipe="diffusion")
    promotion = Promotion.objects.create(project=shapes, recipe="diffusion", model=model)
    body = {"project": "shapes", "kind": "grid"}
    shown = client.post("/api/v1/challenges/", body, content_type="application/json")
    circle = shapes.concepts.get(name="circle")
    gold = Question.objects.filter(state="gold").first()
    Answer.objects.create(question=gold, annotator=mallory, value=True, reason="gold")
    tile = gold.tile
    example = ConceptExample.objects.create(concept=circle, tile=tile, kind="yes")
    decided = Question.objects.filter(state="open").last()
    outcome = decisions.decide_many(project=shapes, choice="yes", seen={decided.pk: None}, by=ada)
    member = Membership.objects.create(
        project=shapes, user=User.objects.create_user("member"), role="viewer"
    )
    invitation = Invitation.objects.create(
        project=shapes, role="viewer", expires_at=timezone.now() + timedelta(days=1)
    )
    hook = webhooks.create(
        project=shapes, url="https://example.org/hook", events=["snapshot.ready"], by=ada
    )
    site, _secret = sites.create(project=shapes, by=ada, name="Shop", hosts=["shop.example"])
    answer(mallory, {Question.objects.filter(state="open").first().pk: True})
    token, _secret = tokens.make(user=ada, name="script", scopes=["read"])
    return {
        "access": token.pk,
        "tile": tile.pk,
        "webhook": hook.pk,
        "site": site.pk,
        "delivery": webhooks.ping(hook=hook).pk,
        "batch": outcome.batch.pk,
        "comment": comments.remark(question=decided, text="Look at the corner.", by=ada).pk,
        "member": member.pk,
        "invitation": invitation.pk,
        "example": example.pk,
        "slug": shapes.slug,
        "token": shown.json()["token"],
        "image": shapes.images.last().pk,
        "import": upload.pk,
        "snapshot": snapshot.pk,
        "export": export.pk,
        "concept": circle.pk,
        "question": Question.objects.filter(state="open").first().pk,
        "annotator": mallory.pk,
        "run": run.pk,
        "model": model.pk,
        "promotion": promotion.pk,
        "generation": Generation.objects.create(model=model, prompt="a circle").pk,
    }
