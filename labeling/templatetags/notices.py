"""Template tags that tell what waits for whoever looks at a page."""

from typing import Any

from django import template
from django.template import Context
from django.urls import reverse

from labeling import notices
from labeling.models import Project
from labeling.notices import Notice

register = template.Library()


@register.simple_tag(takes_context=True)
def waiting_count(context: Context) -> int:
    """Return how much waits for whoever looks at the page, in all their projects."""
    user: Any = context.get("user")
    return notices.count(user) if user is not None and user.is_authenticated else 0


@register.simple_tag(takes_context=True)
def waiting_in(context: Context, project: Project) -> int:
    """Return how much waits for whoever looks at the page in one project."""
    user: Any = context.get("user")
    return len(notices.of(project, user)) if user is not None and user.is_authenticated else 0


@register.inclusion_tag("project/notices.html", takes_context=True)
def show_notices(context: Context, project: Project) -> dict[str, Any]:
    """Show what waits in a project for whoever looks at the page."""
    waiting = notices.of(project, context["user"])
    return {"notices": [(notice.text, _address(notice, project)) for notice in waiting]}


def _address(notice: Notice, project: Project) -> str:
    arguments = [project.slug] if notice.row is None else [project.slug, notice.row]
    return f"{reverse(notice.page, args=arguments)}{notice.query}"
