"""What values read from JSON may be used as numbers and as texts."""

import sys
from typing import TypeGuard


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value read from JSON is a finite number that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max


def is_text(value: object) -> TypeGuard[str]:
    """Return whether a value read from JSON is a text that files and databases take.

    JSON may also hold the character NUL and lone surrogates.
    """
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
