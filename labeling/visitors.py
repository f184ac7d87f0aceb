"""Tell which annotator sent a request: a user, or the pseudonym in a visitor's signed cookie."""

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from labeling import addresses, prepared, showings
from labeling.models import Annotator

COOKIE_SECONDS = 400 * 24 * 3600  # as long as browsers keep one
KEPT = timedelta(days=1)  # for which somebody who has not answered is kept
FORGOTTEN = 5_000  # of them that are deleted at once
COOKIE_SALT = "labeling.visitors"


class TooManyNewcomers(Exception):
    """An address was given as many pseudonyms as it may on one day."""


def known(request: HttpRequest, user: AbstractBaseUser | AnonymousUser) -> Annotator | None:
    """Return the annotator who sent the request, if they were here before."""
    if not hasattr(request, "annotator"):
        request.annotator = _find(request, user)  # type: ignore[attr-defined]
    annotator: Annotator | None = request.annotator  # type: ignore[attr-defined]
    return annotator


def welcome(request: HttpRequest, user: AbstractBaseUser | AnonymousUser) -> Annotator:
    """Return the annotator who sent the request; make one for a newcomer.

    Raises TooManyNewcomers where the address was given `NEWCOMERS_PER_ADDRESS` pseudonyms today.
    """
    annotator = known(request, user)
    if annotator is None:
        if isinstance(user, User):
            annotator, _ = Annotator.objects.get_or_create(user=user)
        else:
            _count_newcomer(request)
            annotator = Annotator.objects.create()
        request.annotator = annotator  # type: ignore[attr-defined]
    return annotator


def forget_unanswered(*, now: datetime | None = None) -> int:
    """Delete the pseudonyms of those who never answered, `KEPT` after they came; return how many.

    Those who were invited, or have written or flagged anything, are kept.
    """
    old = Annotator.objects.filter(
        user=None,
        seen_at=None,
        answers_count=0,
        created_at__lt=(now or timezone.now()) - KEPT,
        memberships=None,
        comments=None,
        captions=None,
        answers=None,
    )
    ids = list(old.order_by("pk").values_list("pk", flat=True)[:FORGOTTEN])
    _, deleted = Annotator.objects.filter(pk__in=ids, answers_count=0).delete()
    return deleted.get(Annotator._meta.label, 0)


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


def forget_device(response: HttpResponseBase) -> None:
    """Take back the cookie and all that scripts have kept: questions, answers that wait, hints.

    Browsers heed it over HTTPS; over plain HTTP, scripts delete the questions (`signed-out.js`).
    """
    forget(response)
    response["Clear-Site-Data"] = '"storage"'


def key(annotator: Annotator) -> str:
    """Return a word by which a page tells annotators apart, and nothing else is learned of them."""
    return salted_hmac("labeling.visitors.key", str(annotator.pk)).hexdigest()[:16]


def cookie_key(request: HttpRequest) -> str:
    """Return such a word for the browser's cookie, without a look at who it belongs to; or ""."""
    pseudonym = _pseudonym(request)
    if pseudonym is None:
        return ""
    return salted_hmac("labeling.visitors.cookie_key", pseudonym).hexdigest()[:16]


def _count_newcomer(request: HttpRequest) -> None:
    """Count a new pseudonym at the request's address. Raises TooManyNewcomers."""
    most = settings.NEWCOMERS_PER_ADDRESS
    if not showings.admit_newcomer(addresses.client_address(request), most=most):
        raise TooManyNewcomers(
            _(
                "Many people have begun here from your network today. Please sign in or make an "
                "account, or come back tomorrow."
            )
        )


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
