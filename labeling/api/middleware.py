"""Add to every answer of the API what no single view knows."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from labeling.api import conditional
from labeling.api.throttles import RateLimit

API = "/api/v1/"


class ApiMiddleware:
    """Add ETags, and how many calls are left (draft-ietf-httpapi-ratelimit-headers-10)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        if not request.path_info.startswith(API):
            return response
        limit: RateLimit | None = getattr(request, "rate_limit", None)
        if limit is not None:
            response["RateLimit-Policy"] = f'"{limit.scope}";q={limit.most};w={limit.window}'
            response["RateLimit"] = f'"{limit.scope}";r={limit.left};t={limit.seconds}'
        return conditional.with_etag(request, response)
