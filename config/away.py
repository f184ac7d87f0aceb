"""Answer 503 where a page needs the database or the storage and it is away."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template import loader

from labeling.api import errors
from labeling.database_errors import is_away
from labeling.stored_folders import StorageAway

RETRY_AFTER = 10  # seconds, where it is the storage


class AwayMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Say that it is to be tried again."""
        if is_away(error):
            return errors.database_away(request, error)
        if isinstance(error, StorageAway):
            page = loader.render_to_string("500.html")
            return HttpResponse(page, status=503, headers={"Retry-After": str(RETRY_AFTER)})
        return None
