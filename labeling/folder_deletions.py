"""Delete folders of the storage whose rows were deleted: once committed, until it is done."""

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress

from celery import shared_task
from django.db import transaction

from labeling import local_files, stored_folders
from labeling.enqueue import enqueue_on_commit
from labeling.models import FolderDeletion, Project, RecomputationShare
from labeling.stored_folders import StorageAway

logger = logging.getLogger(__name__)
DIFFERENCES = "differences"  # the folder of those of snapshots, named by their hashes
Finder = Callable[[Project], Iterable[str]]
_finders: list[Finder] = []


def register(finder: Finder) -> None:
    """Delete what this finds with a project, too: labelling knows no runs itself."""
    if finder not in _finders:
        _finders.append(finder)


def of_project(project: Project) -> set[str]:
    """Return the names of all folders that rows of a project name."""
    names = {*project.snapshots.values_list("folder", flat=True)}
    names |= {*project.exports.values_list("folder", flat=True)}
    shares = RecomputationShare.objects.filter(recomputation__project=project)
    names |= {*shares.order_by().values_list("folder", flat=True)}
    hashes = {*project.snapshots.values_list("sha256", flat=True)}
    with suppress(StorageAway):
        found = local_files.listed(DIFFERENCES)[0]
        names |= {f"{DIFFERENCES}/{each}" for each in found if each.partition("-")[0] in hashes}
    return names.union(*(finder(project) for finder in _finders))


def schedule(names: Iterable[str]) -> None:
    """Have a worker delete folders once the transaction that deletes their rows is committed."""
    with transaction.atomic():
        FolderDeletion.objects.bulk_create(FolderDeletion(name=name) for name in names if name)
        enqueue_on_commit(delete_folders)


@shared_task
def delete_folders() -> None:
    """Delete what waits to be deleted; what the storage does not delete now waits on."""
    for row in FolderDeletion.objects.all():
        try:
            stored_folders.delete(row.name)
        except StorageAway as error:
            logger.warning("%s could not be deleted: %s", row.name, error)
            return
        row.delete()
