"""What the query of an address says: a parameter that nobody reads is refused, not passed over."""

import math
from collections.abc import Collection, Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from labeling.api.bodies import Strict

ID_MAX = 2**63 - 1
DIGITS_MAX = 19  # of a number: Python reads no number of thousands
TEXT_MAX = 200


class OneOf(serializers.ChoiceField):
    """One of some words; a refusal lists them."""

    default_error_messages = {"invalid_choice": "“{input}” is none of {choices}."}

    def to_internal_value(self, data: Any) -> Any:
        if str(data) not in self.choices:
            listed = ", ".join(map(str, self.choices))
            self.fail("invalid_choice", input=str(data)[:40], choices=listed)
        return super().to_internal_value(data)


class WholeNumber(serializers.IntegerField):
    """A number of digits, from 0 on unless it is said otherwise."""

    default_error_messages = {"invalid": "A whole number is needed."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_value": 0, "max_value": ID_MAX, **kwargs})

    def to_internal_value(self, data: Any) -> int:
        text = str(data)
        if not (text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX):
            self.fail("invalid")
        return super().to_internal_value(text)


class Id(WholeNumber):
    """The id of a row."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_value": 1, **kwargs})


class Flag(serializers.BooleanField):
    """The words true and false."""

    default_error_messages = {"invalid": "Either true or false is needed."}

    def to_internal_value(self, data: Any) -> bool:
        if data not in ("true", "false"):
            self.fail("invalid", input=data)
        return bool(data == "true")


class Share(serializers.FloatField):
    """A number from 0 to 1."""

    default_error_messages = {"invalid": "A number from 0 to 1 is needed."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0.0, max_value=1.0, **kwargs)

    def to_internal_value(self, data: Any) -> float:
        share = super().to_internal_value(data)
        if not math.isfinite(share):
            self.fail("invalid")
        return share


class Moment(serializers.DateTimeField):
    """A date, or a time, as ISO 8601 writes it; without a zone it is UTC."""

    default_error_messages = {"invalid": "A time is needed, as 2026-05-01 or 2026-05-01T12:00:00Z."}

    def enforce_timezone(self, value: Any) -> Any:
        try:
            return super().enforce_timezone(value)
        except OverflowError:
            self.fail("invalid")


class Query(Strict):
    """The parameters that a method of an address takes, besides those of its pages."""


class Dated(Query):
    """By when a row was made."""

    since = Moment(
        source="created_at__gte", required=False, help_text="Made then or later: 2026-05-01."
    )
    until = Moment(source="created_at__lt", required=False, help_text="Made before.")


def read(request: Request, query: type[Query]) -> dict[str, Any]:
    """Return what a query says, by its fields' sources. Raises ValidationError."""
    fields = query().fields
    given = {
        name: request.query_params.getlist(name)
        if isinstance(fields[name], serializers.ListField)
        else request.query_params[name]
        for name in fields.keys()  # noqa: SIM118
        if name in request.query_params
    }
    serializer = query(data=given, context={"request": request})
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def check(request: Request, known: Mapping[str, bool]) -> None:
    """Refuse a parameter that nobody reads, or that comes twice. Raises ValidationError.

    known: whether a parameter may be repeated, by its name.
    """
    for name, values in request.query_params.lists():
        if name not in known:
            raise ValidationError({name[:TEXT_MAX] or "?": [_unknown(known)]})
        if len(values) > 1 and not known[name]:
            raise ValidationError({name: ["Send it once."]})


def _unknown(known: Collection[str]) -> str:
    if not known:
        return "There is no such parameter: this address takes none."
    return f"There is no such parameter: this address takes {', '.join(sorted(known))}."
