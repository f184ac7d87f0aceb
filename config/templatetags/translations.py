"""Template tags about the language of a page."""

from typing import Any

from django import template
from django.conf import settings
from django.template import Context
from django.urls import reverse
from django.utils.translation import get_language

from config import language

register = template.Library()


@register.simple_tag
def catalogue_address() -> str:
    """Return the address of the sentences of a page's scripts; empty in English."""
    current = get_language() or language.ENGLISH
    if current == language.ENGLISH:
        return ""
    version = language.catalogue_version(current)
    return reverse("javascript-catalog", args=[current, version])


@register.inclusion_tag("languages.html", takes_context=True)
def choose_language(context: Context) -> dict[str, Any]:
    """Offer the languages of the site, each under its own name, where the page speaks them."""
    request = context.get("request")
    if request is None or not language.is_translated(request.path_info):
        return {"languages": ()}
    returns = request.get_full_path() if request.method in {"GET", "HEAD"} else "/"
    return {
        "languages": settings.LANGUAGES,
        "current": get_language(),
        "next": returns,
        "csrf_token": context.get("csrf_token"),
    }
