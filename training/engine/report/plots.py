"""Plots of figures over steps, as SVG."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from training.engine.report.escape import text

Points = Sequence[tuple[int, float]]
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 480, 240, 56, 26, 12  # of a plot
FEW = 12  # points that are marked each
GAP = 5  # times the usual distance between two steps


def curves(plots: Mapping[str, Points]) -> str:
    """Return plots of figures over steps, by title; those of no point are left out."""
    drawable = {title: _drawable(points) for title, points in plots.items()}
    figures = [_plot(title, points) for title, points in drawable.items() if points]
    if not figures:
        return ""
    return f'<h2>How it went</h2>\n<div class="plots">{"".join(figures)}</div>'


def _drawable(points: Points) -> Points:
    """Return the points whose values are finite, by step."""
    return sorted((step, value) for step, value in points if math.isfinite(value))


def _plot(title: str, points: Points) -> str:
    """Return a curve over steps as SVG, with round numbers along its axes; few points as dots."""
    low, high = min(v for _, v in points), max(v for _, v in points)
    if low == high:  # room above and below
        room = abs(low) / 10 or 1.0
        low, high = low - room, high + room
    ticks = round_numbers(low, high)
    first, last = points[0][0], points[-1][0]
    bottom, top = min(ticks[0], low), max(ticks[-1], high)

    def place(step: float, value: float) -> tuple[float, float]:
        share = (step - first) / (last - first) if last > first else 0.5
        x = LEFT + share * (WIDTH - LEFT - 12)
        return x, TOP + (top - value) / (top - bottom) * (HEIGHT - TOP - BOTTOM)

    lines = []
    for tick in ticks:
        _, y = place(first, tick)
        lines.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - 12}"/>')
        lines.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    ends = ((first, "start"), (last, "end")) if last > first else ((last, "middle"),)
    for step, anchor in ends:
        x, _ = place(step, bottom)
        lines.append(f'<text x="{x:.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{step:,}</text>')
    pieces = _pieces(points)
    path = "".join(
        "M" + " L".join("{:.1f} {:.1f}".format(*place(*point)) for point in piece)
        for piece in pieces
    )
    marked = points if len(points) <= FEW else [p[0] for p in pieces if len(p) == 1]
    marks = "".join(
        '<circle class="value" cx="{:.1f}" cy="{:.1f}" r="3"/>'.format(*place(*point))
        for point in marked
    )
    return (
        f'<figure><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{text(title)}">'
        f'{"".join(lines)}<path class="curve" d="{path}"/>{marks}</svg>'
        f"<figcaption>{text(title)}, by step</figcaption></figure>"
    )


def _pieces(points: Points) -> list[list[tuple[int, float]]]:
    """Part the points where steps are missing: a run that lost some and resumed."""
    distances = [later[0] - earlier[0] for earlier, later in pairwise(points)]
    usual = sorted(distances)[len(distances) // 2] if distances else 0
    pieces = [[points[0]]]
    for distance, point in zip(distances, points[1:], strict=True):
        if len(points) > 3 and distance > GAP * usual:
            pieces.append([])
        pieces[-1].append(point)
    return pieces


def round_numbers(low: float, high: float, count: int = 4) -> list[float]:
    """Return about ``count`` round numbers from at most ``low`` to at least ``high``."""
    span = (high - low) or abs(high) or 1.0
    rough = span / count
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * f for f in (1, 2, 5, 10) if size * f >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]
