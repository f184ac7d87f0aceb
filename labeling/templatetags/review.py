"""Template tags of the pages for reviewers."""

from django import template
from django.contrib.auth.models import AbstractUser
from django.db.models import QuerySet

from labeling import access, comments
from labeling.models import Project

MOST_FLAGS = 99  # that are counted

register = template.Library()


@register.simple_tag
def projects_to_review(user: AbstractUser) -> QuerySet[Project]:
    """Return the projects whose labels the user may see, twenty at most."""
    return access.projects(user)[:20]


@register.filter
def percent(share: float | None, digits: int = 0) -> str:
    """Format a share from 0 to 1 in percent, and None as a dash."""
    return "–" if share is None else f"{100 * share:.{digits}f} %"


@register.simple_tag
def flags_waiting(project: Project) -> str:
    """Return how many flags wait: "", "3", or "99+"."""
    count = comments.open_flags(project)[: MOST_FLAGS + 1].count()
    return "" if not count else str(count) if count <= MOST_FLAGS else f"{MOST_FLAGS}+"
