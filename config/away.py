"""Answer 503 where a page needs the database or the storage and it is away."""

import logging
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template import loader

from labeling.api import errors
from labeling.database_errors import is_away, is_full
from labeling.stored_folders import StorageAway

RETRY_AFTER = {True: 2, False: 10}  # seconds, by whether it is the database

logger = logging.getLogger(__name__)


class AwayMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Say that it is to be tried again."""
        is_database = is_away(error)
        if not is_database and not isinstance(error, StorageAway):
            return None
        if is_database:
            logger.warning("The database is away: %s", str(error).partition("\n")[0])
        # Without the request: what looks up who is signed in needs the database, too.
        context = {"sentence": errors.of_database(error)[1]} if is_full(error) else {}
        response = HttpResponse(loader.render_to_string("500.html", context), status=503)
        response["Retry-After"] = str(RETRY_AFTER[is_database])
        return response
