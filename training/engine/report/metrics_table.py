"""The metrics as a table, with intervals and what chance and real pictures reach."""

from collections.abc import Mapping
from typing import Any

from training.engine.metric_names import (
    BESIDE,
    NOT_MERIT,
    REAL,
    figure,
    interval,
    is_beside,
    words,
)
from training.engine.report.escape import text


def table(values: Mapping[str, Any]) -> str:
    """Return a table of figures, with intervals and what chance and real pictures reach."""
    numbers = {k: float(v) for k, v in values.items() if type(v) in (int, float)}
    names = [name for name in numbers if not is_beside(name, numbers) and name not in NOT_MERIT]
    if not names:
        return ""
    rows = [_figure(name, numbers) for name in names]
    head = "".join(f'<th scope="col">{word}</th>' for word in HEAD)
    return (
        "<h2>What it is worth</h2>\n<p>Each figure names the model that judged. The interval "
        "runs from the 5th to the 95th percentile.</p>\n"
        '<p class="key quiet"><span><i></i>figure and interval</span>'
        '<span><i class="chance"></i>chance</span><span><i class="real"></i>real pictures</span>'
        f'</p>\n<div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


HEAD = ("figure", "value", "5 % to 95 %", "from 0 to 1", "chance", "real pictures")


def _figure(name: str, numbers: Mapping[str, float]) -> str:
    value, beside = numbers[name], {end: numbers.get(f"{name}_{end}") for end in BESIDE}
    between = interval(name, beside["low"], beside["high"])
    chance = figure(name, beside["chance"]) if beside["chance"] is not None else ""
    real = [
        f"{figure(name, beside[end])}{word}"
        for end, word in REAL.items()
        if beside[end] is not None
    ]
    cells = [
        f'<th scope="row">{text(words(name))}</th>',
        *(f'<td class="number">{cell}</td>' for cell in (figure(name, value), between)),
        f"<td>{_bar(value, beside)}</td>",
        f'<td class="number">{chance}</td>',
        f'<td class="number">{"<br>".join(real)}</td>',
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _bar(value: float, beside: Mapping[str, float | None]) -> str:
    """Draw a figure on a line from 0 to 1 as SVG; nothing if it lies outside."""
    marks = {**beside, "value": value}
    known = [v for key, v in marks.items() if v is not None and key != "apart"]
    if not all(0 <= v <= 1 for v in known):
        return ""
    parts = ['<path class="grid" d="M4 9H116"/>']
    low, high = beside["low"], beside["high"]
    if low is not None and high is not None:
        parts.append(f'<path class="range" d="M{4 + 112 * low:.1f} 9H{4 + 112 * high:.1f}"/>')
    real = next(
        (beside[k] for k in ("real", "real_training", "floor") if beside[k] is not None), None
    )
    for kind, mark in (("chance", beside["chance"]), ("real", real)):
        if mark is not None:
            parts.append(f'<path class="{kind}" d="M{4 + 112 * mark:.1f} 1V17"/>')
    parts.append(f'<circle class="value" cx="{4 + 112 * value:.1f}" cy="9" r="4"/>')
    size = 'width="120" height="18" viewBox="0 0 120 18"'
    return f'<svg {size} aria-hidden="true">{"".join(parts)}</svg>'
