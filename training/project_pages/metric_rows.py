"""The metrics of a model as rows of a table, with intervals, chance and real images."""

from collections.abc import Mapping
from typing import Any

from training.engine.metric_names import NOT_MERIT, REAL, figure, interval, is_beside, words

NONE = "–"


def rows(metrics: Mapping[str, Any], other: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return a row for each metric of merit, beside that of another model."""
    numbers, others = _numbers(metrics), _numbers(other)
    return [
        {
            "name": words(name),
            "value": figure(name, value),
            "interval": _interval(name, numbers),
            "other": figure(name, others.get(name)),
            "other_interval": _interval(name, others),
            "chance": figure(name, numbers.get(f"{name}_chance")),
            "real": _real(name, numbers),
        }
        for name, value in numbers.items()
        if name not in NOT_MERIT and not is_beside(name, numbers)
    ]


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if type(value) in (int, float)}


def _interval(name: str, numbers: Mapping[str, float]) -> str:
    return interval(name, numbers.get(f"{name}_low"), numbers.get(f"{name}_high"))


def _real(name: str, numbers: Mapping[str, float]) -> str:
    known = {end: numbers.get(f"{name}_{end}") for end in REAL}
    shown = [f"{figure(name, v)}{REAL[end]}" for end, v in known.items() if v is not None]
    return ", ".join(shown) or NONE
