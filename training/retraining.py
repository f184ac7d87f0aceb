"""When a project retrains by itself: enough new labels, and nothing under way."""

from collections.abc import Iterator

from django.conf import settings
from django.db.models import QuerySet

from labeling.models import Project, Question
from training import runs
from training.models import Run


def due() -> Iterator[Project]:
    """Active projects that have learnt enough since their newest run began."""
    for project in Project.objects.filter(active=True, retrain_after__gt=0):
        if not runs.busy(project=project) and is_due(project):
            yield project


def is_due(project: Project) -> bool:
    return (
        labels(project).count() >= settings.RETRAIN_MINIMUM
        and new_labels(project).count() >= project.retrain_after
    )


def labels(project: Project) -> QuerySet[Question]:
    """Questions that people's answers, or a reviewer, have settled."""
    return Question.objects.filter(project=project, settled_at__isnull=False)


def new_labels(project: Project) -> QuerySet[Question]:
    """Those that the newest run has not seen."""
    newest = Run.objects.filter(project=project).select_related("snapshot").first()
    if newest is None:
        return labels(project)
    seen = newest.created_at
    if newest.snapshot and newest.trigger != Run.Trigger.SCHEDULE:  # which freezes its own
        seen = newest.snapshot.created_at
    return labels(project).filter(settled_at__gt=seen)
