"""Small plots for pages and lists, as SVG without inline styles, which the CSP would refuse."""

from collections.abc import Iterable, Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from labeling.models import Question

SPARK_HEIGHT, SPARK_BAR, SPARK_GAP = 24, 5, 2  # units of a sparkline's drawing
SPARK_LEAST = 1.5  # height of a bar, so that a day without anything is a day, too


def probability_bar(question: Question) -> SafeString:
    """Draw a thin bar as long as the question's probability."""
    return bar(question.probability, question.state)


def bar(probability: float, state: str) -> SafeString:
    """Draw a thin bar as long as a probability."""
    percent = 100 * probability
    return format_html(
        '<svg class="tessera-probability {}" viewBox="0 0 100 4" preserveAspectRatio="none"'
        ' role="img" aria-label="probability {} %"><rect class="ground" width="100" height="4"/>'
        '<rect class="fill" width="{}" height="4"/></svg>',
        state,
        f"{percent:.0f}",
        f"{percent:.1f}",
    )


def probability_scale(question: Question) -> SafeString:
    """Draw the probability on a scale, with the prior, the model's and the thresholds."""
    settle_at = question.project.settle_at
    marks: list[tuple[str, float, str]] = [
        ("settle", 1 - settle_at, "settles as no"),
        ("settle", settle_at, "settles as yes"),
        ("prior", question.prior, "before any answer"),
    ]
    if question.model_probability is not None:
        marks.append(("model", question.model_probability, "the model's probability"))
    lines = format_html_join(
        "",
        '<line class="{}" x1="{}" x2="{}" y1="{}" y2="{}"><title>{}: {}</title></line>',
        (
            (kind, *2 * (_x(at),), *((4, 20) if kind == "settle" else (0, 24)), title, f"{at:.2f}")
            for kind, at, title in marks
        ),
    )
    return format_html(
        '<svg class="tessera-scale {}" viewBox="0 0 400 24" role="img"'
        ' aria-label="probability {}"><rect class="ground" y="7" width="400" height="10" rx="3"/>'
        '<rect class="fill" y="7" width="{}" height="10" rx="3"/>{}</svg>',
        question.state,
        f"{question.probability:.2f}",
        _x(question.probability),
        lines,
    )


def stacked_bar(parts: Iterable[tuple[str, int]]) -> SafeString:
    """Draw one bar made of named parts."""
    counts = list(parts)
    total = sum(count for _, count in counts) or 1
    rectangles, at = [], 0.0
    for name, count in counts:
        width = 1000 * count / total
        rectangles.append((name, f"{at:.1f}", f"{width:.1f}"))
        at += width
    return format_html(
        '<svg class="tessera-shares" viewBox="0 0 1000 10" preserveAspectRatio="none"'
        ' aria-hidden="true"><rect class="ground" width="1000" height="10"/>{}</svg>',
        format_html_join("", '<rect class="{}" x="{}" width="{}" height="10"/>', rectangles),
    )


def interval(
    mean: float, low: float, high: float, *, least: float = 0.0, label: str = ""
) -> SafeString:
    """Draw a dot with its interval, on a scale from `least` to 1."""
    at, left, right = (
        f"{100 * (min(max(value, least), 1.0) - least) / (1 - least):.1f}"
        for value in (mean, low, high)
    )
    zero = f"{100 * -least / (1 - least):.1f}"
    return format_html(
        '<svg class="tessera-interval" viewBox="-4 0 108 12" role="img" aria-label="{}">'
        '<line class="ground" x1="0" x2="100" y1="6" y2="6"/>'
        '<line class="zero" x1="{}" x2="{}" y1="2" y2="10"/>'
        '<line class="range" x1="{}" x2="{}" y1="6" y2="6"/>'
        '<circle cx="{}" cy="6" r="3"/></svg>',
        label or f"{mean:.2f}, between {low:.2f} and {high:.2f}",
        zero,
        zero,
        left,
        right,
        at,
    )


def sparkline(days: Sequence[int]) -> SafeString:
    """Draw a bar a day, the oldest first; the text beside it says the same."""
    most = max(days, default=0) or 1
    bars = [
        (
            "some" if count else "none",
            number * (SPARK_BAR + SPARK_GAP),
            f"{SPARK_HEIGHT - _spark_height(count, most):.1f}",
            SPARK_BAR,
            f"{_spark_height(count, most):.1f}",
        )
        for number, count in enumerate(days)
    ]
    rectangles = format_html_join(
        "", '<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="1"/>', bars
    )
    width = max(len(days) * (SPARK_BAR + SPARK_GAP) - SPARK_GAP, 1)
    return format_html(
        '<svg class="sparkline" viewBox="0 0 {} {}" aria-hidden="true">{}</svg>',
        width,
        SPARK_HEIGHT,
        rectangles,
    )


def _spark_height(count: int, most: int) -> float:
    return max(SPARK_HEIGHT * count / most, SPARK_LEAST)


def _x(probability: float) -> str:
    return f"{400 * probability:.1f}"
