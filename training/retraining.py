"""When a project retrains by itself: enough new labels, and no run under way."""

from collections.abc import Iterator

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from labeling.models import Project
from training import labels, run_requests, runs
from training.models import Run
from training.run_requests import RunRequest

RECIPES = ("clip", "diffusion")  # in the order in which they train


def check_settings() -> None:
    """Raise ImproperlyConfigured where a recipe that retrains has no preset `RETRAIN_PRESET`."""
    for recipe in RECIPES:
        try:
            run_requests.check_preset(recipe, settings.RETRAIN_PRESET)
        except runs.RunError as error:
            raise ImproperlyConfigured(f"RETRAIN_PRESET is wrong. {error}") from None


def requests(project: Project) -> Iterator[RunRequest]:
    """Yield the runs to request of a project that is due."""
    for recipe in RECIPES:
        yield {
            "project": project,
            "recipe": recipe,
            "preset": settings.RETRAIN_PRESET,
            "trigger": Run.Trigger.SCHEDULE,
        }


def due() -> Iterator[Project]:
    """Yield the active projects with enough labels that their newest run has not seen."""
    for project in Project.objects.open().filter(retrain_after__gt=0):
        if not runs.busy(project=project) and is_due(project):
            yield project


def is_due(project: Project) -> bool:
    """Return whether there are enough labels, and enough new ones."""
    return (
        labels.settled(project).count() >= settings.RETRAIN_MINIMUM
        and labels.new(project).count() >= project.retrain_after
    )
