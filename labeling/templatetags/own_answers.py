"""Whether somebody may have answered, for the footer of all pages."""

from typing import Any

from django import template
from django.conf import settings
from django.template.context import Context

register = template.Library()


@register.simple_tag(takes_context=True)
def has_answers(context: Context) -> bool:
    """Return whether whoever looks at the page is signed in, or was given a visitor's cookie."""
    user: Any = context.get("user")
    if user is not None and user.is_authenticated:
        return True
    request: Any = context.get("request")
    return request is not None and settings.PSEUDONYM_COOKIE in request.COOKIES
