"""Tell who sent a request: a signed-in user, or the pseudonym in a signed cookie."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http.response import HttpResponseBase
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import SessionAuthentication
from rest_framework.request import Request

from labeling import visitors
from labeling.models import Annotator


class VisitorAuthentication(SessionAuthentication):
    """Authenticate the session's user or nobody; ask visitors for a CSRF token too."""

    def authenticate(self, request: Request) -> tuple[Any, None]:
        self.enforce_csrf(request)
        user = getattr(request._request, "user", None)
        return (user if user is not None and user.is_active else AnonymousUser()), None


class VisitorScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = VisitorAuthentication
    name = ["visitor", "csrfCookie", "csrfHeader"]

    def get_security_requirement(self, auto_schema: object) -> dict[str, list[str]]:
        return {"visitor": []}

    def get_security_definition(self, auto_schema: object) -> list[dict[str, str]]:
        cookie = {"name": settings.CSRF_COOKIE_NAME, "description": "Every page here sets it."}
        header = {"name": "X-CSRFToken", "description": "The value of the CSRF cookie."}
        return [
            {"type": "apiKey", "in": "cookie", "name": settings.PSEUDONYM_COOKIE},
            {"type": "apiKey", "in": "cookie", **cookie},
            {"type": "apiKey", "in": "header", **header},
        ]


def known(request: Request) -> Annotator | None:
    """Return the annotator who sent the request, if they were here before."""
    return visitors.known(request._request, request.user)


def welcome(request: Request) -> Annotator:
    """Return the annotator who sent the request; make one for a newcomer."""
    return visitors.welcome(request._request, request.user)


def remember(response: HttpResponseBase, request: Request, annotator: Annotator) -> None:
    """Give a visitor the cookie that makes them the same one next time."""
    visitors.remember(response, request._request, annotator)
