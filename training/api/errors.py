"""Every refusal says what happened and what to do, in one shape: code and detail."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, inline_serializer
from rest_framework import serializers
from rest_framework.exceptions import APIException
from rest_framework.response import Response
from rest_framework.views import APIView

CODES = {
    400: "invalid",
    401: "forbidden",
    403: "forbidden",
    404: "unknown",
    405: "invalid",
    409: "conflict",
    415: "invalid",
    429: "throttled",
}

REFUSED = OpenApiResponse(
    inline_serializer(
        "Refusal", {"code": serializers.CharField(), "detail": serializers.CharField()}
    ),
    description="What happened and what to do.",
)


class InvalidError(APIException):
    status_code = 400


class ConflictError(APIException):
    status_code = 409


class BusyError(APIException):
    status_code = 429


class Spoken(APIView):
    """Turns whatever is refused into `{"code", "detail"}`."""

    def handle_exception(self, exc: Exception) -> Response:
        response = super().handle_exception(exc)
        response.data = {
            "code": CODES.get(response.status_code, "failed"),
            "detail": _sentence(response.data),
        }
        return response


def _sentence(data: Any) -> str:
    """The first thing that is wrong, with its field's name."""
    if isinstance(data, dict):
        name, value = next(iter(data.items()), ("detail", ""))
        plain = name in ("detail", "non_field_errors")
        return _sentence(value) if plain else f"{name}: {_sentence(value)}"
    if isinstance(data, list):
        return _sentence(data[0]) if data else ""
    return str(data)
