"""A run that would learn from nothing says so first, and starts only if it is to all the same."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from labeling import snapshots
from labeling.models import Pair, Project, Question, Snapshot
from training import labels, readiness, run_requests
from training.models import Run

LABELS = "0 settled labels"


def test_captions_alone_are_said_to_be_unchecked(shapes: Project) -> None:
    known = readiness.of_project(shapes)
    assert known.numbers == "0 settled labels, 24 captions, 24 pictures"
    assert "which nobody has checked" in readiness.warning(known, "diffusion")


def test_pictures_alone_teach_how_they_look(shapes: Project) -> None:
    Question.objects.filter(kind=Question.Kind.CAPTION).delete()
    known = readiness.of_project(shapes)
    assert "hardly what words mean" in readiness.warning(known, "diffusion")
    assert "next to nothing" in readiness.warning(known, "clip")


def test_labels_need_no_warning_and_count_as_of_the_snapshot(
    shapes: Project, snapshot: Snapshot
) -> None:
    newest = Question.objects.filter(kind=Question.Kind.CONCEPT)[0]
    Question.objects.filter(pk=newest.pk).update(settled_at=timezone.now())
    assert readiness.warning(readiness.of_project(shapes), "diffusion") == ""
    assert LABELS in readiness.warning(readiness.of_snapshot(snapshot), "diffusion")
    Question.objects.filter(pk=newest.pk).update(settled_at=snapshot.moment)
    assert readiness.warning(readiness.of_snapshot(snapshot), "diffusion") == ""


def test_labels_count_until_a_snapshot_was_frozen_however_long_it_waited(shapes: Project) -> None:
    waiting = snapshots.begin(project=shapes)
    Question.objects.filter(project=shapes).update(settled_at=timezone.now())
    assert readiness.of_snapshot(waiting).labels == 0
    frozen = snapshots.fill(waiting)
    assert readiness.of_snapshot(frozen).labels == labels.settled(shapes).count() > 0
    Run.objects.create(project=shapes, snapshot=frozen, recipe="clip", preset="smoke")
    assert not labels.new(shapes).exists()


def test_pairs_are_learnt_from_without_labels_and_nothing_else_is(shapes: Project) -> None:
    assert "There are no pairs" in readiness.warning(readiness.of_project(shapes), "pairs")
    Pair.objects.create(image=shapes.images.all()[0])
    assert readiness.warning(readiness.of_project(shapes), "pairs") == ""
    frozen = snapshots.freeze(project=shapes)
    assert readiness.warning(readiness.of_snapshot(frozen), "pairs") == ""


def test_what_imports_state_is_learnt_from_without_captions(shapes: Project) -> None:
    Question.objects.filter(kind=Question.Kind.CAPTION).delete()
    shapes.images.update(stated_keys=["circle"])
    known = readiness.of_project(shapes)
    assert known.numbers == "0 settled labels, 0 captions, 24 pictures, 24 with imported keywords"
    assert "imported words say, which nobody" in readiness.warning(known, "diffusion")
    frozen = snapshots.freeze(project=shapes)
    assert readiness.of_snapshot(frozen).stated == 24
    Pair.objects.create(image=shapes.images.all()[0])
    assert readiness.of_project(shapes).numbers.endswith(
        "1 of them a pair, 23 with imported keywords"
    )


def test_an_empty_project_has_nothing_to_learn_from(db: None) -> None:
    empty = Project.objects.create(slug="empty", name="Empty")
    assert "nothing to learn from" in readiness.warning(readiness.of_project(empty), "clip")


@pytest.mark.parametrize("preset", ["smoke", "cpu"])
def test_a_smoke_run_asks_no_questions(bare_snapshot: Snapshot, preset: str) -> None:
    wish = {"snapshot": bare_snapshot, "recipe": "clip", "preset": preset, "trigger": "api"}
    if preset == "cpu":
        with pytest.raises(readiness.NothingToLearnError, match=LABELS):
            run_requests.create(**wish)  # type: ignore[arg-type]
    else:
        run_requests.create(**wish)  # type: ignore[arg-type]
    assert Run.objects.exists() == (preset == "smoke")


def test_pairs_are_never_learnt_from_none(bare_snapshot: Snapshot) -> None:
    with pytest.raises(readiness.NothingToLearnError, match="no pairs"):
        run_requests.create(
            snapshot=bare_snapshot, recipe="pairs", preset="smoke", trigger=Run.Trigger.API
        )
    assert not Run.objects.exists()


def test_the_api_says_how_to_train_all_the_same(
    ada_client: Client, bare_snapshot: Snapshot
) -> None:
    wish = {"project": "shapes", "recipe": "diffusion"}
    answer = ada_client.post("/api/v1/runs/", wish, content_type="application/json")
    detail = answer.json()["detail"]
    assert answer.status_code == 400 and LABELS in detail and "anyway: true" in detail
    wish["anyway"] = True
    answer = ada_client.post("/api/v1/runs/", wish, content_type="application/json")
    assert answer.status_code == 201


def test_the_command_says_how_to_train_all_the_same(bare_snapshot: Snapshot) -> None:
    with pytest.raises(CommandError, match="add --anyway"):
        call_command("train", "latest", recipe="diffusion")
    assert not Run.objects.exists()


def test_the_outlook_is_told_by_the_api(ada_client: Client, bare_snapshot: Snapshot) -> None:
    address = "/api/v1/projects/shapes/outlook/"
    body = ada_client.get(address, {"recipe": "diffusion"}).json()
    assert LABELS in body["warning"] and body["takes"]["words"] == "about 6 to 15 minutes"
    assert body["before"] == 0 and body["wait"] is None
    assert ada_client.get(address, {"recipe": "alchemy"}).status_code == 400
    assert ada_client.get(address, {"snapshot": 4711}).status_code == 404
