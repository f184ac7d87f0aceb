"""Where somebody goes who has signed in, and what their browser brings along."""

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from labeling import access, visitors
from labeling.accounts import merging


def target(request: HttpRequest) -> str:
    """Return where to go afterwards, as `next` says; empty where that is another site."""
    return checked(request, request.POST.get("next") or request.GET.get("next") or "")


def checked(request: HttpRequest, address: str) -> str:
    """Return an address of this site; empty where it is another's."""
    safe = url_has_allowed_host_and_scheme(
        address, {request.get_host()}, require_https=request.is_secure()
    )
    return address if safe else ""


def default(user: User | AnonymousUser) -> str:
    """Lead whoever has projects to them, or to the only one; visitors to the first page."""
    rows = access.projects(user)[:2]
    if len(rows) == 1:
        return rows[0].get_absolute_url()
    if rows or access.may_create(user):
        return reverse("projects")
    return reverse(settings.LOGIN_REDIRECT_URL)


def keep_answers(request: HttpRequest, response: HttpResponse, user: User) -> HttpResponse:
    """Merge what this browser's visitor answered into the account; take the cookie back.

    Only a form of ours with its CSRF token leads here, so nobody else's page can sign a browser in
    to an account of theirs and so learn what its visitor answered.
    """
    visitor = visitors.visitor(request)
    if visitor is not None:
        merging.merge(visitor=visitor, user=user)
    if settings.PSEUDONYM_COOKIE in request.COOKIES:
        visitors.forget(response)
    return response
