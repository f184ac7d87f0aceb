"""JSON of a bounded size and depth, whose names are unique and whose numbers are finite."""

import json
import math
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from labeling.api.exceptions import TooLarge


class BoundedJSONParser(JSONParser):
    """Parse no more than `DATA_UPLOAD_MAX_MEMORY_SIZE` bytes, and refuse deep nesting.

    A name that comes twice is refused, since one of the values would be lost; and so is a number
    that no float holds, and a name with a character that the database does not store.
    """

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(most + 1)
        if len(body) > most:
            raise TooLarge
        try:
            parsed: dict[str, Any] = json.loads(
                body.decode(),
                object_pairs_hook=_object,
                parse_float=_number,
                parse_constant=_constant,
            )
        except RecursionError:
            raise ParseError("The JSON is nested too deep.") from None
        except ValueError as error:
            raise ParseError(f"JSON parse error - {error}") from None
        return parsed


def is_storable(value: Any) -> bool:
    """Whether the database stores a JSON value: no text in it has a NUL, or half a character."""
    if isinstance(value, str):
        return "\x00" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)
    if isinstance(value, dict):
        return all(is_storable(name) and is_storable(inner) for name, inner in value.items())
    return not isinstance(value, list) or all(map(is_storable, value))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) < len(pairs):
        raise ValueError("a name comes twice in an object")
    if not all(map(is_storable, names)):
        raise ValueError("a name has a character that is none")
    return names


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
