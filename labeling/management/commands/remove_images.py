"""`remove_images`: remove pictures; the answers about them are kept for the audit."""

from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q

from labeling import removal
from labeling.enqueue import enqueue_on_commit
from labeling.management.removals import say_consequences
from labeling.models import Image, Project
from labeling.tasks import fill_due_pools

ID_LENGTH = 18  # digits, of the largest number that is taken for an id


class Command(BaseCommand):
    help = (
        "Remove pictures with their questions. The answers about them are kept in an archive and "
        "count for nothing; snapshots that hold them are marked."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "pictures",
            nargs="+",
            metavar="PICTURE",
            help="the path that it was imported from, or the number of its page",
        )
        parser.add_argument("--project", required=True, help="its short name, as in addresses")
        parser.add_argument("--reason", required=True, help="why; the history keeps it")

    def handle(self, *, pictures: Sequence[str], project: str, reason: str, **options: Any) -> None:
        row = Project.objects.filter(slug=project).first()
        if row is None:
            known = ", ".join(Project.objects.values_list("slug", flat=True)) or "none yet"
            raise CommandError(f"There is no project “{project}” (there are: {known}).")
        try:
            removed = removal.remove(list(_found(row, pictures)), by=None, reason=reason)
        except removal.RemovalError as error:
            raise CommandError(str(error)) from error
        enqueue_on_commit(fill_due_pools)
        self.stdout.write(f"Removed {removed}.")
        say_consequences(self.stdout, [row])


def _found(project: Project, names: Sequence[str]) -> Iterator[Image]:
    """Yield the pictures of these paths or ids. Raises CommandError where one is not there."""
    for name in dict.fromkeys(names):
        named = Q(source=name) | Q(further_sources__contains=[name])
        if name.isascii() and name.isdigit() and len(name) <= ID_LENGTH:
            named |= Q(pk=int(name))
        rows = list(project.images.filter(named))
        if not rows:
            raise CommandError(f"{project} has no picture {name}: nothing was removed.")
        yield from rows
