"""Who belongs to projects, by which invitations, and what happened: read here, changed elsewhere.

Members and invitations are changed on a project's page of people, where its last owner is kept and
all is written into the history; staff who may change projects have that page for every project.
"""

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from labeling.admin.base import RecordAdmin
from labeling.models import Event, Invitation, Membership


def _people_link(row: Membership | Invitation) -> SafeString:
    address = reverse("project-people", args=[row.project.slug])
    return format_html('<a href="{}">People of {}</a>', address, row.project)


@admin.register(Membership)
class MembershipAdmin(RecordAdmin[Membership]):
    list_display = ["who", "role", "project", "created_at", "change_it"]
    list_filter = ["role"]
    list_select_related = ["user", "annotator__user", "project"]
    search_fields = ["=user__username", "=project__slug"]
    search_help_text = "A user name, or a project's short name."
    ordering = ["-id"]
    fields = ["project", "user", "annotator", "role", "invitation", "created_at", "change_it"]
    readonly_fields = ["change_it"]

    @admin.display(description="member")
    def who(self, membership: Membership) -> str:
        return str(membership.user or membership.annotator)

    @admin.display(description="change it on")
    def change_it(self, membership: Membership) -> SafeString:
        return _people_link(membership)


@admin.register(Invitation)
class InvitationAdmin(RecordAdmin[Invitation]):
    list_display = ["__str__", "status", "used", "created_by", "expires_at", "change_it"]
    list_filter = ["role"]
    list_select_related = ["project", "created_by"]
    search_fields = ["=for_username", "=project__slug"]
    search_help_text = "For whom it is, or a project's short name."
    fields = [
        "project",
        "role",
        "status",
        "used",
        "for_username",
        "created_by",
        "created_at",
        "expires_at",
        "revoked_at",
        "change_it",
    ]
    readonly_fields = ["status", "used", "change_it"]

    @admin.display(description="state")
    def status(self, invitation: Invitation) -> str:
        return str(invitation.status)

    @admin.display(description="used")
    def used(self, invitation: Invitation) -> str:
        most = f" of {invitation.uses_max:,}" if invitation.uses_max else ""
        return f"{invitation.uses:,}{most}"

    @admin.display(description="withdraw it on")
    def change_it(self, invitation: Invitation) -> SafeString:
        return _people_link(invitation)


@admin.register(Event)
class EventAdmin(RecordAdmin[Event]):
    list_display = ["message", "kind", "who", "project", "created_at"]
    list_filter = ["kind"]
    list_select_related = ["project"]
    search_fields = ["=actor", "=project__slug"]
    search_help_text = "A user name, or a project's short name."
    fields = ["message", "kind", "who", "project", "object_type", "object_id", "created_at"]
    readonly_fields = ["who"]

    @admin.display(description="who")
    def who(self, event: Event) -> str:
        return event.actor or "by itself"
