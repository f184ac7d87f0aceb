"""Who belongs to a project: its members and invitations, and how to change them."""

from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.views.decorators.http import require_GET, require_POST

from labeling import access, members, notices
from labeling.access import Capability
from labeling.models import Invitation, Membership, Project, Role
from labeling.project_pages import base, roles

SECTION = base.register(base.Section("project-people", "People", 60))
PAGE = 100  # members
INVITATIONS_MAX = 100  # open ones that are shown


class InvitationForm(forms.Form):
    """Ask for what an invitation needs; `members.invite` decides whether it may be."""

    role = forms.ChoiceField(choices=Role.choices, initial=Role.ANNOTATOR)
    for_username = forms.CharField(
        label="For whom",
        required=False,
        max_length=150,
        help_text="A user name; empty: whoever has the link.",
    )
    uses_max = forms.IntegerField(
        label="How many may use it",
        required=False,
        min_value=1,
        max_value=members.USES_MAX,
        initial=1,
        help_text="Empty: any number, for annotators only.",
    )
    days = forms.IntegerField(
        label="For how many days", min_value=1, max_value=members.DAYS_MAX, initial=14
    )

    def save(self, project: Project, by: User) -> str:
        """Make the invitation and return its token; empty with an error where it may not be."""
        try:
            return members.invite(project=project, by=by, **self.cleaned_data)[1]
        except members.MemberError as error:
            self.add_error(None, str(error))
            return ""


@require_GET
@base.page(Capability.VIEW)
def people(request: HttpRequest, project: Project) -> HttpResponse:
    """Show the members, the open invitations, and what each role may do."""
    response = _render(request, project, InvitationForm(label_suffix=""))
    notices.look_at_people(project.memberships.filter(user=request.user.pk).first())
    return response


@require_POST
@base.page(Capability.MANAGE)
def invite(request: HttpRequest, project: Project) -> HttpResponse:
    """Make an invitation and show its link, once."""
    form = InvitationForm(request.POST, label_suffix="")
    token = form.save(project, cast(User, request.user)) if form.is_valid() else ""
    if not token:
        return _render(request, project, form, status=400)
    link = request.build_absolute_uri(reverse("invitation", args=[token]))
    return _render(
        request,
        project,
        InvitationForm(label_suffix=""),
        link=link,
        invited_as=request.POST["role"],
    )


@require_POST
@base.page(Capability.MANAGE)
def revoke(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Withdraw an invitation."""
    invitation = get_object_or_404(project.invitations.select_related("project"), pk=pk)
    by = cast(User, request.user)
    return _try(
        request,
        project,
        lambda: members.revoke(invitation=invitation, by=by),
        "The invitation is withdrawn: its link opens nothing any more.",
    )


@require_POST
@base.page(Capability.MANAGE)
def change_role(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Give a member another role."""
    membership = get_object_or_404(_memberships(project), pk=pk)
    role = request.POST.get("role", "")
    if role not in Role.values:
        messages.error(request, "Choose a role.")
        return redirect("project-people", project.slug)
    by = cast(User, request.user)
    return _try(
        request,
        project,
        lambda: members.change_role(membership=membership, role=role, by=by),
        f"{membership.user or membership.annotator} is {role} now.",
    )


@require_POST
@base.page(Capability.MANAGE)
def remove(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """End somebody's membership."""
    membership = get_object_or_404(_memberships(project), pk=pk)
    by = cast(User, request.user)
    return _try(
        request,
        project,
        lambda: members.remove(membership=membership, by=by),
        f"{membership.user or membership.annotator} is no member any more. Their answers stay.",
    )


@require_POST
@base.page(Capability.VIEW)
def leave(request: HttpRequest, project: Project) -> HttpResponse:
    """End one's own membership."""
    user = cast(User, request.user)
    return _try(
        request,
        project,
        lambda: members.leave(project=project, user=user),
        f"You have left {project}.",
    )


def _try(
    request: HttpRequest, project: Project, act: Callable[[], object], success: str
) -> HttpResponse:
    """Do it, and say that it was done, or why not; whoever sees the project no more goes home."""
    try:
        act()
    except members.MemberError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, success)
    if not access.may(request.user, project, Capability.VIEW):
        return redirect("home")
    return redirect("project-people", project.slug)


def _render(
    request: HttpRequest, project: Project, form: InvitationForm, *, status: int = 200, **more: str
) -> HttpResponse:
    page = Paginator(_memberships(project), PAGE).get_page(request.GET.get("page"))
    owners = project.memberships.filter(role=Role.OWNER).count()
    context: dict[str, Any] = {
        "page": page,
        "own": project.memberships.filter(user=request.user.pk).first(),
        "last_owner": owners == 1,
        "invitations": _open_invitations(project),
        "form": form,
        "roles": Role.choices,
        "role_table": roles.table(),
        "page_name": "members",
        **more,
    }
    template = "project/people.html"
    return base.render(request, project, template, context, section=SECTION, status=status)


def _memberships(project: Project) -> QuerySet[Membership]:
    """Return the members, owners first and annotators, who may be many, last."""
    ranks = [
        When(role=role, then=Value(rank))
        for rank, role in enumerate(
            (Role.OWNER, Role.REVIEWER, Role.TRAINER, Role.VIEWER, Role.ANNOTATOR)
        )
    ]
    rank = Case(*ranks, output_field=IntegerField())
    rows = project.memberships.select_related("user", "annotator__user", "project")
    return rows.order_by(rank, "pk")


def _open_invitations(project: Project) -> list[Invitation]:
    newest = project.invitations.filter(revoked_at=None).select_related("created_by")
    open_ones = (each for each in newest if each.status == Invitation.Status.OPEN)
    return [each for each, _ in zip(open_ones, range(INVITATIONS_MAX), strict=False)]


urlpatterns = [
    path("people/", people, name="project-people"),
    path("people/invite/", invite, name="project-invite"),
    path("people/invitations/<int:pk>/revoke/", revoke, name="project-invitation-revoke"),
    path("people/members/<int:pk>/role/", change_role, name="project-member-role"),
    path("people/members/<int:pk>/remove/", remove, name="project-member-remove"),
    path("people/leave/", leave, name="project-leave"),
]
