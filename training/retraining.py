"""When a project retrains by itself: enough new labels, and no run under way."""

from collections.abc import Iterator

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from labeling.models import Project
from training import judged_drawings, labels, promotion, run_requests, runs
from training.engine.presets import PREFERENCES
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
    """Yield the runs to request of a project that is due.

    The last one goes on from the model that is current by then, once people have judged enough
    drawings to tell what they prefer.
    """
    for recipe in RECIPES:
        yield _request(project, recipe, settings.RETRAIN_PRESET)
    if _prefer_enough(project):
        yield _request(project, "diffusion", PREFERENCES)


def _request(project: Project, recipe: str, preset: str) -> RunRequest:
    trigger = Run.Trigger.SCHEDULE
    return {"project": project, "recipe": recipe, "preset": preset, "trigger": trigger}


def _prefer_enough(project: Project) -> bool:
    has_model = promotion.current_of(project.pk, "diffusion") is not None
    return has_model and judged_drawings.preferences(project).enough


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
