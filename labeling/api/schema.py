"""Describe operations for the OpenAPI document."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse
from drf_spectacular.views import SpectacularAPIView
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response


class ErrorOut(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="A word for programs.")
    detail = serializers.CharField(help_text="A sentence for people.")


_DESCRIPTIONS = {
    400: "The request is not valid.",
    401: "The token is not valid, or credentials are missing.",
    403: "Not permitted, or the CSRF token is missing or wrong.",
    404: "Not found.",
    409: "It conflicts with what is there already.",
    410: "It has expired.",
    413: "The request is too large.",
    415: "The request is not of a type that is read here.",
    429: "Too many requests.",
    507: "The server's disk is full: what has come is kept.",
}


def errors(*statuses: int) -> dict[int, OpenApiResponse]:
    """Return the error responses of an operation, to be merged with its others.

    As in `responses={200: QuestionOut, **errors(403, 404)}`.
    """
    return {
        status: OpenApiResponse(ErrorOut, description=_DESCRIPTIONS[status]) for status in statuses
    }


class SchemaView(SpectacularAPIView):
    """Send the OpenAPI document as YAML or JSON; its errors are JSON, as below all of /api/."""

    def handle_exception(self, exc: Exception) -> Response:
        response: Response = super().handle_exception(exc)
        self.request.accepted_renderer = JSONRenderer()
        self.request.accepted_media_type = JSONRenderer.media_type
        return response
