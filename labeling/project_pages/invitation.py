"""The page of an invitation: what somebody is invited to, and the button that accepts it."""

from http import HTTPStatus

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from labeling import access, members, visitors
from labeling.accounts import limits
from labeling.addresses import client_address
from labeling.models import Invitation, Membership, Role
from labeling.project_pages import roles

UNKNOWN = gettext_lazy("There is no such invitation: check that the link is whole.")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Show what the invitation is for; accept it by POST, never because a link was opened."""
    row = members.find(token)
    if row is None:
        response = _unknown(request)
    elif request.method == "POST":
        response = _accept(request, row, token)
    else:
        response = _show(request, row)
    response["Referrer-Policy"] = "same-origin"  # the address is a secret
    response["X-Robots-Tag"] = "noindex"
    return response


def _show(request: HttpRequest, row: Invitation, error: str = "") -> HttpResponse:
    user = _user(request)
    needs_account = False
    try:
        members.check(row, user)
    except members.SignInRequired:
        needs_account = True
    except members.InvitationError as refusal:
        return _refused(request, row, str(refusal))
    membership = _membership(row, user)
    context = {
        "invitation": row,
        "role": roles.NAMES[Role(row.role)],
        "meaning": roles.MEANINGS[Role(row.role)],
        "needs_account": needs_account,
        "membership": membership,
        "own_role": membership and roles.NAMES[Role(membership.role)],
        "keeps_role": membership is not None and access.covers(membership.role, row.role),
        "error": error,
    }
    status = HTTPStatus.CONFLICT if error else HTTPStatus.OK
    return render(request, "invitation.html", context, status=status)


def _accept(request: HttpRequest, row: Invitation, token: str) -> HttpResponse:
    user = _user(request)
    annotator = None
    try:
        members.check(row, user)
        if user is None:
            annotator = visitors.welcome(request, request.user)
        membership = members.accept(token=token, user=user, annotator=annotator)
    except (members.InvitationError, visitors.TooManyNewcomers) as refusal:
        row.refresh_from_db()
        return _show(request, row, str(refusal))
    annotates = membership.role == Role.ANNOTATOR
    if not annotates:
        sentence = _("Welcome to %(project)s. Your role: %(role)s.")
        names = {"project": row.project, "role": roles.NAMES[Role(membership.role)]}
        messages.success(request, sentence % names)
    response = redirect("take_part" if annotates else "project", row.project.slug)
    if annotator is not None:
        visitors.remember(response, request, annotator)
    return response


def _refused(request: HttpRequest, row: Invitation, reason: str) -> HttpResponse:
    """Say why it cannot be accepted; to members also where their project is."""
    context = {"reason": reason, "membership": _membership(row, _user(request))}
    other_person = row.status == Invitation.Status.OPEN
    status = HTTPStatus.FORBIDDEN if other_person else HTTPStatus.GONE
    return render(request, "invitation_refused.html", context, status=status)


def _unknown(request: HttpRequest) -> HttpResponse:
    try:
        limits.count_invitation_guess(client_address(request))
    except limits.TooManyAttempts as error:
        reason = ngettext(
            "There were too many links that belong to nothing. Wait %(count)s second.",
            "There were too many links that belong to nothing. Wait %(count)s seconds.",
            error.seconds,
        ) % {"count": error.seconds}
        status = HTTPStatus.TOO_MANY_REQUESTS
    else:
        reason, status = str(UNKNOWN), HTTPStatus.NOT_FOUND
    return render(request, "invitation_refused.html", {"reason": reason}, status=status)


def _membership(row: Invitation, user: User | None) -> Membership | None:
    if user is None:
        return None
    return Membership.objects.filter(project=row.project, user=user).first()


def _user(request: HttpRequest) -> User | None:
    return request.user if isinstance(request.user, User) else None


urlpatterns = [path("invitations/<str:token>/", invitation, name="invitation")]
