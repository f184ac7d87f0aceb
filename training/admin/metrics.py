"""The metrics of a run as rows of a table, with intervals, chance and real images."""

from collections.abc import Mapping
from typing import Any

from training.engine.metric_names import NOT_MERIT, REAL, is_beside, words


def rows(metrics: Mapping[str, Any], other: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return a row for each metric of merit, beside that of another model."""
    numbers, others = _numbers(metrics), _numbers(other)
    return [
        {
            "name": words(name),
            "value": number(value),
            "interval": _interval(name, numbers),
            "other": number(others.get(name)),
            "other_interval": _interval(name, others),
            "chance": number(numbers.get(f"{name}_chance")),
            "real": _real(name, numbers),
        }
        for name, value in numbers.items()
        if name not in NOT_MERIT and not is_beside(name, numbers)
    ]


def number(value: float | None) -> str:
    """Return a number to three digits; a dash for none."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if type(value) in (int, float)}


def _interval(name: str, numbers: Mapping[str, float]) -> str:
    low, high = numbers.get(f"{name}_low"), numbers.get(f"{name}_high")
    return "" if low is None or high is None else f"{number(low)} to {number(high)}"


def _real(name: str, numbers: Mapping[str, float]) -> str:
    known = {end: numbers.get(f"{name}_{end}") for end in REAL}
    return ", ".join(f"{number(v)}{REAL[end]}" for end, v in known.items() if v is not None) or "–"
