"""Drafts: what is drawn while somebody types, of which nothing is kept."""

from collections.abc import Iterable
from datetime import timedelta
from functools import partial

from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from training.models import Generation, Sample

KEPT = timedelta(hours=1)

State = Generation.State


def give_up(generations: QuerySet[Generation]) -> None:
    """Delete the drafts among generations; have one that is being drawn cancelled."""
    drafts = generations.filter(draft=True)
    drafts.filter(state=State.RUNNING).update(cancel_requested=True)
    _delete(drafts.exclude(state=State.RUNNING))


def sweep() -> None:
    """Delete drafts that nobody looks at any more."""
    old = Generation.objects.filter(draft=True, created_at__lt=timezone.now() - KEPT)
    _delete(old.exclude(state=State.RUNNING))


@transaction.atomic
def _delete(drafts: QuerySet[Generation]) -> None:
    keys = list(drafts.order_by().select_for_update().values_list("pk", flat=True))
    files = list(Sample.objects.filter(generation__in=keys).values_list("file", flat=True))
    Generation.objects.filter(pk__in=keys).delete()
    transaction.on_commit(partial(_delete_files, files))


def _delete_files(names: Iterable[str]) -> None:
    for name in names:
        default_storage.delete(name)
