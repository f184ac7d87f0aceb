"""Long lists, a page at a time."""

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

POSITION_MAX = 100  # characters; Python reads no number of thousands
PAGE = 50  # rows, where the caller does not say how many
PAGE_MAX = 200


class ById(CursorPagination):
    """Pages by a cursor, in the order of the rows' ids; `limit` says how many rows a page has."""

    ordering = "id"
    page_size = PAGE
    page_size_query_param = "limit"
    page_size_query_description = f"Rows of a page, from 1 to {PAGE_MAX}."
    cursor_query_description = "Where the page begins: as `next` and `previous` say."
    max_page_size = PAGE_MAX

    def get_page_size(self, request: Request) -> int:
        """Return how many rows a page has. Raises ValidationError where `limit` is no such."""
        text = request.query_params.get(self.page_size_query_param, str(PAGE))
        if text.isascii() and text.isdecimal() and len(text) < 5 and 1 <= int(text) <= PAGE_MAX:
            return int(text)
        sentence = _("A whole number from 1 to %(most)s.") % {"most": PAGE_MAX}
        raise ValidationError({"limit": [sentence]})

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Decode a cursor. Raises ValidationError for a position that no page ever had."""
        try:
            cursor: Cursor | None = super().decode_cursor(request)
        except NotFound:
            raise no_page() from None
        position = str(cursor.position) if cursor and cursor.position is not None else "0"
        if not (position.isascii() and position.isdecimal()) or len(position) > POSITION_MAX:
            raise no_page()
        return cursor

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        limit = {"type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": PAGE}
        return [
            _parameter(self.cursor_query_param, self.cursor_query_description, {"type": "string"}),
            _parameter(self.page_size_query_param, self.page_size_query_description, limit),
        ]


class NewestFirst(ById):
    ordering = "-id"


class Forward(ById):
    """Pages of what is no rows of one table: they lead on, and not back."""

    def body(self, request: Request, results: Any, cursor: object) -> dict[str, Any]:
        """Return a page. cursor: where the next one begins; empty or None: there is none."""
        address = request.build_absolute_uri()
        further = replace_query_param(address, self.cursor_query_param, cursor) if cursor else None
        return {"next": further, "previous": None, "results": results}

    def response(self, request: Request, results: Any, cursor: object) -> Response:
        """Return the response with a page, as `body` has it."""
        return Response(self.body(request, results, cursor))

    def number(self, request: Request) -> int:
        """Return the cursor of a page as a number, 0 for the first. Raises ValidationError."""
        text = request.query_params.get(self.cursor_query_param, "") or "0"
        if not (text.isascii() and text.isdecimal() and len(text) < 19):
            raise no_page()
        return int(text)

    def part(self, request: Request, rows: Sequence[Any]) -> tuple[Sequence[Any], int | None]:
        """Return the rows of a page of a list, and the cursor of the next."""
        start = self.number(request)
        end = start + self.get_page_size(request)
        return rows[start:end], end if rows[end:] else None


def no_page() -> ValidationError:
    """Return the refusal of a cursor that no page ever had."""
    return ValidationError({"cursor": ["No page begins here: take the address in next."]})


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": schema,
    }
