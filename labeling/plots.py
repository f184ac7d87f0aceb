"""Reliability diagrams and histories as SVG, styled by the admin's style sheet."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from labeling.aggregation.calibration import EDGES

LEFT, TOP, WIDTH, HEIGHT = 46, 8, 350, 170  # of the frame
COLUMN = WIDTH / (len(EDGES) - 1)
PATH_HEIGHT = 96  # of a history's frame


@dataclass(frozen=True)
class Frame:
    """The vertical axis, from `least` to `most`."""

    least: float
    most: float
    height: int
    percent: bool = True  # the axis tells percent

    def y(self, value: float) -> str:
        inside = (min(max(value, self.least), self.most) - self.least) / (self.most - self.least)
        return f"{TOP + self.height * (1 - inside):.1f}"

    def grid(self, ticks: Iterable[float]) -> SafeString:
        """Draw a horizontal line at each tick, with its value."""
        rows = [
            (LEFT, LEFT + WIDTH, self.y(at), self.y(at), LEFT - 5, self.y(at), text)
            for at in ticks
            for text in [f"{100 * at:.0f} %" if self.percent else f"{at:g}"]
        ]
        return format_html_join(
            "",
            '<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>'
            '<text class="tick" x="{}" y="{}" dy="0.35em" text-anchor="end">{}</text>',
            rows,
        )


@dataclass(frozen=True)
class Series:
    """Values of one kind over time; None where there was none."""

    name: str  # the class that colours it
    at: Sequence[datetime]
    value: Sequence[float | None]
    low: Sequence[float | None] | None = None  # of a band around it
    high: Sequence[float | None] | None = None


def reliability(calibration: Mapping[str, Any], *, label: str) -> SafeString:
    """Draw each bin's confidence (a line) and how often its labels were right (a dot).

    `calibration` is one of `labeling.quality`. Dots carry their 95 % interval, and each bin its n.
    """
    bins = {each["at_least"]: (each["below"], each["reliability"]) for each in calibration["bins"]}
    lowest = min(share["low"] for _, share in bins.values())
    least = 0.5 if lowest >= 0.5 else 0.25 if lowest >= 0.25 else 0.0
    frame = Frame(least, 1.0, HEIGHT)
    ticks = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0) if least == 0.5 else (0.0, 0.25, 0.5, 0.75, 1.0)
    columns = [
        _column(place, at_least, below, bins.get(at_least, (0, None))[1], frame)
        for place, (at_least, below) in enumerate(pairwise(EDGES))
    ]
    return format_html(
        '<svg class="tessera-plot reliability" viewBox="0 0 404 230" role="img" aria-label="{}">'
        '{}{}<text class="axis" x="{}" y="{}" text-anchor="middle">confidence, in %</text>'
        "</svg>",
        label,
        frame.grid(tick for tick in ticks if tick >= least),
        format_html_join("", "{}", ((column,) for column in columns)),
        LEFT + WIDTH / 2,
        TOP + HEIGHT + 46,
    )


def history(series: Sequence[Series], frame: Frame, ticks: Iterable[float], *, label: str) -> str:
    """Draw lines from the first to the last of all their times; nothing if those are the same."""
    times = sorted({at for each in series for at in each.at})
    if len(times) < 2:
        return ""
    first, last = times[0], times[-1]
    lines = [(_band(each, frame, first, last), _path(each, frame, first, last)) for each in series]
    return format_html(
        '<svg class="tessera-plot history" viewBox="0 0 404 124" role="img" aria-label="{}">'
        '{}{}<text class="tick" x="{}" y="{}">{}</text>'
        '<text class="tick" x="{}" y="{}" text-anchor="end">{}</text></svg>',
        label,
        frame.grid(ticks),
        format_html_join("", "{}{}", lines),
        *(LEFT, TOP + frame.height + 14, _when(first, last, first)),
        *(LEFT + WIDTH, TOP + frame.height + 14, _when(first, last, last)),
    )


def _column(
    place: int, at_least: float, below: float, share: Mapping[str, Any] | None, frame: Frame
) -> SafeString:
    left = LEFT + place * COLUMN
    middle = f"{left + COLUMN / 2:.1f}"
    name = f"{100 * at_least:.0f}–{100 * below:.0f}"
    foot = TOP + HEIGHT
    names = format_html(
        '<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>'
        '<text class="count" x="{}" y="{}" text-anchor="middle">{}</text>',
        *(middle, foot + 14, name),
        *(middle, foot + 28, f"n {share['n']:,}" if share else "–"),
    )
    if share is None:
        return names
    confidence, accuracy, low, high = (
        f"{100 * share[key]:.0f}" for key in ("confidence", "accuracy", "low", "high")
    )
    title = f"{share['n']:,} labels, {confidence} % sure: {accuracy} % right ({low} to {high})"
    return format_html(
        '<g><title>{}</title><rect class="hit" x="{}" y="{}" width="{}" height="{}"/>'
        '<line class="confidence" x1="{}" x2="{}" y1="{}" y2="{}"/>'
        '<line class="range" x1="{}" x2="{}" y1="{}" y2="{}"/>'
        '<circle cx="{}" cy="{}" r="4.5"/></g>{}',
        *(title, f"{left:.1f}", TOP, f"{COLUMN:.1f}", HEIGHT),
        *(f"{left + 5:.1f}", f"{left + COLUMN - 5:.1f}", *2 * (frame.y(share["confidence"]),)),
        *(middle, middle, frame.y(share["low"]), frame.y(share["high"])),
        *(middle, frame.y(share["accuracy"]), names),
    )


def _x(at: datetime, first: datetime, last: datetime) -> str:
    return f"{LEFT + WIDTH * ((at - first) / (last - first)):.1f}"


def _path(series: Series, frame: Frame, first: datetime, last: datetime) -> SafeString:
    points = [
        (_x(at, first, last), frame.y(value))
        for at, value in zip(series.at, series.value, strict=True)
        if value is not None
    ]
    if not points:
        return SafeString()
    return format_html(
        '<polyline class="{}" points="{}"/><circle class="{}" cx="{}" cy="{}" r="3.5"/>',
        series.name,
        " ".join(f"{x},{y}" for x, y in points),
        *(series.name, *points[-1]),
    )


def _band(series: Series, frame: Frame, first: datetime, last: datetime) -> SafeString:
    if series.low is None or series.high is None:
        return SafeString()
    ends = [
        (_x(at, first, last), frame.y(low), frame.y(high))
        for at, low, high in zip(series.at, series.low, series.high, strict=True)
        if low is not None and high is not None
    ]
    around = [f"{x},{high}" for x, _, high in ends] + [f"{x},{low}" for x, low, _ in ends[::-1]]
    return format_html('<polygon class="{}" points="{}"/>', series.name, " ".join(around))


def _when(first: datetime, last: datetime, at: datetime) -> str:
    """Return the day; the time, where all is within one day."""
    local = timezone.localtime(at)
    return f"{local:%H:%M}" if (last - first).days < 1 else f"{local:%Y-%m-%d}"
