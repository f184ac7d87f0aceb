"""Which errors say that the database is away or full, and takes nothing: no fault of who asked."""

from django.db import Error, InterfaceError, OperationalError

AWAY = "The database cannot be reached, or takes nothing now. It goes on once it does."
FULL = "The disk of the database is full: free some space there. It goes on once there is room."
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_CONNECTION, _RESOURCES, _OPERATOR, _SYSTEM = "08", "53", "57", "58"
_CANCELLED = "57014"  # a query that took too long
_DISK_FULL = "53100"
_READ_ONLY = "25006"  # a standby that is not promoted yet


def is_away(error: BaseException | None) -> bool:
    """Whether the same may succeed a little later, as the database is then back, or has room."""
    if not isinstance(error, Error):
        return False
    code = _code(error)
    if code is None:  # the connection broke, or none is to be had
        return isinstance(error, InterfaceError | OperationalError)
    if code in {_CANCELLED, _READ_ONLY}:
        return code == _READ_ONLY
    return code[:2] in {_CONNECTION, _RESOURCES, _OPERATOR, _SYSTEM}


def is_full(error: BaseException | None) -> bool:
    """Whether the database had no room on its disk."""
    return isinstance(error, Error) and _code(error) == _DISK_FULL


def why(error: BaseException | None) -> str:
    """Return a sentence for whoever runs the server on a database that is away; else nothing."""
    if is_full(error):
        return FULL
    return AWAY if is_away(error) else ""


def _code(error: Error) -> str | None:
    code: str | None = getattr(error.__cause__ or error, "sqlstate", None)
    return code
