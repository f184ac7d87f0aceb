"""Plots that the server draws."""

import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

from labeling import plots, quality
from labeling.aggregation.calibration import by_truth

START = datetime(2026, 11, 1, tzinfo=UTC)
DAYS = [START + timedelta(days=day) for day in range(4)]


def drawn(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def found(svg: str, tag: str, name: str = "") -> list[ElementTree.Element]:
    return [each for each in drawn(svg).iter(tag) if not name or each.get("class") == name]


def reliability(probability: list[float], truth: list[bool]) -> str:
    calibration = quality._as_json(by_truth(probability, truth))
    assert calibration is not None
    return plots.reliability(calibration, label="some <labels>")


def test_each_bin_has_a_line_for_what_was_said_and_a_dot_for_what_was_right() -> None:
    svg = reliability([0.85] * 20 + [0.97] * 20, [True] * 17 + [False] * 3 + [True] * 20)
    lines, dots = found(svg, "line", "confidence"), found(svg, "circle")
    assert len(lines) == len(dots) == 2
    assert lines[0].get("y1") == dots[0].get("cy")  # 85 % sure, 85 % right
    assert float(lines[1].get("y1", 0)) > float(dots[1].get("cy", 0))  # more right than sure
    titles = [title.text for title in found(svg, "title")]
    assert titles[0] == "20 labels, 85 % sure: 85 % right (64 to 95)"


def test_every_bin_is_named_and_tells_its_n() -> None:
    svg = reliability([0.85] * 20, [True] * 20)
    texts = [text.text for text in found(svg, "text")]
    for name in ("50–60", "90–95", "99–100", "n 20"):
        assert name in texts
    assert texts.count("–") == 6


def test_the_axis_reaches_as_low_as_the_intervals_do() -> None:
    assert "25 %" in reliability([0.55] * 30, [True] * 14 + [False] * 16)
    assert "60 %" in reliability([0.95] * 30, [True] * 30)
    assert "0 %" in reliability([0.9] * 3, [False] * 3)


def test_what_it_is_told_is_escaped() -> None:
    assert drawn(reliability([0.9], [True])).get("aria-label") == "some <labels>"


def test_a_history_runs_from_the_first_to_the_last_time() -> None:
    frame = plots.Frame(0.0, 1.0, plots.PATH_HEIGHT)
    series = plots.Series("gold", DAYS, [0.2, None, 0.4, 1.4])
    svg = plots.history([series], frame, (0, 1), label="error")
    (line,) = found(svg, "polyline", "gold")
    points = re.findall(r"([\d.]+),([\d.]+)", line.get("points", ""))
    assert len(points) == 3
    assert [float(points[0][0]), float(points[-1][0])] == [plots.LEFT, plots.LEFT + plots.WIDTH]
    assert float(points[-1][1]) == plots.TOP  # what lies beyond the frame is drawn at its edge
    assert "2026-11-01" in svg and "2026-11-04" in svg


def test_a_band_is_drawn_where_its_ends_are_known() -> None:
    frame = plots.Frame(0.0, 1.0, plots.PATH_HEIGHT)
    values = [0.5, 0.5, 0.6, 0.6]
    lows = [0.4, None, 0.5, 0.5]
    svg = plots.history(
        [plots.Series("random", DAYS, values, lows, [0.6] * 4)], frame, (), label="alpha"
    )
    (band,) = found(svg, "polygon")
    assert len(band.get("points", "").split()) == 6


def test_there_is_no_history_of_one_moment() -> None:
    frame = plots.Frame(0.0, 1.0, plots.PATH_HEIGHT)
    assert plots.history([plots.Series("gold", DAYS[:1], [0.2])], frame, (), label="") == ""
    assert plots.history([], frame, (), label="") == ""


def test_within_a_day_the_times_are_told() -> None:
    frame = plots.Frame(0.0, 1.0, plots.PATH_HEIGHT)
    times = [START + timedelta(hours=hour) for hour in (1, 5)]
    svg = plots.history([plots.Series("gold", times, [0.2, 0.3])], frame, (), label="")
    assert "01:00" in svg and "05:00" in svg
