"""Responses that are for one person alone."""

from collections.abc import Mapping

from rest_framework.response import Response

NO_STORE = "private, no-store"  # value of Cache-Control: no cache keeps it


def private(data: Mapping[str, object]) -> Response:
    """Return a response that no cache keeps, not even the browser's."""
    return Response(data, headers={"Cache-Control": NO_STORE})
