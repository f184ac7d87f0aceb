"""`project`: create a project, publish it, archive it, or take either back."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from labeling import projects
from labeling.models import Project
from labeling.projects import Audience

STEPS = {
    "publish": (projects.publish, "open a draft: its questions are asked from now on"),
    "unpublish": (projects.unpublish, "make an open project a draft again"),
    "archive": (projects.archive, "close it: it asks nothing and keeps everything"),
    "reopen": (projects.reopen, "make an archived project what it was before"),
}


class Command(BaseCommand):
    help = "Create a project, or publish, unpublish, archive or reopen one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", nargs="?", help="its short name, as in addresses")
        step = parser.add_mutually_exclusive_group(required=True)
        step.add_argument("--create", metavar="NAME", help="make a draft of this name")
        for name, (_, text) in STEPS.items():
            step.add_argument(f"--{name}", dest="step", action="store_const", const=name, help=text)
        parser.add_argument("--owner", metavar="USER", help="of a new project")
        parser.add_argument(
            "--audience",
            choices=[str(each) for each in Audience],
            default=str(Audience.TEAM),
            help="of a new project: who answers",
        )

    def handle(self, *, slug: str | None, create: str | None, **options: Any) -> None:
        try:
            if create is not None:
                self._create(create, slug or "", options["owner"], options["audience"])
            else:
                self._take_step(slug, options["step"])
        except projects.ProjectError as error:
            raise CommandError(str(error)) from None

    def _create(self, name: str, slug: str, owner: str | None, audience: str) -> None:
        user = User.objects.filter(username=owner).first() if owner else None
        if owner and user is None:
            raise CommandError(f"There is no user “{owner}”.")
        project = projects.create(by=user, name=name, slug=slug, audience=Audience(audience))
        self.stdout.write(f"Made the draft “{project}”, {project.slug}.")

    def _take_step(self, slug: str | None, step: str) -> None:
        project = Project.objects.filter(slug=slug).first()
        if project is None:
            known = ", ".join(Project.objects.values_list("slug", flat=True)) or "none yet"
            raise CommandError(f"There is no project “{slug or ''}” (there are: {known}).")
        take, _ = STEPS[step]
        moved = take(project=project, by=None)
        self.stdout.write(f"“{moved}” is now {moved.get_state_display().lower()}.")
