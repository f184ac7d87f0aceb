"""The interval of a difference as a small bar."""

from django.utils.html import format_html
from django.utils.safestring import SafeString

from training.verdicts import Figure

WIDTH, HEIGHT, EDGE = 160, 18, 6  # of a bar, in CSS pixels


def bar(figure: Figure) -> SafeString | str:
    """Draw the interval of a difference about 0; right is better, the shaded part no worse."""
    if figure.numbers is None:
        return ""
    difference, low, high, margin = figure.numbers
    span = max(abs(low), abs(high), abs(difference), 2 * margin) or 1.0

    def x(value: float) -> str:
        return f"{WIDTH / 2 + value / span * (WIDTH / 2 - EDGE):.1f}"

    return format_html(
        '<svg class="verdict-bar" width="{}" height="{}" aria-hidden="true">'
        '<rect class="margin" x="{}" y="2" width="{}" height="14"/>'
        '<line class="zero" x1="{}" x2="{}" y1="0" y2="18"/>'
        '<line class="range" x1="{}" x2="{}" y1="9" y2="9"/>'
        '<circle cx="{}" cy="9" r="4"/></svg>',
        WIDTH, HEIGHT, x(-margin), f"{float(x(0)) - float(x(-margin)):.1f}",
        x(0), x(0), x(low), x(high), x(difference),
    )  # fmt: skip
