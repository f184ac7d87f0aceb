"""ETags: send nothing again that is known, and overwrite nothing that somebody else changed.

An ETag is the version of what two people may edit, a dash, and a hash of the whole answer.
If-None-Match compares all of it; If-Match only the version, so that an answer of an annotator does
not stand in the way of who edits the settings.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import parse_etags
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.api.exceptions import PreconditionFailed
from labeling.api.schema import declares, header

Handler = TypeVar("Handler", bound=Callable[..., Any])


def versioned(response: Response, version: object) -> Response:
    """Let the ETag of a response begin with the version of what it shows."""
    response.version = str(version)  # type: ignore[attr-defined]
    return response


def guarded(handler: Handler) -> Handler:
    """Declare that a method heeds If-Match: `expecting`."""
    declares(handler, header("If-Match", "The ETag of what was read: 412 if it has changed."), 412)
    return handler


def check(request: Request, current: object) -> bool:
    """Return whether If-Match names a version. Raises PreconditionFailed where it is another."""
    etags = parse_etags(request.headers.get("If-Match", ""))
    if not etags or etags == ["*"]:
        if request.headers.get("If-Match", "*") != "*":
            raise PreconditionFailed
        return False
    if str(current) not in {etag.removeprefix("W/").strip('"').partition("-")[0] for etag in etags}:
        raise PreconditionFailed
    return True


@contextmanager
def expecting(request: Request, current: int, conflict: type[Exception]) -> Iterator[int | None]:
    """Yield the version that a change is made to; None where any will do.

    Raises PreconditionFailed where it is not the current one, now or when `conflict` says so.
    """
    version = current if check(request, current) else None
    try:
        yield version
    except conflict as error:
        if version is None:
            raise
        raise PreconditionFailed(str(error)) from error


def with_etag(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Return a response with its ETag, or 304 where the request names it."""
    if not _may_be_known(request, response):
        return response
    digest = hashlib.sha256(response.content).hexdigest()[:20]  # type: ignore[attr-defined]
    etag = f'"{getattr(response, "version", "")}-{digest}"'
    response["ETag"] = etag
    response.setdefault("Cache-Control", "private, no-cache")  # kept, and asked about each time
    known: HttpResponseBase = get_conditional_response(request, etag=etag, response=response)  # type: ignore[arg-type, assignment]
    return known


def _may_be_known(request: HttpRequest, response: HttpResponseBase) -> bool:
    return (
        request.method in {"GET", "HEAD"}
        and response.status_code == 200
        and not response.streaming
        and response.get("Content-Type", "").startswith("application/json")
    )
