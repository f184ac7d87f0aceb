"""What values read from JSON may be used as numbers and as texts."""

import sys


def is_number(value: object) -> bool:
    """Return whether a value read from JSON is a finite number that a float can hold."""
    return type(value) in (int, float) and abs(value) <= sys.float_info.max  # type: ignore[arg-type]


def is_text(value: object) -> bool:
    """Return whether a value read from JSON is a text that files and databases take.

    JSON may also hold NUL and lone surrogates.
    """
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
