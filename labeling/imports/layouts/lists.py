"""Lists of pictures, by which other tools split a data set: they hold no texts about them."""

from labeling.imports import texts
from labeling.imports.paths import is_named_as_picture

SPLITS = "imagesets/"  # of Pascal VOC: names of pictures without a suffix, some with numbers


def is_list(text: str, path: str) -> bool:
    """Whether a text names a picture in each of its lines."""
    if SPLITS in path.lower():
        return True
    lines = texts.lines(text)
    return bool(lines) and all(map(is_named_as_picture, lines))
