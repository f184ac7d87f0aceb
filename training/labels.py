"""The labels that a model can learn from, and those that the newest run has not seen."""

from django.db.models import QuerySet

from labeling.models import Project, Question
from training.models import Run


def settled(project: Project) -> QuerySet[Question]:
    """Return the questions that people's answers, or a reviewer, have settled."""
    return Question.objects.filter(project=project, settled_at__isnull=False)


def new(project: Project) -> QuerySet[Question]:
    """Return those that the newest run has not seen."""
    newest = Run.objects.filter(project=project).select_related("snapshot").first()
    if newest is None:
        return settled(project)
    seen_until = newest.created_at
    if newest.snapshot and newest.trigger != Run.Trigger.SCHEDULE:  # which freezes its own
        seen_until = newest.snapshot.moment
    return settled(project).filter(settled_at__gt=seen_until)
