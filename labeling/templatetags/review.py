"""What the admin's first page says of the projects."""

from django import template
from django.contrib.auth.models import AbstractUser
from django.db.models import QuerySet

from labeling.models import Project

register = template.Library()


@register.simple_tag
def projects_to_review(user: AbstractUser) -> QuerySet[Project]:
    """The projects that the user may review."""
    if user.has_perms(["labeling.view_project", "labeling.view_question"]):
        return Project.objects.all()[:20]
    return Project.objects.none()


@register.filter
def percent(share: float | None, digits: int = 0) -> str:
    """A share as people read it; a dash where there is none."""
    return "–" if share is None else f"{100 * share:.{digits}f} %"
