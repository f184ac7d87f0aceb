"""Whether somebody has projects of their own, for the header of all pages."""

from typing import Any

from django import template
from django.template.context import Context

from labeling import access

register = template.Library()


@register.simple_tag(takes_context=True)
def has_projects(context: Context) -> bool:
    """Return whether whoever looks at the page has a project to see, or may make one."""
    user: Any = context.get("user")
    if user is None or not user.is_authenticated:
        return False
    return access.may_create(user) or access.projects(user).exists()
