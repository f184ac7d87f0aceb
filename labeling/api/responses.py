"""Responses that are for one person alone, or say where something new is."""

from collections.abc import Mapping

from django.urls import reverse
from rest_framework.response import Response

NO_STORE = "private, no-store"  # value of Cache-Control: no cache keeps it


def private(data: Mapping[str, object]) -> Response:
    """Return a response that no cache keeps, not even the browser's."""
    return Response(data, headers={"Cache-Control": NO_STORE})


def made(name: str, *args: object, data: object, status: int = 201) -> Response:
    """Return the response for what was made, with the address of its name in `Location`."""
    return Response(data, status=status, headers={"Location": reverse(name, args=args)})
