"""`reissue`: freeze again what is left of snapshots that hold something removed since."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling import reissues, snapshots, stored_folders
from labeling.models import LeaseLost, Project, Snapshot
from labeling.numbers import parse_id


class Command(BaseCommand):
    help = (
        "Freeze snapshots again, with the same settings, of which pictures were removed or answers "
        "withdrawn; what was frozen before stays, and names its successor."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("snapshot", nargs="?", help="its number; default: all marked ones")
        parser.add_argument("--project", help="of all marked ones: its short name, as in addresses")

    def handle(self, *, snapshot: str | None, project: str | None, **options: Any) -> None:
        if (snapshot is None) == (project is None):
            raise CommandError("Name a snapshot, or a project with --project.")
        try:
            successors = _successors(snapshot, project)
            frozen = [snapshots.fill(successor) for successor in successors]
        except reissues.ReissueError as error:
            raise CommandError(str(error)) from error
        except LeaseLost as error:
            raise CommandError(f"A worker goes on with it: {error}") from None
        if not frozen:
            self.stdout.write("Nothing that its snapshots hold was removed or withdrawn.")
        for row in frozen:
            if row.state != Snapshot.State.READY:
                raise CommandError(row.error)
            earlier = ", ".join(str(each.pk) for each in row.predecessors.order_by("pk"))
            place = stored_folders.place(row.folder)
            self.stdout.write(f"Snapshot {row.pk} is issued in place of {earlier}.\n{place}")


def _successors(snapshot: str | None, project: str | None) -> list[Snapshot]:
    if snapshot is not None:
        row = Snapshot.objects.filter(pk=parse_id(snapshot)).first()
        if row is None:
            raise CommandError(f"There is no snapshot {snapshot}.")
        return [reissues.reissue(row)]
    found = Project.objects.filter(slug=project).first()
    if found is None:
        known = ", ".join(Project.objects.values_list("slug", flat=True)) or "none yet"
        raise CommandError(f"There is no project “{project}” (there are: {known}).")
    return reissues.reissue_all(found)
