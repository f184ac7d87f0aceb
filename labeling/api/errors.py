"""Every error leaves as {"code", "detail"}, with a sentence that says what to do."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import exception_handler

from labeling import challenges


class Gone(exceptions.APIException):
    status_code = status.HTTP_404_NOT_FOUND
    default_code = "unknown"
    default_detail = "There is nothing here by that name."


class TooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "invalid"
    default_detail = "The request is too large: send less at once."


_CHALLENGE_ERRORS: dict[type[Exception], tuple[int, str]] = {
    challenges.Invalid: (status.HTTP_400_BAD_REQUEST, "invalid"),
    challenges.Forged: (status.HTTP_403_FORBIDDEN, "forged"),
    challenges.Foreign: (status.HTTP_403_FORBIDDEN, "foreign"),
    challenges.AlreadyAnswered: (status.HTTP_409_CONFLICT, "answered"),
    challenges.Expired: (status.HTTP_410_GONE, "expired"),
}
_CODES = {
    status.HTTP_400_BAD_REQUEST: "invalid",
    status.HTTP_401_UNAUTHORIZED: "unauthenticated",
    status.HTTP_403_FORBIDDEN: "forbidden",
    status.HTTP_404_NOT_FOUND: "unknown",
    status.HTTP_405_METHOD_NOT_ALLOWED: "method",
    status.HTTP_406_NOT_ACCEPTABLE: "media",
    status.HTTP_409_CONFLICT: "conflict",
    status.HTTP_413_REQUEST_ENTITY_TOO_LARGE: "invalid",
    status.HTTP_415_UNSUPPORTED_MEDIA_TYPE: "media",
    status.HTTP_429_TOO_MANY_REQUESTS: "throttled",
}


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """REST framework's EXCEPTION_HANDLER; what it does not know stays a server error."""
    if kind := _CHALLENGE_ERRORS.get(type(error)):
        code, word = kind
        return Response({"code": word, "detail": str(error)}, status=code)
    if isinstance(error, RequestDataTooBig):
        error = TooLarge()
    response = exception_handler(error, context)
    if response is None:
        return None
    detail = Gone.default_detail if isinstance(error, Http404) else _sentence(response.data)
    response.data = {"code": _CODES.get(response.status_code, "invalid"), "detail": detail}
    return response


def _sentence(data: Any) -> str:
    """The first of what may be nested: "selected: A valid integer is required."."""
    if isinstance(data, Mapping):
        if "detail" in data:
            return _sentence(data["detail"])
        for name, inner in data.items():
            sentence = _sentence(inner)
            return sentence if name == "non_field_errors" else f"{name}: {sentence}"
    if isinstance(data, Sequence) and not isinstance(data, str):
        return next((_sentence(inner) for inner in data if inner), "The request is not valid.")
    return str(data)
