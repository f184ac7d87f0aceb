"""Invite people to a project, let them join, change what they may do, and let them go."""

from datetime import timedelta

from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from labeling import access, audit
from labeling.access import Capability
from labeling.models import Annotator, Event, Invitation, Membership, Project, Role

DAYS_MAX = 365
USES_MAX = 10_000
USES_MAX_ABOVE_ANNOTATOR = 20  # such a link opens the project's labels: it is not for a crowd


_ENDED = {
    Invitation.Status.WITHDRAWN: gettext_lazy("This invitation was withdrawn. Ask for a new one."),
    Invitation.Status.EXPIRED: gettext_lazy("This invitation has expired. Ask for a new one."),
    Invitation.Status.USED_UP: gettext_lazy(
        "This invitation has been used already. Ask for one of your own."
    ),
}


class MemberError(ValueError):
    """It cannot be done; the message says why, and what to do."""


class InvitationError(MemberError):
    """An invitation cannot be accepted, now or by this person."""


class SignInRequired(InvitationError):
    """It can be accepted, by a signed-in user."""


def invite(
    *,
    project: Project,
    role: str,
    by: User,
    for_username: str = "",
    uses_max: int | None = 1,
    days: int = 14,
) -> tuple[Invitation, str]:
    """Make an invitation; return it with its token, of which only the hash is stored.

    for_username: the only user who may accept it; empty: anybody who has the link.
    uses_max: how many may accept it; None, for annotators only: any number.
    days: for how long, 1 to 365. Raises MemberError, and PermissionDenied.
    """
    _require_manager(by, project)
    _check_invitation(project, Role(role), for_username, uses_max, days)
    token = Invitation.new_token()
    with transaction.atomic():
        invitation = Invitation.objects.create(
            project=project,
            role=role,
            token_sha256=Invitation.hash(token),
            for_username=for_username,
            uses_max=1 if for_username else uses_max,
            created_by=by,
            expires_at=timezone.now() + timedelta(days=days),
        )
        whom = f"“{for_username}”" if for_username else f"{_how_many(invitation)} by link"
        _record(project, f"Invited {whom} as {role}.", by, invitation, ADDITION)
    return invitation, token


def find(token: str) -> Invitation | None:
    """Return the invitation that a token belongs to, whatever became of it."""
    invitations = Invitation.objects.select_related("project", "created_by")
    return invitations.filter(token_sha256=Invitation.hash(token)).first()


def check(invitation: Invitation, user: User | None) -> None:
    """Raise InvitationError where this person cannot accept the invitation now.

    user: None for a visitor, who may accept an annotator's invitation that is for anybody.
    """
    if invitation.project.state == Project.State.ARCHIVED:
        raise InvitationError(_("This project is archived: nobody can join it."))
    if invitation.status != Invitation.Status.OPEN:
        raise InvitationError(str(_ENDED[invitation.status]))
    if user is None and (invitation.for_username or invitation.role != Role.ANNOTATOR):
        raise SignInRequired(_("Sign in to accept this invitation."))
    if user is not None and invitation.for_username not in ("", user.get_username()):
        raise InvitationError(
            _("This invitation is for somebody else, and you are signed in as “%(name)s”.")
            % {"name": user.get_username()}
        )


def accept(
    *, token: str, user: User | None = None, annotator: Annotator | None = None
) -> Membership:
    """Make a user, or a visitor as an annotator, a member by the token of an invitation.

    Whoever may do all that the role allows keeps the role they have, and the invitation is not
    used up. Of people who accept the last use at once, one joins. Raises InvitationError.
    """
    invitation = find(token)
    if invitation is None:
        raise InvitationError(_("There is no such invitation: check that the link is whole."))
    check(invitation, user)
    if user is None and annotator is None:
        raise SignInRequired(_("Sign in to accept this invitation."))
    with transaction.atomic():
        membership, new = _join(invitation, user, annotator)
        if new:
            _claim(invitation, user)
            name = user.get_username() if user else f"visitor {annotator}"
            message = f"“{name}” joined as {membership.role} by an invitation."
            _record(invitation.project, message, user, membership, ADDITION)
    return membership


def revoke(*, invitation: Invitation, by: User) -> None:
    """Let nobody accept an invitation any more; who joined by it stays. Raises MemberError."""
    _require_manager(by, invitation.project)
    with transaction.atomic():
        unrevoked = Invitation.objects.filter(pk=invitation.pk, revoked_at=None)
        if not unrevoked.update(revoked_at=timezone.now()):
            raise MemberError("This invitation was withdrawn already.")
        _record(invitation.project, f"Withdrew an invitation as {invitation.role}.", by, invitation)


def change_role(*, membership: Membership, role: str, by: User) -> Membership:
    """Give a member another role. Raises MemberError for the last owner, and PermissionDenied."""
    _require_manager(by, membership.project)
    with transaction.atomic():
        stored = _lock(membership, leaves_owners=role != Role.OWNER)
        if stored.annotator_id and role != Role.ANNOTATOR:
            raise MemberError(
                "A visitor without an account can only annotate: invite them with an account."
            )
        before, stored.role = stored.role, Role(role)
        if before != role:
            stored.save(update_fields=["role"])
            message = f"Made “{_name(stored)}” {role}, who was {before}."
            _record(stored.project, message, by, stored)
    return stored


def remove(*, membership: Membership, by: User) -> None:
    """End a membership. Raises MemberError for the last owner, and PermissionDenied."""
    _require_manager(by, membership.project)
    with transaction.atomic():
        stored = _lock(membership, leaves_owners=True)
        message = f"Removed “{_name(stored)}”, who was {stored.role}."
        _record(stored.project, message, by, stored, DELETION)
        stored.delete()


def leave(*, project: Project, user: User) -> None:
    """End one's own membership. Raises MemberError for the last owner, and who is no member."""
    membership = Membership.objects.filter(project=project, user=user).first()
    if membership is None:
        raise MemberError("You are not a member of this project.")
    with transaction.atomic():
        stored = _lock(membership, leaves_owners=True)
        message = f"“{user.get_username()}” left, who was {stored.role}."
        _record(project, message, user, stored, DELETION)
        stored.delete()


def _check_invitation(
    project: Project, role: Role, for_username: str, uses_max: int | None, days: int
) -> None:
    if project.state == Project.State.ARCHIVED:
        raise MemberError("This project is archived: open it again before you invite people.")
    most = USES_MAX if role == Role.ANNOTATOR else USES_MAX_ABOVE_ANNOTATOR
    if uses_max is None and role != Role.ANNOTATOR:
        raise MemberError("Only an invitation for annotators may be used any number of times.")
    if uses_max is not None and not 1 <= uses_max <= most:
        raise MemberError(f"As {role}, 1 to {most:,} people may be invited by one link.")
    if not 1 <= days <= DAYS_MAX:
        raise MemberError(f"An invitation lasts from 1 to {DAYS_MAX} days.")
    if for_username:
        user = User.objects.filter(username=for_username).first()
        if user is None:
            raise MemberError(f"There is no user “{for_username}”: check how the name is spelled.")
        member = Membership.objects.filter(project=project, user=user).first()
        if member is not None and access.covers(member.role, role):
            raise MemberError(f"“{for_username}” is {member.role} of this project already.")


def _join(
    invitation: Invitation, user: User | None, annotator: Annotator | None
) -> tuple[Membership, bool]:
    """Return the membership, and whether the invitation made or raised it."""
    person: dict[str, object] = {"user": user} if user else {"annotator": annotator}
    membership, new = Membership.objects.get_or_create(
        project=invitation.project,
        **person,
        defaults={"role": invitation.role, "invitation": invitation},
    )
    if new:
        return membership, True
    if access.covers(membership.role, invitation.role):
        return membership, False
    if not access.covers(invitation.role, membership.role):
        raise InvitationError(
            _(
                "You have another role in this project, which does not cover this invitation's. "
                "Ask an owner to change yours."
            )
        )
    lower = Membership.objects.filter(pk=membership.pk, role=membership.role)
    if not lower.update(role=invitation.role, invitation=invitation):
        raise InvitationError(_("Your role has just been changed. Open the invitation again."))
    membership.role = invitation.role
    return membership, True


def _claim(invitation: Invitation, user: User | None) -> None:
    """Use an invitation once, if it may still be: whoever comes too late is told why."""
    # No join: PostgreSQL checks a row's own columns again once it has waited for somebody else.
    usable = Invitation.objects.filter(
        Q(uses_max=None) | Q(uses__lt=F("uses_max")),
        pk=invitation.pk,
        revoked_at=None,
        expires_at__gt=timezone.now(),
        project__in=Project.objects.exclude(state=Project.State.ARCHIVED),
    )
    if not usable.update(uses=F("uses") + 1):
        invitation.refresh_from_db()
        check(invitation, user)
        raise InvitationError(str(_ENDED[Invitation.Status.USED_UP]))


def _lock(membership: Membership, *, leaves_owners: bool) -> Membership:
    """Return the membership as it is now, locked with all owners of its project.

    leaves_owners: whether it ends, or becomes another role. Raises MemberError for the last owner.
    """
    rows = Membership.objects.select_for_update(of=("self",)).select_related("project")
    of_project = rows.filter(Q(role=Role.OWNER) | Q(pk=membership.pk), project=membership.project)
    locked = {row.pk: row for row in of_project.order_by("pk")}
    stored = locked.get(membership.pk)
    if stored is None:
        raise MemberError("They are not a member of this project any more.")
    owners = sum(row.role == Role.OWNER for row in locked.values())
    if leaves_owners and stored.role == Role.OWNER and owners == 1:
        raise MemberError("The last owner stays: make somebody else an owner first.")
    return stored


def _require_manager(user: User, project: Project) -> None:
    if not access.may(user, project, Capability.MANAGE):
        raise PermissionDenied("Only those who manage a project change who belongs to it.")


def _record(
    project: Project,
    message: str,
    by: User | None,
    row: Membership | Invitation,
    action: int = CHANGE,
) -> None:
    kind = Event.Kind.MEMBERS
    audit.record(project=project, kind=kind, message=message, by=by, row=row, action=action)


def _name(membership: Membership) -> str:
    return str(membership.user or f"visitor {membership.annotator}")


def _how_many(invitation: Invitation) -> str:
    if invitation.uses_max is None:
        return "any number of people"
    return "one person" if invitation.uses_max == 1 else f"{invitation.uses_max:,} people"
