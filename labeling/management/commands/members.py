"""`members`: list who belongs to a project, invite people, change roles, and end memberships."""

from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse

from labeling import members
from labeling.models import Membership, Project, Role


class Command(BaseCommand):
    help = "List the members of a project, invite people by a link, change roles, remove members."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", metavar="PROJECT", help="its short name, as in addresses")
        actions = parser.add_subparsers(dest="action", metavar="ACTION", help="default: list")
        actions.add_parser("list", help="say who belongs to it")
        invite = actions.add_parser("invite", help="make a link, which is printed this once")
        invite.add_argument("role", choices=Role.values)
        invite.add_argument("--for", dest="for_username", default="", metavar="USER")
        invite.add_argument("--uses", type=int, default=1, help="how many may join by it")
        invite.add_argument("--days", type=int, default=14, help="how long it lasts")
        change = actions.add_parser("change", help="give a member another role")
        change.add_argument("member", metavar="USER")
        change.add_argument("role", choices=Role.values)
        remove = actions.add_parser("remove", help="end a membership")
        remove.add_argument("member", metavar="USER")
        for action in (invite, change, remove):
            action.add_argument("--by", required=True, metavar="USER", help="who does so: an owner")

    def handle(self, *, slug: str, action: str | None, **options: Any) -> None:
        project = Project.objects.filter(slug=slug).first()
        if project is None:
            known = ", ".join(Project.objects.values_list("slug", flat=True)) or "none yet"
            raise CommandError(f"There is no project “{slug}” (there are: {known}).")
        try:
            if action in (None, "list"):
                self._list(project)
            elif action == "invite":
                self._invite(project, **options)
            else:
                self._change(project, **options)
        except (members.MemberError, PermissionDenied) as error:
            raise CommandError(str(error)) from None

    def _list(self, project: Project) -> None:
        rows = Membership.objects.filter(project=project).select_related("user", "annotator")
        for row in rows.order_by("pk"):
            self.stdout.write(f"{row.user or f'visitor {row.annotator}'}: {row.role}")
        if not rows:
            self.stdout.write("Nobody is a member: the staff alone works here.")

    def _invite(
        self,
        project: Project,
        *,
        role: str,
        for_username: str,
        uses: int,
        days: int,
        by: str,
        **options: Any,
    ) -> None:
        _, token = members.invite(
            project=project,
            role=role,
            by=_user(by),
            for_username=for_username,
            uses_max=uses,
            days=days,
        )
        self.stdout.write(f"Send this link, which is shown only now: {_link(token)}")

    def _change(
        self, project: Project, *, member: str, by: str, role: str | None = None, **options: Any
    ) -> None:
        """Give a member the role, or without one end the membership."""
        rows = Membership.objects.select_related("project", "user", "annotator")
        membership = rows.filter(project=project, user__username=member).first()
        if membership is None:
            raise CommandError(f"“{member}” is not a member of {project}.")
        if role is None:
            members.remove(membership=membership, by=_user(by))
            self.stdout.write(f"“{member}” is no longer a member.")
        else:
            members.change_role(membership=membership, role=role, by=_user(by))
            self.stdout.write(f"“{member}” is {role} now.")


def _link(token: str) -> str:
    return reverse("invitation", args=[token])


def _user(name: str) -> User:
    """Return the user of that name. Raises CommandError."""
    user = User.objects.filter(username=name).first()
    if user is None:
        raise CommandError(f"There is no user “{name}”.")
    return user
