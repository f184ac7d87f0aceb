"""A site's figures as its page shows them."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from labeling import plots
from labeling.captcha import statistics
from labeling.captcha.statistics import Figures, Period, Share, Statistics
from labeling.models import Attempt, Site

DOORS = {
    Attempt.Door.GRID: "Tiles",
    Attempt.Door.TEXT: "Sentences",
    Attempt.Door.WORK: "Computation",
    Attempt.Door.OPEN: "Let pass unasked",
}


def context(site: Site, period: Period) -> dict[str, Any]:
    """Return what the template shows of a period."""
    measured = statistics.measure(site, period)
    steps = zip(measured.at, measured.by_door, measured.steps, strict=True)
    return {
        "period": period.name.lower(),
        "whole": measured.whole,
        "pass_rate": _percent(measured.whole.pass_rate),
        "doors": [
            {"title": DOORS[Attempt.Door(door)], "figures": figures, "rate": _rate(figures)}
            for door, figures in measured.doors.items()
        ],
        "steps": [
            {"at": at, "figures": figures, "rate": _rate(figures)}
            for at, step, figures in steps
            if step is not None
        ][::-1],
        "since": measured.since,
        "plots": _plots(measured) if measured.whole.begun else [],
        "is_all": measured.is_all,
        "most": statistics.MOST,
    }


def _plots(measured: Statistics) -> list[dict[str, Any]]:
    return [
        {
            "title": "Attempts and passes",
            "key": [("random", "attempts"), ("gold", "passes")],
            "plot": _counts(
                measured,
                [("random", lambda step: step.begun), ("gold", lambda step: step.solved)],
                "Attempts and passes over time",
            ),
        },
        {
            "title": "Pass rate, with its 95 % interval",
            "key": [],
            "plot": _pass_rates(measured),
        },
        {
            "title": "Median seconds to pass",
            "key": [],
            "plot": _counts(
                measured,
                [("random", lambda step: step.median_seconds)],
                "Median seconds to pass over time",
            ),
        },
        {
            "title": "Labels that became certain, and suspected bots",
            "key": [("random", "labels"), ("gold", "suspected bots")],
            "plot": _counts(
                measured,
                [("random", lambda step: step.labels), ("gold", lambda step: step.suspected)],
                "Labels and suspected bots over time",
            ),
        },
    ]


def _counts(
    measured: Statistics,
    lines: Sequence[tuple[str, Callable[[Figures], float | None]]],
    label: str,
) -> str:
    series = [
        plots.Series(name, measured.at, [value(step) for step in measured.steps])
        for name, value in lines
    ]
    values = [value for each in series for value in each.value if value is not None]
    most = _ceiling(max(values, default=0.0))
    frame = plots.Frame(0.0, most, plots.PATH_HEIGHT, percent=False)
    return plots.history(series, frame, (0, most / 2, most), label=label)


def _pass_rates(measured: Statistics) -> str:
    rates = [step.pass_rate for step in measured.steps]
    series = plots.Series(
        "random",
        measured.at,
        [rate.share if rate else None for rate in rates],
        [rate.low if rate else None for rate in rates],
        [rate.high if rate else None for rate in rates],
    )
    frame = plots.Frame(0.0, 1.0, plots.PATH_HEIGHT)
    return plots.history([series], frame, (0, 0.5, 1), label="Pass rate over time")


def _ceiling(most: float) -> float:
    """Return a round number at or above another, of which the half is round as well."""
    if most <= 2:
        return 2.0
    power = 10 ** math.floor(math.log10(most))
    return float(next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= most))


def _rate(figures: Figures) -> dict[str, float] | None:
    return _percent(figures.pass_rate)


def _percent(share: Share | None) -> dict[str, float] | None:
    if share is None:
        return None
    low, mid, high = (100 * value for value in (share.low, share.share, share.high))
    return {"share": mid, "low": low, "high": high, "n": share.n}
