"""Delete an account: what becomes of its answers, and who may not go yet."""

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import ProtectedError
from django.utils.translation import gettext as _

from labeling import withdrawals
from labeling.models import Annotator, Membership, Project, Role


class CannotLeave(ValueError):
    """The account cannot be deleted yet; the message says why and what to do."""


def check(user: User) -> None:
    """Check that nothing depends on the account alone. Raises CannotLeave."""
    if user.is_superuser and not _other_administrators(user):
        raise CannotLeave(
            _(
                "You are the only administrator of this installation. Make somebody else one "
                "first, in the admin under users."
            )
        )
    owned = _owned_alone(user)
    if owned:
        names = ", ".join(project.name for project in owned)
        raise CannotLeave(
            _(
                "You are the only owner of %(projects)s. Make somebody else an owner first, on "
                "the project's page People; or archive and hand it over."
            )
            % {"projects": names}
        )


def delete(user: User, *, keep_answers: bool, address: str = "") -> None:
    """Delete an account, with its answers or without them. Raises CannotLeave.

    keep_answers: they stay under a random pseudonym that belongs to nobody. address: where the
    request comes from, as in `taken_back.note`.
    """
    check(user)
    for annotator in Annotator.objects.filter(user=user):
        withdrawals.forget(annotator=annotator, keep_answers=keep_answers, address=address)
    try:
        with transaction.atomic():
            list(User.objects.select_for_update().filter(is_superuser=True).order_by("pk"))
            check(user)
            for annotator in Annotator.objects.filter(user=user):  # of another tab, meanwhile
                withdrawals.forget(annotator=annotator, keep_answers=keep_answers, address=address)
            user.delete()
    except ProtectedError:
        raise CannotLeave(
            _("A project of yours would have no owner: make somebody else one first.")
        ) from None


def _other_administrators(user: User) -> bool:
    others = User.objects.filter(is_superuser=True, is_active=True).exclude(pk=user.pk)
    return others.exists()


def _owned_alone(user: User) -> list[Project]:
    """Return the projects of which a user is the only owner."""
    owned = Membership.objects.filter(user=user, role=Role.OWNER).values("project")
    others = Membership.objects.filter(role=Role.OWNER).exclude(user=user).values("project")
    return list(Project.objects.filter(pk__in=owned).exclude(pk__in=others))
