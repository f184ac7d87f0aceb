"""Which of two folders of pairs holds the first halves, those that a model is given.

Their names say it where they begin with different numbers ("1-sketch", "2-colours") or are known to
come in an order ("a" and "b", "input" and "output"). Otherwise it has to be said.
"""

import re

IN_ORDER = (
    ("a", "b"),
    ("first", "second"),
    ("left", "right"),
    ("input", "output"),
    ("source", "target"),
    ("before", "after"),
    ("from", "to"),
    ("x", "y"),
)
NUMBER = re.compile(r"\d{1,9}")


class OrderError(ValueError):
    """The names do not say it; the message asks for it."""


def ordered(one: str, other: str, first: str = "") -> tuple[str, str]:
    """Return two names of folders, that of the first halves first. Raises `OrderError`.

    first: the one that was said to hold the first halves; empty: neither was.
    """
    names = one, other
    if first:
        if first not in names:
            known = f"“{one}” and “{other}”"
            raise OrderError(f"There is no folder “{first}” with halves, only {known}.")
        return names if first == one else names[::-1]
    numbers = [NUMBER.match(name) for name in names]
    if all(numbers):
        keys = [int(number[0]) for number in numbers if number]
        if keys[0] != keys[1]:
            return names if keys[0] < keys[1] else names[::-1]
    plain = one.casefold(), other.casefold()
    if plain in IN_ORDER:
        return names
    if plain[::-1] in IN_ORDER:
        return names[::-1]
    raise OrderError(
        f"Say which of the folders “{one}” and “{other}” holds the first halves, from which a "
        "model is to draw the others."
    )
