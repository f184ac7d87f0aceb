"""The figures of a run as rows: each with its interval, and what chance and real pictures reach."""

from collections.abc import Mapping
from typing import Any

from training.engine.report.page import BESIDE, NOT_MERIT, WORDS

REAL = {
    "real": "",
    "real_training": " (those learned from)",
    "floor": "",
    "apart": " (between neighbours)",
}


def rows(metrics: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[dict[str, str]]:
    """A row a figure of merit, beside that of the other model."""
    numbers, others = _numbers(metrics), _numbers(theirs)
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
    """A figure's name with the judge that it is by."""
    if name == "people":
        return "what people say of its pictures"
    what, _, judge = (name, "", "") if name in WORDS else name.partition("@")
    said = WORDS.get(what, what.replace("_", " "))
    return f"{said} by {judge}" if judge else said


def number(value: float | None) -> str:
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
    known = {end: numbers.get(f"{name}_{end}") for end in REAL}
    return ", ".join(f"{number(v)}{REAL[end]}" for end, v in known.items() if v is not None) or "–"
