"""Which errors say that the database is away, or takes nothing now: no fault of who asked."""

from django.db import InterfaceError, OperationalError

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_CONNECTION, _RESOURCES, _OPERATOR = "08", "53", "57"
_CANCELLED = "57014"  # a query that took too long


def is_away(error: BaseException) -> bool:
    """Whether the same may succeed a little later, as the database is then back, or has room."""
    if not isinstance(error, InterfaceError | OperationalError):
        return False
    code: str | None = getattr(error.__cause__ or error, "sqlstate", None)
    if code is None:  # the connection broke, or none is to be had
        return True
    return code != _CANCELLED and code[:2] in {_CONNECTION, _RESOURCES, _OPERATOR}
