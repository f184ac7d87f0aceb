"""YOLO: a text for each picture with a line for each object, and the names of classes apart.

A line is `class x y width height`, the middle and the sides in shares of the picture's; with the
points of an outline or of a pose after it, or in its place. The text lies beside the picture, or
in a folder `labels` beside `images`. Names are in `data.yaml`, `classes.txt` or `obj.names`.
"""

import re
from collections.abc import Sequence
from typing import Any

import yaml

from labeling.decoding import ImageRejected
from labeling.imports import boxes, texts
from labeling.imports.entries import (
    FRACTIONS,
    Box,
    By,
    ClassNames,
    ClassNumber,
    Entry,
    Kind,
    Layout,
    Readings,
    Reference,
    Refusal,
    Remark,
)
from labeling.imports.members import Member
from labeling.imports.options import Options
from labeling.imports.paths import stem

SIZE_MAX = 8 * 2**20  # bytes of the lines of one picture
NAMES_MAX = 1024 * 1024  # bytes of a file of names
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
LINE = re.compile(rf"\d+(?:\s+{NUMBER}){{4,}}")
OUTLINES = "with outlines or points, which are read as the boxes around them"
OTHERS = "numbers as other tools write boxes, which are not read: KITTI, DOTA and the like"
NUMBERS = 4  # in a line of such, at least, and …
SHARE = 0.6  # … of its words
NO_SHARES = "its box is not in shares of the picture's sides, as YOLO writes it"
BEYOND = 1.5  # shares above which a number is one of pixels


def is_labels(text: str) -> bool:
    """Whether all lines are of objects: numbers that are no caption."""
    lines = texts.lines(text)
    return bool(lines) and all(LINE.fullmatch(line) for line in lines)


def are_of_others(text: str) -> bool:
    """Whether all lines are boxes as other tools write them, such as `Car 0.0 0 10 20 30 40`."""
    lines = texts.lines(text)
    return bool(lines) and all(_is_numeric(line.split()) for line in lines)


def _is_numeric(words: Sequence[str]) -> bool:
    numbers = sum(re.fullmatch(NUMBER, word) is not None for word in words)
    return numbers >= max(NUMBERS, SHARE * len(words))


def refuse(text: str, path: str) -> Readings:
    """Refuse each line of another tool's boxes."""
    for number, _ in enumerate(texts.lines(text), start=1):
        yield Refusal(f"{path}, line {number}", Kind.BOX, OTHERS)


def may_be_labels(data: bytes) -> bool:
    """Whether the beginning of a text, which may be cut off within a line, is of objects."""
    return is_labels(data.decode("ascii", "replace").rpartition("\n")[0])


def read(text: str, path: str) -> Readings:
    """Read the lines of a picture."""
    reference, outlined = Reference(stem(path), By.NAME), 0
    for number, line in enumerate(texts.lines(text), start=1):
        where = f"{path}, line {number}"
        class_number, *numbers = line.split()
        values = [float(each) for each in numbers]
        if any(abs(each) > BEYOND for each in _shares(values)):
            yield Refusal(where, Kind.BOX, NO_SHARES)
            continue
        outlined += len(values) > 5
        label = ClassNumber(int(class_number[:9]), path)
        yield Entry(reference, Kind.BOX, _box(label, values), where)
    if outlined:
        yield Remark(path, OUTLINES)


def _box(label: ClassNumber, values: Sequence[float]) -> Box:
    if len(values) <= 5 or _is_pose(values):  # the fifth is how sure a model was
        x, y, width, height = values[:4]
        return Box(label, x - width / 2, y - height / 2, width, height, FRACTIONS)
    around = boxes.around(zip(values[::2], values[1::2], strict=False))
    return Box(label, *(around or boxes.NOWHERE), FRACTIONS)


def _shares(values: Sequence[float]) -> Sequence[float]:
    """Return the numbers that are shares; the visibility of a pose's points is none."""
    return values[:4] if len(values) <= 5 or _is_pose(values) else values


def _is_pose(values: Sequence[float]) -> bool:
    """Whether a box is followed by points (x, y, visibility), and not an outline by its points."""
    points = values[4:]
    seen = set(points[2::3])
    return len(points) >= 3 and len(points) % 3 == 0 and seen <= {0.0, 1.0, 2.0}


def _read_names(member: Member, options: Options) -> Readings:
    """Read the names of classes: a line each, or as `names` of a YAML file."""
    text = texts.decode(member.read(NAMES_MAX), options.encoding)
    if member.path.lower().endswith((".yaml", ".yml")):
        yield ClassNames(member.path, _of_yaml(text))
    else:
        lines = texts.LINE_BREAK.split(text.strip())
        yield ClassNames(member.path, {n: line.strip() for n, line in enumerate(lines)})


def _of_yaml(text: str) -> dict[int, str]:
    """Return the `names` of a YAML file: a list, or names by numbers. Raises `ImageRejected`."""
    try:
        document: Any = yaml.load(text, _Loader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ImageRejected("not YAML") from error
    names = document.get("names") if isinstance(document, dict) else None
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not names or not all(map(_is_named, names.items())):
        raise ImageRejected("YAML without the `names` of classes, as YOLO writes them")
    try:
        return {int(key): str(name) for key, name in names.items()}
    except ValueError as error:  # a number of more digits than Python writes
        raise ImageRejected("YAML with a number that is no name") from error


def _is_named(pair: tuple[Any, Any]) -> bool:
    """Whether it is a number with a name; a name such as `no` or 7 is read as no text."""
    key, name = pair
    return isinstance(key, int) and isinstance(name, str | int | float)


class _Loader(yaml.SafeLoader):
    """A loader without aliases, of which a small file can be grown very large."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("an alias")
        node: yaml.Node | None = super().compose_node(parent, index)
        return node


NAMES = Layout(
    "names of classes",
    _read_names,
    suffixes=(".names", ".labels", ".yaml", ".yml"),
    names=("classes.txt", "predefined_classes.txt"),
)
