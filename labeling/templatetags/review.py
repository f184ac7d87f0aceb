"""Template tags of the admin's pages."""

from django import template
from django.contrib.auth.models import AbstractUser
from django.db.models import QuerySet

from labeling.models import Project, Question
from labeling.permissions import may_view

register = template.Library()


@register.simple_tag
def projects_to_review(user: AbstractUser) -> QuerySet[Project]:
    """Return the projects that the user may review, twenty at most."""
    if may_view(user, Project, Question):
        return Project.objects.all()[:20]
    return Project.objects.none()


@register.filter
def percent(share: float | None, digits: int = 0) -> str:
    """Format a share from 0 to 1 in percent, and None as a dash."""
    return "–" if share is None else f"{100 * share:.{digits}f} %"
