"""`undo_import`: take an import back, whole."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from labeling.enqueue import enqueue_on_commit
from labeling.imports import undo, uploads
from labeling.management.progress import meter
from labeling.management.removals import say_consequences
from labeling.models import Import, LeaseLost
from labeling.tasks import fill_due_pools


class Command(BaseCommand):
    help = (
        "Take an import back. Pictures that it brought go, unless another import has brought them "
        "again; what it stated of others is taken back. Answers to what goes are archived."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "import_id", type=int, metavar="ID", help="its number, as the import said it"
        )

    def handle(self, *, import_id: int, **options: Any) -> None:
        record = Import.objects.select_related("project").filter(pk=import_id).first()
        if record is None:
            raise CommandError(f"There is no import no. {import_id}.")
        try:
            with transaction.atomic():
                begun = undo.begin(record, None)
                uploads.remove_files(begun)
            total = begun.images.count() + begun.statements.values("image").distinct().count()
            total += begun.answers.count()
            with meter("pictures and answers", total) as show:
                undone = undo.run(begun, show)
        except undo.UndoError as error:
            raise CommandError(str(error)) from error
        except LeaseLost as error:
            raise CommandError(f"Somebody else goes on with it: {error}") from error
        if undone.state != Import.State.UNDONE:
            raise CommandError("Somebody else is taking it back.")
        enqueue_on_commit(fill_due_pools)
        self.stdout.write(f"Took back the import {undone}: {undo.summary(undone.counts)}.")
        say_consequences(self.stdout, [undone.project])
