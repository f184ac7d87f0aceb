"""Trainers are told of runs that failed, and of models that nobody has compared."""

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.urls import get_resolver
from django.utils import timezone

from labeling import notices
from labeling.models import Membership, Project
from training.models import Model, Run

pytestmark = pytest.mark.django_db


@pytest.fixture
def tom(shapes: Project) -> User:
    trainer = User.objects.create_user("tom")
    Membership.objects.create(project=shapes, user=trainer, role="trainer")
    return trainer


def texts(project: Project, user: User) -> list[str]:
    cache.clear()
    assert get_resolver().url_patterns  # whose modules register what they tell of
    return [notice.text for notice in notices.of(project, user)]


def test_a_failed_run_waits_until_a_newer_one_does_better(shapes: Project, tom: User) -> None:
    failed = Run.objects.create(project=shapes, recipe="clip", state="failed")
    assert texts(shapes, tom) == [f"Run {failed.pk} (clip) failed"]
    Run.objects.create(project=shapes, recipe="clip", state="queued")
    assert texts(shapes, tom) == []


def test_a_new_model_waits_until_it_is_compared(shapes: Project, tom: User) -> None:
    run = Run.objects.create(project=shapes, recipe="clip", state="succeeded")
    model = Model.objects.create(project=shapes, run=run, recipe="clip")
    assert texts(shapes, tom) == [f"Model {model.pk} (clip) waits to be compared"]
    Model.objects.update(reviewed_at=timezone.now())
    assert texts(shapes, tom) == []


def test_a_viewer_is_not_told(shapes: Project, carol: User) -> None:
    Run.objects.create(project=shapes, recipe="clip", state="failed")
    Membership.objects.create(project=shapes, user=carol, role="viewer")
    assert texts(shapes, carol) == []
