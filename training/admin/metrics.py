"""The metrics of a run as rows of a table, with intervals, chance and real images."""

from collections.abc import Mapping
from typing import Any

from training.engine.report.metric_names import BESIDE, NOT_MERIT, WORDS

REAL_SUFFIXES = {  # of metrics of real images, with their wording
    "real": "",
    "real_training": " (those learned from)",
    "floor": "",
    "apart": " (between neighbours)",
}


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
        if name not in NOT_MERIT and not _is_beside(name, numbers)
    ]


def words(name: str) -> str:
    """Return a metric's name in words, with its judge."""
    if name == "people":
        return "people's answers about its pictures"
    what, _, judge = (name, "", "") if name in WORDS else name.partition("@")
    name_in_words = WORDS.get(what, what.replace("_", " "))
    return f"{name_in_words} by {judge}" if judge else name_in_words


def number(value: float | None) -> str:
    """Return a number to three digits; a dash for none."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if type(value) in (int, float)}


def _is_beside(name: str, numbers: Mapping[str, float]) -> bool:
    return any(name.removesuffix(f"_{end}") in numbers for end in BESIDE if name.endswith(end))


def _interval(name: str, numbers: Mapping[str, float]) -> str:
    low, high = numbers.get(f"{name}_low"), numbers.get(f"{name}_high")
    return "" if low is None or high is None else f"{number(low)} to {number(high)}"


def _real(name: str, numbers: Mapping[str, float]) -> str:
    known = {end: numbers.get(f"{name}_{end}") for end in REAL_SUFFIXES}
    return (
        ", ".join(f"{number(v)}{REAL_SUFFIXES[end]}" for end, v in known.items() if v is not None)
        or "–"
    )
