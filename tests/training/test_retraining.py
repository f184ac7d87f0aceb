"""When a project retrains by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from labeling import images, questions
from labeling.images import tiles
from labeling.models import Concept, Import, Project, Question, Snapshot
from tests.pictures import plain
from training import project_state, retraining, tasks
from training.models import Run
from training.run_requests import RunRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django.fixtures import SettingsWrapper


@pytest.fixture
def busy_project(bare_snapshot: Snapshot, settings: SettingsWrapper) -> Project:
    """A project with six labels, which retrains after five new ones."""
    settings.RETRAIN_MINIMUM = 6
    project = bare_snapshot.project
    project.retrain_after = 5
    project.save()
    image, _ = images.add(project=project, data=plain(), source="1.png")
    concepts = [
        Concept.objects.create(project=project, name=f"c{n}", phrase=f"a c{n}") for n in range(8)
    ]
    questions.ask_concepts(tiles=[tiles.whole(image)], concepts=concepts)
    settle(6)
    return project


def settle(count: int) -> None:
    open_ones = Question.objects.filter(settled_at=None).values_list("pk", flat=True)[:count]
    Question.objects.filter(pk__in=list(open_ones)).update(
        state=Question.State.SETTLED, settled_at=timezone.now()
    )


def due() -> list[Project]:
    return list(retraining.due())


def test_enough_labels_start_both_recipes_once(busy_project: Project) -> None:
    tasks.retrain_due()
    tasks.retrain_due()
    runs = Run.objects.order_by("pk")
    assert [(run.recipe, run.preset, run.trigger) for run in runs] == [
        ("clip", "cpu", "schedule"),
        ("diffusion", "cpu", "schedule"),
    ]


def test_too_few_labels_start_nothing(busy_project: Project, settings: SettingsWrapper) -> None:
    settings.RETRAIN_MINIMUM = 7
    assert due() == []


@pytest.mark.parametrize("fields", [{"retrain_after": 0}, {"state": "archived"}])
def test_a_project_that_does_not_want_it_is_left_alone(
    busy_project: Project, fields: dict[str, object]
) -> None:
    Project.objects.update(**fields)
    assert due() == []


def test_it_waits_until_nothing_has_been_imported_for_a_while(busy_project: Project) -> None:
    record = Import.objects.create(project=busy_project, kind="answers", state="importing")
    assert due() == []
    now = timezone.now()
    Import.objects.filter(pk=record.pk).update(state="done", finished_at=now)
    assert due() == []
    assert "imported for ten minutes" in project_state.retraining_state(busy_project)
    Import.objects.filter(pk=record.pk).update(finished_at=now - retraining.QUIET)
    assert due() == [busy_project]


def test_only_labels_that_the_newest_run_has_not_seen_count(
    busy_project: Project, bare_snapshot: Snapshot
) -> None:
    run = Run.objects.create(
        project=busy_project, snapshot=bare_snapshot, recipe="clip", state=Run.State.FAILED
    )
    Snapshot.objects.update(created_at=timezone.now())
    assert due() == []
    busy_project.retrain_after = 2
    busy_project.save()
    settle(2)
    assert due() == [busy_project]
    Run.objects.filter(pk=run.pk).update(state=Run.State.RUNNING)
    assert due() == []


def test_a_scheduled_run_has_seen_what_was_settled_before_it_was_asked_for(
    busy_project: Project, bare_snapshot: Snapshot
) -> None:
    """Even if its snapshot is an older one, because nothing else had changed since."""
    Run.objects.create(
        project=busy_project,
        snapshot=bare_snapshot,
        recipe="clip",
        state=Run.State.SUCCEEDED,
        trigger=Run.Trigger.SCHEDULE,
    )
    Snapshot.objects.update(created_at=timezone.now() - timedelta(days=1))
    assert due() == []


@pytest.mark.parametrize(("preset", "recipe"), [("gpu-s", "clip"), ("tune", "diffusion")])
def test_a_preset_that_one_of_the_recipes_lacks_is_refused_at_the_start(
    settings: SettingsWrapper, preset: str, recipe: str
) -> None:
    """And not by every attempt to retrain, each minute."""
    settings.RETRAIN_PRESET = preset
    with pytest.raises(ImproperlyConfigured, match=f"RETRAIN_PRESET.*{recipe} has no preset"):
        apps.get_app_config("training").ready()


def test_a_project_that_cannot_retrain_keeps_no_other_waiting(
    busy_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Project.objects.create(state="open", slug="broken", name="Broken")
    monkeypatch.setattr(retraining, "due", lambda: iter([broken, busy_project]))
    requests = retraining.requests

    def fail(project: Project) -> Iterator[RunRequest]:
        if project == broken:
            raise RuntimeError("its rows are broken")
        return requests(project)

    monkeypatch.setattr(retraining, "requests", fail)
    tasks.retrain_due()
    assert {run.project for run in Run.objects.all()} == {busy_project}
