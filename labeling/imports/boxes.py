"""Rectangles of pictures: what a box may be, and where it lies on the picture as it is stored."""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

from labeling.imports.entries import FRACTIONS, Box

SAME_SHAPE = 0.02  # difference of two ratios of sides that is one of rounding
ROUNDING = 1.5  # pixels that a box may reach beyond its picture and count as within it
NOWHERE = (math.nan, math.nan, math.nan, math.nan)  # of a box whose numbers cannot be read
OUTSIDE = "its box lies outside of the picture"

Point = tuple[float, float]


class Placed(NamedTuple):
    """A rectangle in the pixels of a stored picture."""

    left: int
    top: int
    width: int
    height: int


def problem(box: Box) -> str:
    """Return why a box cannot be one, whatever its picture; empty: it can."""
    numbers = [box.left, box.top, box.width, box.height, *(box.size or ())]
    if not all(is_number(each) for each in numbers):
        return "its box is not of four numbers"
    if box.width <= 0 or box.height <= 0:
        return "its box has no area"
    if box.size is not None and min(box.size) <= 0:
        return "its box is of a picture without an area"
    return ""


def place(box: Box, width: int, height: int) -> tuple[Placed, bool] | str:
    """Return where a box lies on a picture of that size, and whether it reached beyond it.

    It is clipped to the picture. Return why it cannot lie there instead: it is outside, or
    measured by a picture of another shape, as one that was turned since.
    """
    across, down = box.size or (width, height)
    if box.size not in (None, FRACTIONS) and not _same_shape(across, down, width, height):
        named = f"{across:g} × {down:g} pixels, and this one has {width} × {height}"
        return f"its box is of a picture of {named}"
    left, top = box.left * width / across, box.top * height / down
    right, bottom = left + box.width * width / across, top + box.height * height / down
    if not all(map(math.isfinite, (left, top, right, bottom))):
        return OUTSIDE
    if right <= 0 or bottom <= 0 or left >= width or top >= height:
        return OUTSIDE
    beyond = max(-left, -top, right - width, bottom - height) > ROUNDING
    first, span = _side(left, right, width)
    second, rise = _side(top, bottom, height)
    return Placed(first, second, span, rise), beyond


def around(points: Iterable[Point]) -> tuple[float, float, float, float] | None:
    """Return (left, top, width, height) of the smallest box around points; None without any."""
    pairs = list(points)
    if not pairs or not all(is_number(each) for pair in pairs for each in pair):
        return None
    across, down = [x for x, _ in pairs], [y for _, y in pairs]
    return min(across), min(down), max(across) - min(across), max(down) - min(down)


def turned(box: Box, degrees: float, pivot: Point) -> tuple[float, float, float, float] | None:
    """Return the box around a rectangle that is turned clockwise about a point, in its unit."""
    angle = math.radians(degrees)
    cosine, sine = math.cos(angle), math.sin(angle)
    right, bottom = box.left + box.width, box.top + box.height
    corners = [(x, y) for x in (box.left, right) for y in (box.top, bottom)]
    x0, y0 = pivot
    return around(
        (x0 + (x - x0) * cosine - (y - y0) * sine, y0 + (x - x0) * sine + (y - y0) * cosine)
        for x, y in corners
    )


def _side(low: float, high: float, length: int) -> tuple[int, int]:
    """Return where an interval begins, in whole pixels, and how long it is: 1 at least."""
    begin = min(max(round(low), 0), length - 1)
    end = max(min(round(high), length), begin + 1)
    return begin, end - begin


def _same_shape(across: float, down: float, width: int, height: int) -> bool:
    return abs(across * height / (down * width) - 1) <= SAME_SHAPE


def size_of(width: Any, height: Any) -> tuple[float, float] | None:
    """Return the size of a picture by which boxes are measured; None where it is not known."""
    known = all(is_number(each) and each > 0 for each in (width, height))
    return (width, height) if known else None


def is_number(value: object) -> bool:
    """Whether it is a number that may count pixels: finite, and no bool."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 1e12
