"""Who belongs to a project, in which role, and the invitations by which they came."""

import hashlib
import secrets
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import CASCADE, ProtectedError, Q, QuerySet
from django.db.models.deletion import Collector
from django.utils import timezone

from labeling.models.annotators import Annotator
from labeling.models.projects import Project


class Role(models.TextChoices):
    """What a member of a project may do: `labeling.access`."""

    OWNER = "owner"
    REVIEWER = "reviewer"
    TRAINER = "trainer"
    ANNOTATOR = "annotator"
    VIEWER = "viewer"


def cascade_keeping_owners(
    collector: Collector,
    field: models.ForeignKey[Any, Any],
    memberships: QuerySet["Membership"],
    using: str,
) -> None:
    """Delete the memberships of a user who is deleted, but no project's only owner.

    Raises ProtectedError: another owner has to be made first.
    """
    owned = [row for row in memberships if row.role == Role.OWNER]
    others = Membership.objects.filter(role=Role.OWNER).exclude(pk__in=[row.pk for row in owned])
    kept = set(others.values_list("project_id", flat=True))
    last: set[models.Model] = {row for row in owned if row.project_id not in kept}
    if last:
        raise ProtectedError("A project would have no owner: make somebody else one first.", last)
    CASCADE(collector, field, memberships, using)


class Membership(models.Model):
    """A user's role in a project; or a visitor, by pseudonym, who was invited to annotate."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        cascade_keeping_owners,
        null=True,
        blank=True,
        related_name="memberships",
    )
    annotator = models.ForeignKey(
        Annotator, models.CASCADE, null=True, blank=True, related_name="memberships"
    )
    role = models.CharField(max_length=9, choices=Role.choices)
    invitation = models.ForeignKey(
        "Invitation", models.SET_NULL, null=True, blank=True, related_name="memberships"
    )
    people_seen_at = models.DateTimeField(
        null=True, blank=True, help_text="When they last looked at who belongs to the project."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "user"], condition=Q(annotator=None), name="user_once_a_project"
            ),
            models.UniqueConstraint(
                fields=["project", "annotator"],
                condition=Q(user=None),
                name="visitor_once_a_project",
            ),
            models.CheckConstraint(
                condition=Q(user=None, annotator__isnull=False)
                | Q(user__isnull=False, annotator=None),
                name="member_is_user_or_visitor",
            ),
            models.CheckConstraint(
                condition=Q(annotator=None) | Q(role="annotator"), name="visitors_only_annotate"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user or self.annotator}, {self.role} of {self.project}"

    def see_people(self) -> None:
        """Remember that the member has looked at who belongs to the project."""
        self.people_seen_at = timezone.now()
        self.save(update_fields=["people_seen_at"])


class Invitation(models.Model):
    """A link that makes whoever opens it a member; only the hash of its token is stored."""

    class Status(models.TextChoices):
        OPEN = "open"
        USED_UP = "used up"
        EXPIRED = "expired"
        WITHDRAWN = "withdrawn"

    project = models.ForeignKey(Project, models.CASCADE, related_name="invitations")
    role = models.CharField(max_length=9, choices=Role.choices)
    token_sha256 = models.CharField(max_length=64, unique=True, editable=False)
    for_username = models.CharField(
        max_length=150, blank=True, help_text="The only user who may accept it; empty: anybody."
    )
    uses_max = models.PositiveIntegerField(
        null=True, blank=True, help_text="How many may accept it; empty: any number."
    )
    uses = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"Invitation as {self.role} of {self.project}"

    @property
    def status(self) -> Status:
        """Whether somebody may still accept it, or why nobody may."""
        if self.revoked_at is not None:
            return self.Status.WITHDRAWN
        if self.expires_at <= timezone.now():
            return self.Status.EXPIRED
        if self.uses_max is not None and self.uses >= self.uses_max:
            return self.Status.USED_UP
        return self.Status.OPEN

    @staticmethod
    def new_token() -> str:
        """Return a token that nobody can guess."""
        return secrets.token_urlsafe(24)

    @staticmethod
    def hash(token: str) -> str:
        """Return what is stored of a token."""
        return hashlib.sha256(token.encode()).hexdigest()
