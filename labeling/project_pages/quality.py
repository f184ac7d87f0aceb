"""A project's quality: agreement, label accuracy, calibration, their history, and suspects."""

from collections.abc import Mapping, Sequence
from typing import Any

from labeling import annotators, label_accuracy, plots, quality, svg
from labeling.models import Annotator, Project
from labeling.quality import Point

LISTED = 50  # suspects


def of(project: Project) -> dict[str, Any]:
    """Return the context of a project's agreement page."""
    latest = quality.latest(project=project)
    points = quality.history(project=project)
    suspects = annotators.to_review(project=project)
    return {
        "measured": latest,
        "accuracy": _accuracy(latest.accuracy if latest else None),
        "diagrams": [
            _diagram("gold", latest.gold if latest else None),
            _diagram("random", latest.random if latest else None),
        ],
        "alpha_history": _alphas(points),
        "error_history": _errors(points),
        "newest": points[-1] if points else None,
        "suspects": [_suspect(one) for one in suspects[:LISTED]],
        "suspects_count": len(suspects),
    }


def _diagram(name: str, calibration: Mapping[str, Any] | None) -> dict[str, Any]:
    if calibration is None:
        return {"name": name}
    whole = calibration["whole"]
    confidence, accuracy = _percent(whole["confidence"]), _percent(whole["accuracy"])
    return {
        "name": name,
        "whole": _percentages(whole),
        "ece": 100 * calibration["ece"],
        "chance": 100 * calibration["chance"],
        "brier": calibration["brier"],
        "bins": [
            {"at_least": 100 * each["at_least"], "below": 100 * each["below"]}
            | _percentages(each["reliability"])
            for each in calibration["bins"]
        ],
        "plot": plots.reliability(
            calibration,
            label=f"Of {whole['n']:,} labels, {confidence} sure on average, {accuracy} were right",
        ),
    }


def _accuracy(measured: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return how often labels are right, in words, and of each concept where it is known."""
    if measured is None:
        return {}
    rows = [row for row in measured["concepts"] if row["low"] is not None]
    return {
        "sentence": label_accuracy.sentence(measured["whole"]),
        "concepts": [row | _percent_of_each(row) for row in rows],
        "unknown": len(measured["concepts"]) - len(rows),
    }


def _percentages(reliability: Mapping[str, Any]) -> dict[str, Any]:
    shares = _percent_of_each(reliability)
    return {"n": reliability["n"], "confidence": 100 * reliability["confidence"], **shares}


def _percent_of_each(reliability: Mapping[str, Any]) -> dict[str, float]:
    """Convert shares to percent; clip estimates that chance carried beyond 0 or 1."""
    names = "accuracy", "low", "high"
    return {name: 100 * min(max(reliability[name], 0.0), 1.0) for name in names}


def _alphas(points: Sequence[Point]) -> str:
    series = plots.Series(
        "random",
        [point.at for point in points],
        [point.alpha for point in points],
        [point.low for point in points],
        [point.high for point in points],
    )
    least = min((point.low for point in points if point.low is not None), default=0.0)
    frame = plots.Frame(0.0 if least >= 0 else -0.5, 1.0, plots.PATH_HEIGHT, percent=False)
    return plots.history([series], frame, (0, 0.5, 1), label="Krippendorff's alpha over time")


def _errors(points: Sequence[Point]) -> str:
    times = [point.at for point in points]
    series = [
        plots.Series("gold", times, [point.gold_error for point in points]),
        plots.Series("random", times, [point.random_error for point in points]),
    ]
    values = [value for each in series for value in each.value if value is not None]
    if not values:
        return ""
    most = next((most for most in (0.1, 0.2, 0.5) if max(values) <= most), 1.0)
    frame = plots.Frame(0.0, most, plots.PATH_HEIGHT)
    ticks = 0.0, most / 2, most
    return plots.history(series, frame, ticks, label="Expected calibration error over time")


def _suspect(annotator: Annotator) -> dict[str, Any]:
    mean, low, high = annotators.reliability(annotator)
    return {
        "annotator": annotator,
        "interval": svg.interval(mean, low, high),
        "reliability": f"{mean:.2f}",
        "range": f"{low:.2f} to {high:.2f}",
    }


def _percent(share: float) -> str:
    return f"{100 * min(max(share, 0.0), 1.0):.0f} %"
