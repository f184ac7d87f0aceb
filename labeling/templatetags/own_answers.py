"""Whether somebody may have answered, and which visitor it is, for all pages."""

from typing import Any

from django import template
from django.conf import settings
from django.template.context import Context

from labeling import visitors

register = template.Library()


@register.simple_tag(takes_context=True)
def has_answers(context: Context) -> bool:
    """Return whether whoever looks at the page is signed in, or was given a visitor's cookie."""
    user: Any = context.get("user")
    if user is not None and user.is_authenticated:
        return True
    request: Any = context.get("request")
    return request is not None and settings.PSEUDONYM_COOKIE in request.COOKIES


@register.simple_tag(takes_context=True)
def visitor_key(context: Context) -> str:
    """Return a word by which pages tell a browser's visitors apart; empty: there is no cookie."""
    request: Any = context.get("request")
    return visitors.cookie_key(request) if request is not None else ""
