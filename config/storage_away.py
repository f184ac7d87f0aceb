"""Answer 503 where a page needs the storage and it is away: it is no fault of the program."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from labeling.stored_folders import StorageAway

RETRY_AFTER = 10  # seconds


class StorageAwayMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Say that it is to be tried again."""
        if not isinstance(error, StorageAway):
            return None
        response = render(request, "500.html", status=503)
        response["Retry-After"] = str(RETRY_AFTER)
        return response
