"""When a project retrains by itself: enough new labels, and no run under way."""

from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Q
from django.utils import timezone

from labeling.models import Import, Project
from training import judged_drawings, labels, promotion, run_requests, runs
from training.engine.presets import PREFERENCES
from training.models import Run
from training.run_requests import RunRequest

RECIPES = ("clip", "diffusion")  # in the order in which they train
QUIET = timedelta(minutes=10)  # after an import
IMPORTING = (
    *(Import.State.FETCHING, Import.State.READING),
    *(Import.State.IMPORTING, Import.State.UNDOING),
)


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
    """Yield the active projects with enough labels that their newest run has not seen.

    While something is imported, and until QUIET after it, a project waits: more may come.
    """
    for project in Project.objects.open().filter(retrain_after__gt=0):
        if not runs.busy(project=project) and is_due(project):
            yield project


def is_due(project: Project) -> bool:
    """Return whether there are enough labels, and enough new ones, and no more are coming in."""
    return (
        not is_importing(project)
        and labels.settled(project).count() >= settings.RETRAIN_MINIMUM
        and labels.new(project).count() >= project.retrain_after
    )


def is_importing(project: Project) -> bool:
    """Return whether something is being imported, or was within QUIET."""
    under_way = Q(state__in=IMPORTING)
    just_ended = Q(finished_at__gt=timezone.now() - QUIET)
    return project.imports.filter(under_way | just_ended).exists()
