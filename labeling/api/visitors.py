"""Tell who sent a request: a signed-in user, or the pseudonym in a signed cookie."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.http.response import HttpResponseBase
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import SessionAuthentication
from rest_framework.request import Request

from labeling import prepared
from labeling.models import Annotator

COOKIE_SECONDS = 400 * 24 * 3600  # as long as browsers keep one
COOKIE_SALT = "labeling.visitors"


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
    http = request._request
    if not hasattr(http, "annotator"):
        http.annotator = _find(request)  # type: ignore[attr-defined]
    annotator: Annotator | None = http.annotator  # type: ignore[attr-defined]
    return annotator


def welcome(request: Request) -> Annotator:
    """Return the annotator who sent the request; make one for a newcomer."""
    annotator = known(request)
    if annotator is None:
        if isinstance(request.user, User):
            annotator, _ = Annotator.objects.get_or_create(user=request.user)
        else:
            annotator = Annotator.objects.create()
        request._request.annotator = annotator  # type: ignore[attr-defined]
    return annotator


def remember(response: HttpResponseBase, request: Request, annotator: Annotator) -> None:
    """Give a visitor the cookie that makes them the same one next time."""
    if annotator.user_id is None and _pseudonym(request) != annotator.pseudonym:
        response.set_signed_cookie(
            settings.PSEUDONYM_COOKIE,
            annotator.pseudonym,
            salt=COOKIE_SALT,
            max_age=COOKIE_SECONDS,
            httponly=True,
            samesite="Lax",
            secure=settings.HTTPS,
        )


def _find(request: Request) -> Annotator | None:
    if isinstance(request.user, User):
        return prepared.first(Annotator, "WHERE user_id = %s", [request.user.pk])
    if pseudonym := _pseudonym(request):
        condition = "WHERE pseudonym = %s AND user_id IS NULL"
        return prepared.first(Annotator, condition, [pseudonym])
    return None


def _pseudonym(request: Request) -> str | None:
    """Return the pseudonym in the cookie; None without one that was signed here."""
    pseudonym: str | None = request._request.get_signed_cookie(
        settings.PSEUDONYM_COOKIE, default=None, salt=COOKIE_SALT
    )
    return pseudonym
