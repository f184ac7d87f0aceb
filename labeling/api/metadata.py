"""Answer OPTIONS."""

from typing import TYPE_CHECKING, Any

from rest_framework.metadata import SimpleMetadata

if TYPE_CHECKING:  # views import this module by their settings
    from rest_framework.request import Request
    from rest_framework.views import APIView


class ViewMetadata(SimpleMetadata):
    """Name and describe a view; only the OpenAPI document describes its fields.

    REST framework would derive them from the view's serializer, which is the one for answers
    and not the one for requests, and which some views do not have.
    """

    def determine_actions(self, request: "Request", view: "APIView") -> dict[str, Any]:
        return {}
