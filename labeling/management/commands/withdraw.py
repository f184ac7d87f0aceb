"""`withdraw`: withdraw all that somebody answered and wrote, at their request."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q

from labeling import withdrawals
from labeling.management.removals import say_consequences
from labeling.models import Annotator, Project, Question


class Command(BaseCommand):
    help = (
        "Withdraw all answers and captions of one person, at their request: they are deleted and "
        "count for nothing, labels follow, and snapshots that hold them are marked."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("annotator", help="a pseudonym, or the name of an account")
        parser.add_argument("--project", help="in which alone: its short name; default: in all")

    def handle(self, *, annotator: str, project: str | None, **options: Any) -> None:
        row = _annotator(annotator)
        only = _project(project) if project is not None else None
        concerned = [only] if only else _projects_of(row)
        withdrawn = withdrawals.withdraw_all(
            annotator=row, project=only, reason=withdrawals.Reason.REQUEST
        )
        self.stdout.write(f"Withdrew {withdrawn} of {row}.")
        say_consequences(self.stdout, concerned)


def _annotator(name: str) -> Annotator:
    """Return the annotator of an account, or of a pseudonym. Raises CommandError."""
    row = Annotator.objects.filter(user__username=name).first()
    row = row or Annotator.objects.filter(pseudonym=name).first()
    if row is None:
        raise CommandError(f"Nobody who took part is called “{name}”: nothing was withdrawn.")
    return row


def _projects_of(annotator: Annotator) -> list[Project]:
    """Return the projects in which somebody answered or wrote."""
    given = Question.objects.filter(Q(answers__annotator=annotator) | Q(author=annotator))
    return list(Project.objects.filter(pk__in=given.values("project")).order_by("pk"))


def _project(slug: str) -> Project:
    """Return the project of a short name. Raises CommandError."""
    row = Project.objects.filter(slug=slug).first()
    if row is None:
        known = ", ".join(Project.objects.values_list("slug", flat=True)) or "none yet"
        raise CommandError(f"There is no project “{slug}” (there are: {known}).")
    return row
