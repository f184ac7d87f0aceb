"""Show what people wrote as plain text."""

from django import template
from django.utils.safestring import SafeString

from labeling import plain_text as texts

register = template.Library()


@register.filter
def plain_text(text: str) -> SafeString:
    """Return text as paragraphs and lists, escaped."""
    return texts.to_html(text)
