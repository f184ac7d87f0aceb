"""Long lists, a page at a time."""

from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

POSITION_MAX = 100  # characters; Python reads no number of thousands


class ById(CursorPagination):
    ordering = "id"

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Decode a cursor, and refuse a position that no page ever had."""
        cursor: Cursor | None = super().decode_cursor(request)
        position = str(cursor.position) if cursor and cursor.position is not None else "0"
        if not position.isdecimal() or len(position) > POSITION_MAX:
            raise NotFound(self.invalid_cursor_message)
        return cursor


class NewestFirst(ById):
    ordering = "-id"
