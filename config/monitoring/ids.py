"""The ids by which the lines of a log belong together: of a request, and of the task it caused."""

import re
import secrets
from contextvars import ContextVar

from django.conf import settings
from django.http import HttpRequest

HEADER = "X-Request-ID"
_FORM = re.compile(r"[A-Za-z0-9._-]{1,64}")

request_id: ContextVar[str] = ContextVar("request_id", default="")
task_id: ContextVar[str] = ContextVar("task_id", default="")


def of_request(request: HttpRequest) -> str:
    """Return the id that a proxy of ours gave the request; else, or if it is malformed, draw one.

    Without `PROXIES` the header is anybody's, and not believed.
    """
    given = request.headers.get(HEADER, "") if settings.PROXIES else ""
    return given if is_valid(given) else secrets.token_hex(16)


def is_valid(given: object) -> bool:
    """Return whether an id can be written into a log and a header as it is."""
    return isinstance(given, str) and _FORM.fullmatch(given) is not None
