"""Tell which annotator sent a request: a user, or the pseudonym in a visitor's signed cookie."""

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.crypto import salted_hmac

from labeling import prepared
from labeling.models import Annotator

COOKIE_SECONDS = 400 * 24 * 3600  # as long as browsers keep one
COOKIE_SALT = "labeling.visitors"


def known(request: HttpRequest, user: AbstractBaseUser | AnonymousUser) -> Annotator | None:
    """Return the annotator who sent the request, if they were here before."""
    if not hasattr(request, "annotator"):
        request.annotator = _find(request, user)  # type: ignore[attr-defined]
    annotator: Annotator | None = request.annotator  # type: ignore[attr-defined]
    return annotator


def welcome(request: HttpRequest, user: AbstractBaseUser | AnonymousUser) -> Annotator:
    """Return the annotator who sent the request; make one for a newcomer."""
    annotator = known(request, user)
    if annotator is None:
        if isinstance(user, User):
            annotator, _ = Annotator.objects.get_or_create(user=user)
        else:
            annotator = Annotator.objects.create()
        request.annotator = annotator  # type: ignore[attr-defined]
    return annotator


def remember(response: HttpResponseBase, request: HttpRequest, annotator: Annotator) -> None:
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


def visitor(request: HttpRequest) -> Annotator | None:
    """Return the visitor of the browser's cookie, whoever is signed in."""
    return _find(request, AnonymousUser())


def forget(response: HttpResponseBase) -> None:
    """Take the cookie back: the next visitor of this browser is somebody new."""
    response.delete_cookie(settings.PSEUDONYM_COOKIE, samesite="Lax")


def key(annotator: Annotator) -> str:
    """Return a word by which a page tells annotators apart, and nothing else is learned of them."""
    return salted_hmac("labeling.visitors.key", str(annotator.pk)).hexdigest()[:16]


def _find(request: HttpRequest, user: AbstractBaseUser | AnonymousUser) -> Annotator | None:
    if isinstance(user, User):
        annotator = prepared.first(Annotator, "WHERE user_id = %s", [user.pk])
        if annotator is not None:
            annotator.user = user
        return annotator
    if pseudonym := _pseudonym(request):
        condition = "WHERE pseudonym = %s AND user_id IS NULL"
        return prepared.first(Annotator, condition, [pseudonym])
    return None


def _pseudonym(request: HttpRequest) -> str | None:
    """Return the pseudonym in the cookie; None without one that was signed here."""
    pseudonym: str | None = request.get_signed_cookie(
        settings.PSEUDONYM_COOKIE, default=None, salt=COOKIE_SALT
    )
    return pseudonym
