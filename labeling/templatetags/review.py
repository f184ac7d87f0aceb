"""Template tags of the pages for reviewers."""

from django import template
from django.contrib.auth.models import AbstractUser
from django.db.models import QuerySet

from labeling import access
from labeling.models import Project

register = template.Library()


@register.simple_tag
def projects_to_review(user: AbstractUser) -> QuerySet[Project]:
    """Return the projects whose labels the user may see, twenty at most."""
    return access.projects(user)[:20]


@register.filter
def percent(share: float | None, digits: int = 0) -> str:
    """Format a share from 0 to 1 in percent, and None as a dash."""
    return "–" if share is None else f"{100 * share:.{digits}f} %"
