"""What the frame of the CAPTCHA shows."""

from django import template

from labeling.captcha import widget_strings

register = template.Library()


@register.simple_tag
def frame_strings() -> dict[str, str]:
    """Return the sentences of the frame's scripts."""
    return widget_strings.frame_strings()
