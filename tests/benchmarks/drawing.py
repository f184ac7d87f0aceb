"""Write line charts as SVG: panels side by side, a legend above them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from pathlib import Path

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 300, 250  # of a panel
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 34, 44  # of its plot to its edges
COLOURS = "#8a8a8a", "#d98200", "#7a4fbf", "#56b4e9", "#0059b3", "#8bc34a", "#1b7a3d"
FONT = "font-family='system-ui, sans-serif' fill='#222'"


@dataclass(frozen=True)
class Axis:
    title: str
    low: float
    high: float
    ticks: Sequence[float]
    log: bool = False

    def place(self, value: float) -> float:
        """Map a value to its place on the axis, 0 to 1."""
        if not self.log:
            return (value - self.low) / (self.high - self.low)
        return math.log(value / self.low) / math.log(self.high / self.low)


@dataclass(frozen=True)
class Panel:
    title: str
    x: Axis
    y: Axis
    lines: Mapping[str, Points]
    dots: Mapping[str, Sequence[tuple[float, float, float]]] = field(default_factory=dict)
    guides: Sequence[Points] = ()  # thin and dashed

    def at(self, x: float, y: float) -> tuple[float, float]:
        across, up = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        return LEFT + self.x.place(x) * across, TOP + (1 - self.y.place(y)) * up


def save(path: Path, panels: Sequence[Panel], columns: int, title: str) -> None:
    names = list(dict.fromkeys(name for panel in panels for name in [*panel.lines, *panel.dots]))
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    width = columns * WIDTH + 20
    legend, top = _legend(colours, width)
    height = top + -(-len(panels) // columns) * HEIGHT + 6
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' "
        f"width='{width}' height='{height}' role='img'>",
        f"<title>{escape(title)}</title>",
        f"<rect width='{width}' height='{height}' fill='#ffffff'/>",
        *legend,
    ]
    for number, panel in enumerate(panels):
        across, down = number % columns * WIDTH + 10, number // columns * HEIGHT + top
        parts += [f"<g transform='translate({across} {down})'>", *_panel(panel, colours), "</g>"]
    path.write_text("\n".join([*parts, "</svg>"]) + "\n", encoding="utf-8")


def _legend(colours: Mapping[str, str], width: int) -> tuple[list[str], int]:
    """Return the legend's elements and its height."""
    parts, x, y = [], 20.0, 22
    for name, colour in colours.items():
        wide = 34 + 6.6 * len(name)
        if x + wide > width:
            x, y = 20.0, y + 20
        parts.append(f"<path d='M{x:.0f} {y - 4}h20' stroke='{colour}' stroke-width='3'/>")
        parts.append(f"<text x='{x + 26:.0f}' y='{y}' font-size='12' {FONT}>{escape(name)}</text>")
        x += wide + 12
    return parts, y + 10


def _panel(panel: Panel, colours: Mapping[str, str]) -> list[str]:
    parts = [f"<text x='{LEFT}' y='20' font-size='13' {FONT}>{escape(panel.title)}</text>"]
    parts += _grid(panel)
    for guide in panel.guides:
        parts.append(_path(panel, guide, "#777", "1", "4 3"))
    for name, points in panel.lines.items():
        parts.append(_path(panel, points, colours[name], "2"))
    for name, dots in panel.dots.items():
        for x, y, radius in dots:
            across, down = panel.at(x, y)
            parts.append(
                f"<circle cx='{across:.1f}' cy='{down:.1f}' r='{radius:.1f}' "
                f"fill='{colours[name]}' fill-opacity='.75'/>"
            )
    return parts


def _grid(panel: Panel) -> list[str]:
    parts = []
    for tick in panel.y.ticks:
        x, y = panel.at(panel.x.low, tick)
        parts.append(f"<path d='M{x:.1f} {y:.1f}H{WIDTH - RIGHT}' stroke='#e3e3e3'/>")
        parts.append(_text(x - 6, y + 4, f"{tick:g}", "end"))
    for tick in panel.x.ticks:
        x, y = panel.at(tick, panel.y.low)
        parts.append(f"<path d='M{x:.1f} {TOP}V{y:.1f}' stroke='#e3e3e3'/>")
        parts.append(_text(x, y + 15, f"{tick:g}", "middle"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, panel.x.title, "middle"))
    middle = (TOP + HEIGHT - BOTTOM) / 2
    turned = f"transform='rotate(-90 11 {middle:.0f})'"
    parts.append(_text(11, middle, panel.y.title, "middle", turned))
    return parts


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' font-size='11' text-anchor='{anchor}' {more} "
        f"{FONT}>{escape(text)}</text>"
    )


def _path(panel: Panel, points: Points, colour: str, width: str, dashes: str = "none") -> str:
    """Clip a line to the axes."""
    steps = " L".join("{:.1f} {:.1f}".format(*panel.at(x, y)) for x, y in _within(panel, points))
    return (
        f"<path d='M{steps}' fill='none' stroke='{colour}' stroke-width='{width}' "
        f"stroke-dasharray='{dashes}'/>"
    )


def _within(panel: Panel, points: Points) -> list[tuple[float, float]]:
    kept: list[tuple[float, float]] = []
    for (x0, y0), (x1, y1) in pairwise(points):
        if (x1 <= panel.x.low and panel.x.log) or y1 < panel.y.low or x0 >= panel.x.high:
            continue
        if not kept:
            rise = max(0.0, (panel.y.low - y0) / (y1 - y0)) if y1 > y0 else 0.0
            over = max(0.0, (panel.x.low - x0) / (x1 - x0)) if x1 > x0 else 0.0
            part = max(rise, over)
            kept.append((x0 + part * (x1 - x0), y0 + part * (y1 - y0)))
        kept.append((min(x1, panel.x.high), y1))
    return kept
