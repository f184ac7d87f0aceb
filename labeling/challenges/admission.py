"""Who may take part in a project."""

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.utils.translation import gettext as _

from labeling import access
from labeling.challenges.errors import Closed, Private
from labeling.models import Annotator, Project


def admit(
    *, project: Project, user: AbstractBaseUser | AnonymousUser, annotator: Annotator | None
) -> None:
    """Check that somebody may take part in a project now. Raises Closed or Private.

    annotator: where they are known. The sentences name no project: one that is a draft or private
    is nobody else's business.
    """
    if project.state == Project.State.DRAFT:
        raise Closed(_("This project is still being prepared: it asks no questions yet."))
    if not project.active:
        raise Closed(
            _("This project is finished and asks no more questions. Thank you for coming.")
        )
    if project.private and not access.may_take_part(user, annotator, project):
        raise Private(
            _(
                "This project is private: open the invitation that you were sent, or sign in with "
                "the account that was invited."
            )
        )
