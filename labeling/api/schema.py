"""Describe operations for the OpenAPI document."""

import re
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from labeling.api import problems
from labeling.api.negotiation import PictureNegotiation


class Problem(serializers.Serializer[Any]):
    """What went wrong, as RFC 9457 writes it."""

    type = serializers.CharField(help_text="Where the problem is explained.")
    title = serializers.CharField(help_text="The name of the status.")
    status = serializers.IntegerField(help_text="The HTTP status.")
    code = serializers.CharField(help_text="A word for programs.")
    detail = serializers.CharField(help_text="A sentence for people.")
    ready_in = serializers.FloatField(
        required=False, help_text="Seconds until it makes sense to ask again, where that is known."
    )
    scope = serializers.CharField(required=False, help_text="That the token lacks.")


_DESCRIPTIONS = {
    400: "The request is not valid.",
    401: "The token is not valid, or credentials are missing.",
    403: "Not permitted: by the role, by the token's scopes, or for want of a CSRF token.",
    404: "Not found.",
    406: "The answer is JSON, and the Accept header takes none.",
    409: "It conflicts with what is there already.",
    410: "It has expired.",
    412: "It is not what If-Match names any more: read it again.",
    413: "The request is too large.",
    415: "The request is not of a type that is read here.",
    422: "The Idempotency-Key was sent before, with another request.",
    429: "Too many requests.",
    503: "For a moment it cannot be done: ask again.",
    507: "The server's disk is full: what has come is kept.",
}
BINARY = {"type": "string", "format": "binary"}
SUMMARY_LENGTH = 120  # characters
_WITH_BODY = ("POST", "PATCH", "PUT")
_ALWAYS = (400, 401, 403, 429)
_OF_BODIES = (413, 415)


def errors(*statuses: int) -> dict[int, OpenApiResponse]:
    """Return the error responses of an operation, to be merged with its others.

    As in `responses={200: QuestionOut, **errors(403, 404)}`. Those that every operation has are
    added by `Schema`.
    """
    return {
        status: OpenApiResponse(Problem, description=_DESCRIPTIONS[status]) for status in statuses
    }


class Schema(AutoSchema):
    """Declare what holds for every operation: its errors, and the headers that it reads.

    A method's decorators say in `headers` which it reads besides, and in `statuses` which errors
    come of them.
    """

    def get_override_parameters(self) -> list[Any]:
        """Return what the view's method reads of the address, and the headers."""
        query = getattr(self.view, "queries", {}).get(self.method)
        return [
            *super().get_override_parameters(),
            *([query] if query else []),
            *getattr(self._handler(), "headers", ()),
        ]

    def get_summary(self) -> str:
        """Return the first sentence of what an operation does, as its title."""
        text = " ".join(str(self.get_description()).split())
        return re.split(r"(?<=[^.])[.:;](?: |$)", text, maxsplit=1)[0][:SUMMARY_LENGTH]

    def _handler(self) -> Any:
        return getattr(self.view, self.method.lower(), None)

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for status, response in errors(*self._statuses()).items():
            if str(status) not in bodies:
                bodies[str(status)] = self._get_response_for_code(response, str(status))
        if self._may_be_unchanged():
            bodies["304"] = {"description": "It is what If-None-Match names."}
        return dict(sorted(bodies.items()))

    def _get_response_for_code(
        self,
        serializer: Any,
        status_code: Any,
        media_types: Any = None,
        direction: Any = "response",
    ) -> Any:
        if int(status_code) >= 400:
            media_types = [problems.MEDIA_TYPE]
        return super()._get_response_for_code(  # type: ignore[no-untyped-call]
            serializer, status_code, media_types, direction
        )

    def _get_serializer_field_meta(self, field: Any, direction: Any) -> Any:
        """Add that a row's field may be null where a relation on the way to it may be."""
        meta = super()._get_serializer_field_meta(field, direction)  # type: ignore[no-untyped-call]
        if direction == "response" and _may_be_null(field):
            meta["nullable"] = True
        return meta

    def _map_serializer_field(
        self, field: Any, direction: Any, bypass_extensions: bool = False
    ) -> Any:
        """Add the empty text to what a row's choice may be, and which texts are taken."""
        schema = super()._map_serializer_field(field, direction, bypass_extensions)  # type: ignore[no-untyped-call]
        if direction == "response" and "" not in schema.get("enum", [""]) and _may_be_blank(field):
            schema["enum"] = [*schema["enum"], ""]
        if direction == "request" and isinstance(field, serializers.FileField):
            schema = schema | BINARY
        if direction == "request" and type(field) is serializers.CharField:
            schema = {"pattern": _pattern(field), **schema}
        return schema

    def _statuses(self) -> list[int]:
        """Return the errors of the operation that need not be named where it is written."""
        statuses = [*_ALWAYS, *getattr(self._handler(), "statuses", ())]
        if not self._sends_files():
            statuses.append(406)
        if self.method in _WITH_BODY and self.get_request_serializer() is not None:
            statuses += _OF_BODIES
        if self.method == "GET" and self._is_list_view() and self._get_paginator():  # type: ignore[no-untyped-call]
            statuses.append(404)
        return statuses

    def _may_be_unchanged(self) -> bool:
        return self.method == "GET" and not self._sends_files()

    def _sends_files(self) -> bool:
        return issubclass(self.view.content_negotiation_class, PictureNegotiation)


def tidy(result: Any, **_: Any) -> Any:
    """Say anyOf where no more than one of the schemas is meant, and name each type once.

    A null is of any type, too, so that it is of both schemas of a JSON value that may be null.
    """
    if isinstance(result, list):
        return [tidy(each) for each in result]
    if not isinstance(result, dict):
        return result
    tidied = {name: tidy(node) for name, node in result.items()}
    branches = tidied.get("oneOf")
    if isinstance(branches, list) and {} in branches:  # anything, null as well
        del tidied["oneOf"]
    elif isinstance(branches, list) and any(branch.keys() != {"required"} for branch in branches):
        tidied["anyOf"] = tidied.pop("oneOf")
    if isinstance(tidied.get("type"), list):
        tidied["type"] = list(dict.fromkeys(tidied["type"]))
    return tidied


def declares(handler: Any, parameter: OpenApiParameter, *statuses: int) -> None:
    """Declare that a view's method reads a header, and which errors come of it."""
    handler.headers = [*getattr(handler, "headers", ()), parameter]
    handler.statuses = (*getattr(handler, "statuses", ()), *statuses)


def header(name: str, description: str, length: int = 1_000) -> OpenApiParameter:
    """Return a header that an operation may be sent. length: characters at most."""
    schema = {"type": "string", "minLength": 1, "maxLength": length}
    return OpenApiParameter(name, schema, OpenApiParameter.HEADER, description=description)


def _pattern(field: serializers.CharField) -> str:
    """Return which texts a field takes: none with a NUL, and none of blanks alone."""
    if not field.allow_blank and not field.trim_whitespace:
        return r"^[^\u0000]+$"
    if field.allow_blank:
        return r"^[^\u0000]*$"
    return r"^[^\u0000]*[^\s\u0000][^\u0000]*$"


def _may_be_null(field: serializers.Field[Any, Any, Any, Any]) -> bool:
    """Whether a field of a row is null because a relation is, or has null as its default."""
    if field.default is None:
        return True
    return any(getattr(step, "null", False) for step in _steps(field))


def _may_be_blank(field: serializers.Field[Any, Any, Any, Any]) -> bool:
    steps = _steps(field)
    return bool(steps) and getattr(steps[-1], "blank", False)


def _steps(field: serializers.Field[Any, Any, Any, Any]) -> list[Any]:
    """Return the model's fields on the way to what a field shows; none where it shows no row's."""
    model = getattr(getattr(field.parent, "Meta", None), "model", None)
    steps: list[Any] = []
    for name in getattr(field, "source_attrs", []):
        if model is None:
            break
        try:
            step = model._meta.get_field(name)
        except FieldDoesNotExist:
            break
        steps.append(step)
        model = step.related_model
    return steps
