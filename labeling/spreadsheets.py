"""Texts in the cells of a table, written so that no spreadsheet runs them as formulas."""

import re

FORMULA = r"'*[=+\-@\t\r\n]"  # how a text begins that is a formula, or was written as none
_FORMULA = re.compile(FORMULA)
_WRITTEN = re.compile(f"'{FORMULA}")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:e[+-]?\d+)?", re.IGNORECASE)


def cell(text: str) -> str:
    """Return a text as a cell holds it: with an apostrophe before what begins like a formula.

    `=1+1` is written as `'=1+1`. A number is one, whatever its sign. `text_of` is the way back.
    """
    if _FORMULA.match(text) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def text_of(cell: str) -> str:
    """Return the text that was written as a cell."""
    return cell[1:] if _WRITTEN.match(cell) else cell
