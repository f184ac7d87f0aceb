"""The outermost middleware: ids of requests, addresses for probes, and how long answers take.

Probes and scrapers come by IP address and many times a minute. They are answered before anything
else looks at a request: its host, its session, its language.
"""

import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.crypto import constant_time_compare

from config.monitoring import health, ids

Responder = Callable[[HttpRequest], HttpResponseBase]


class MonitoringMiddleware:
    """Answer `/healthz`, `/readyz` and `/metrics`; give each other request an id."""

    def __init__(self, get_response: Responder) -> None:
        self._get_response = get_response
        self._own: dict[str, Responder] = {"/healthz": is_alive, "/readyz": is_ready}
        self._measured = bool(settings.METRICS_TOKEN)
        if self._measured:
            self._own["/metrics"] = metrics_page

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if own := self._own.get(request.path_info):
            return _for_programs(own(request))
        request_id = ids.of_request(request)
        reset = ids.request_id.set(request_id)
        started = time.perf_counter()
        try:
            response = self._get_response(request)
        finally:
            ids.request_id.reset(reset)
        response[ids.HEADER] = request_id
        if self._measured:
            from config.monitoring import process_metrics  # only where somebody measures

            process_metrics.observe(request, response, time.perf_counter() - started)
        return response


def is_alive(request: HttpRequest) -> HttpResponse:
    """Say that the process answers."""
    return JsonResponse({"alive": True})


def is_ready(request: HttpRequest) -> HttpResponse:
    """Say whether requests can be answered; and, to whoever asks past the front, what is away."""
    ready, checks = health.readiness()
    found: dict[str, object] = {"ready": ready}
    if "X-Forwarded-For" not in request.headers:
        found["checks"] = checks
    return JsonResponse(found, status=200 if ready else 503)


def metrics_page(request: HttpRequest) -> HttpResponse:
    """Send the metrics to whoever has the token."""
    if not is_scraper(request.headers.get("Authorization", "")):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    from config.monitoring import metrics

    return HttpResponse(metrics.exposition(), content_type=metrics.CONTENT_TYPE)


def is_scraper(authorization: str) -> bool:
    """Return whether a header holds the token of `METRICS_TOKEN`."""
    expected = f"Bearer {settings.METRICS_TOKEN}"
    return bool(settings.METRICS_TOKEN) and constant_time_compare(authorization, expected)


def _for_programs(response: HttpResponseBase) -> HttpResponseBase:
    setattr(response, "_has_been_logged", True)  # noqa: B010 - Django writes no line for each probe
    response["Cache-Control"] = "no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response
