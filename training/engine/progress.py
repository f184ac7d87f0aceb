"""Read a run folder: progress, curve, sample grids, metrics."""

import json
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from training.engine.values import is_number

COUNT_MAX = 2**31 - 1  # what the database takes
CURVE_POINTS = 240
TAIL_BYTES = 8192
SAMPLE = re.compile(r"\d{1,9}\.png")
NUMBERS = ("step", "steps", "loss", "images_per_second", "seconds_left")


def latest(folder: Path) -> dict[str, Any]:
    """Return the last line of progress.jsonl as fields of a run; empty before there is one."""
    for line in reversed(_end(folder / "progress.jsonl")):
        value = _parsed(line)
        if value is not None:
            return _fields(value)
    return {}


def curve(folder: Path, field: str = "loss") -> list[tuple[int, float]]:
    """Return (step, loss or another field) by step, thinned; the last of repeated steps counts."""
    points: list[tuple[int, float]] = []
    for line in _lines(folder / "progress.jsonl"):
        fields = _fields(line)
        step, value = fields.get("step"), fields.get(field)
        if fields.get("stage") == "train" and isinstance(step, int) and value is not None:
            while points and points[-1][0] >= step:
                points.pop()
            points.append((step, value))
    stride = max(1, math.ceil(len(points) / CURVE_POINTS))
    thinned = points[::stride]
    return [*thinned, points[-1]] if points and thinned[-1] != points[-1] else thinned


def samples(folder: Path) -> list[str]:
    """Return the names of the sample grids, oldest first."""
    try:
        names = [path.name for path in (folder / "samples").iterdir()]
    except OSError:
        return []
    return in_order(names)


def in_order(names: Iterable[str]) -> list[str]:
    """Return those names that are of sample grids, oldest first."""
    return sorted((name for name in names if SAMPLE.fullmatch(name)), key=_step)


def prompts(folder: Path) -> list[str]:
    """Return the fixed prompts of the grids' rows."""
    value = read_json(folder / "prompts.json")
    return [str(prompt) for prompt in value] if isinstance(value, list) else []


def metrics(folder: Path) -> dict[str, Any]:
    """Return metrics.json; empty before the run is evaluated."""
    value = read_json(folder / "metrics.json")
    return finite(value) if isinstance(value, dict) else {}


def read_json(path: Path) -> Any:
    """Return the file's value; None where it is missing or broken."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None


def finite(value: Any) -> Any:
    """Replace NaN and infinity by None: the database's JSON refuses them."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in value.items()}
    return [finite(item) for item in value] if isinstance(value, list) else value


def _fields(value: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {"seconds_left": None}
    for name in NUMBERS:
        number = value.get(name)
        if is_number(number):
            fields[name] = _count(number) if name in ("step", "steps") else float(number)
    if isinstance(value.get("stage"), str):
        fields["stage"] = value["stage"][:20]
    return fields


def _count(number: float) -> int:
    return min(max(0, int(number)), COUNT_MAX)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open("rb") as file:
            for line in file:
                value = _parsed(line)
                if value is not None:
                    yield value
    except OSError:
        return


def _end(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            return file.read().splitlines()
    except OSError:
        return []


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _step(name: str) -> int:
    return int(name.removesuffix(".png"))
