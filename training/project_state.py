"""Where a project's models stand: what is current, what waits, and what has not been learnt yet."""

from django.conf import settings

from labeling.models import Project
from training import labels, retraining, runs
from training.models import Model, Run

WAITING_MAX = 20  # candidates


def current_models(project: Project) -> list[Model]:
    """Return the current model of each recipe."""
    current = Model.objects.filter(project=project, current=True)
    current = current.select_related("run", "project").prefetch_related("promotions")
    return list(current.order_by("recipe"))


def waiting_models(project: Project) -> list[Model]:
    """Return candidates that a person may look at: newer than the current model of their recipe."""
    current = {model.recipe: model.pk for model in current_models(project)}
    candidates = Model.objects.filter(project=project, current=False, promotions=None)
    related = candidates.select_related("run", "project").prefetch_related("promotions")
    newest = related[:WAITING_MAX]
    return [model for model in newest if model.pk > current.get(model.recipe, 0)]


def unfinished_runs(project: Project) -> list[Run]:
    """Return its running runs, then its queued ones in the order in which they start."""
    running = Run.objects.filter(project=project, state=Run.State.RUNNING)
    queued = runs.queue().filter(project=project)
    related = ("project", "snapshot", "requested_by")
    return [*running.select_related(*related), *queued.select_related(*related)]


def new_labels(project: Project) -> int:
    """Return how many settled labels the newest run has not seen."""
    return labels.new(project).count()


def retraining_state(project: Project) -> str:
    """Return when it retrains by itself, in a sentence; empty where it does not."""
    if not project.retrain_after or project.state != Project.State.OPEN:
        return ""
    if (missing := settings.RETRAIN_MINIMUM - labels.settled(project).count()) > 0:
        return f"It retrains by itself once {missing:,} more labels are settled."
    missing = project.retrain_after - new_labels(project)
    if missing <= 0 and retraining.is_importing(project):
        return "It retrains by itself once nothing has been imported for ten minutes."
    if missing <= 0:
        return "It retrains by itself within a minute, once no run of it is under way."
    recipes = " and ".join(retraining.RECIPES)
    return f"It retrains by itself ({recipes}) after {missing:,} more new labels."
