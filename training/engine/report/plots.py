"""Plots of figures over steps, as SVG."""

import math
from collections.abc import Mapping, Sequence

from training.engine.report.escape import text

Points = Sequence[tuple[int, float]]
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 480, 240, 56, 26, 12  # of a plot


def curves(plots: Mapping[str, Points]) -> str:
    """Return plots of figures over steps, by title; those of one point are left out."""
    figures = [_plot(title, points) for title, points in plots.items() if len(points) > 1]
    if not figures:
        return ""
    return f'<h2>How it went</h2>\n<div class="plots">{"".join(figures)}</div>'


def _plot(title: str, points: Points) -> str:
    """Return a curve over steps as SVG, with round numbers along its axes."""
    low, high = min(v for _, v in points), max(v for _, v in points)
    ticks = round_numbers(low, high)
    first, last = points[0][0], points[-1][0]
    bottom, top = min(ticks[0], low), max(ticks[-1], high)

    def place(step: float, value: float) -> tuple[float, float]:
        x = LEFT + (step - first) / max(1, last - first) * (WIDTH - LEFT - 12)
        return x, TOP + (top - value) / ((top - bottom) or 1) * (HEIGHT - TOP - BOTTOM)

    lines = []
    for tick in ticks:
        _, y = place(first, tick)
        lines.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - 12}"/>')
        lines.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for step, anchor in ((first, "start"), (last, "end")):
        x, _ = place(step, bottom)
        lines.append(f'<text x="{x:.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{step:,}</text>')
    path = " L".join("{:.1f} {:.1f}".format(*place(*point)) for point in points)
    return (
        f'<figure><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{text(title)}">'
        f'{"".join(lines)}<path class="curve" d="M{path}"/></svg>'
        f"<figcaption>{text(title)}, by step</figcaption></figure>"
    )


def round_numbers(low: float, high: float, count: int = 4) -> list[float]:
    """Return about ``count`` round numbers from at most ``low`` to at least ``high``."""
    span = (high - low) or abs(high) or 1.0
    rough = span / count
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * f for f in (1, 2, 5, 10) if size * f >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]
