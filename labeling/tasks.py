"""What a worker does for labels; each task finds its work in the database."""

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from labeling import (
    challenges,
    concepts,
    kept_answers,
    merging,
    parts,
    pools,
    removal,
    showings,
    snapshot_difference,
    snapshots,
    taken_back,
    visitors,
)
from labeling.captcha import intake
from labeling.enqueue import enqueue_on_commit
from labeling.exports import jobs as export_jobs
from labeling.imports import jobs, runner, undo
from labeling.inference import recompute, schedule, shares
from labeling.models import Challenge, Concept, Export, Import, LeaseLost, Project, Snapshot
from labeling.pools.tasks import fill_pool
from labeling.stored_folders import FolderMissing, StorageAway, locks
from labeling.webhooks import sending, watching

logger = logging.getLogger(__name__)
INTAKE_SECONDS = 20.0  # of one run over the answers of sites' visitors; the next one goes on
FILLING_SECONDS = 15.0  # of one run over the pools; the next one goes on
WOKEN = 8  # workers that are called to an import
MACHINE_LOCKS = 64  # files of locks, of which imports share some
AGGREGATE_SECONDS = 60.0  # after which a sweep sends again what no worker has begun
KEPT = timedelta(days=1)  # how long a challenge that nobody answered is kept once it expired


@shared_task
def aggregate_due() -> None:
    """Wake a worker for each project that was answered since the last time, or left in the middle.

    Projects are recomputed side by side: a large one keeps no other waiting, and neither does one
    that fails, whose row says why; it is tried again.
    """
    for project in schedule.due():
        if schedule.has_rested(project):
            enqueue_on_commit(aggregate, project.pk, expires=AGGREGATE_SECONDS)


@shared_task
def aggregate_requested() -> None:
    """Wake a worker for each project whose recomputation was asked for, as for somebody's sake.

    This is looked at every few seconds: people were found out whose answers turned labels.
    """
    for project in schedule.requested():
        enqueue_on_commit(aggregate, project.pk, expires=AGGREGATE_SECONDS)


@shared_task
def aggregate(project_id: int) -> None:
    """Recompute one project, unless somebody is at it, or did so since it was due.

    One large project at a time on a machine, so that a process is left for what is quick: the next
    sweep finds another one still due.
    """
    project = Project.objects.filter(pk=project_id).first()
    if project is None or not schedule.is_due(project):
        return
    with ExitStack() as stack:
        if schedule.is_large(project) and not stack.enter_context(_alone_here("recomputations")):
            return
        recompute.run(project=project, on_shared=partial(_wake_writer, project.pk))


@shared_task
def write_posteriors(project_id: int) -> None:
    """Write a share of what another worker's recomputation found, once the next one is called.

    So one message waits in the queue, behind what is quick, however many shares there are; every
    worker with nothing else to do takes part.
    """
    try:
        shares.write_next(project_id, on_begun=partial(_wake_writer, project_id))
    except (FolderMissing, StorageAway) as error:  # whoever recomputes writes what is left
        logger.warning("%s", error)


def _wake_writer(project_id: int) -> None:
    enqueue_on_commit(write_posteriors, project_id, expires=AGGREGATE_SECONDS)


@shared_task
def fill_due_pools() -> None:
    """Have pools take notice of new pictures, and top up those that are half used.

    One that fails keeps no other waiting, and neither does one that somebody else is filling. What
    is left after a while is left to the next run.
    """
    pools.notice()
    stop = time.monotonic() + FILLING_SECONDS
    for concept_id, grid in pools.due():
        try:
            fill_pool(concept_id, grid, wait=False)
        except Exception:
            logger.exception("The pool of concept %s could not be filled.", concept_id)
        if time.monotonic() > stop:
            return


@shared_task
def finish_concept(concept_id: int) -> None:
    """Take over what statements are left of a concept; move the questions of a merged one."""
    concept = Concept.objects.filter(pk=concept_id, unfinished_from__isnull=False).first()
    if concept is None:
        return
    if concept.merged_into_id is None:
        concepts.take_over(concept)
    else:
        merging.finish(concept)


@shared_task
def finish_concepts() -> None:
    """Finish the concepts that no worker was woken for. One that fails keeps no other waiting."""
    unfinished = Concept.objects.filter(unfinished_from__isnull=False).order_by("pk")
    for concept_id in list(unfinished.values_list("pk", flat=True)):
        try:
            finish_concept(concept_id)
        except Exception:
            logger.exception("Concept %s could not be finished.", concept_id)


@shared_task
def cut_pictures(project_id: int) -> None:
    """Cut a project's pictures into parts, or put them back, unless somebody is at it."""
    project = Project.objects.filter(pk=project_id).first()
    if project is not None:
        parts.run(project)


@shared_task
def cut_due_pictures() -> None:
    """Cut what no worker was woken for, new pictures too. One that fails keeps no other waiting."""
    for project in parts.due():
        try:
            parts.run(project)
        except Exception:
            logger.exception("The pictures of %s could not be cut.", project)


@shared_task
def freeze(snapshot_id: int) -> None:
    """Write the folder of a snapshot that was begun, unless somebody is writing it."""
    snapshot = Snapshot.objects.filter(pk=snapshot_id).first()
    if snapshot is not None:
        _fill(snapshot)


@shared_task
def freeze_due() -> None:
    """Freeze the snapshots that no worker was woken for, and those whose worker died.

    One that fails keeps no other waiting.
    """
    snapshots.give_up_lost()
    for snapshot in snapshots.waiting():
        try:
            _fill(snapshot)
        except Exception:
            logger.exception("%s could not be frozen.", snapshot)


@shared_task
def compare_snapshots(first_id: int, second_id: int) -> None:
    """Find the difference of two snapshots, for those who wait for its page."""
    rows = Snapshot.objects.filter(state=Snapshot.State.READY).in_bulk([first_id, second_id])
    if len(rows) == len({first_id, second_id}):
        snapshot_difference.compare(rows[first_id], rows[second_id])


@shared_task
def advance_import(import_id: int) -> None:
    """Read an upload, carry out its import or undo it, unless somebody is at it."""
    record = Import.objects.filter(pk=import_id).first()
    if record is not None:
        _advance(record)


@shared_task
def advance_imports() -> None:
    """Go on with the imports that no worker was woken for, and those whose worker died.

    One that fails keeps no other waiting.
    """
    jobs.fail_lost_commands()
    runner.give_up_lost()
    for record in [*runner.waiting(), *undo.waiting()]:
        try:
            _advance(record)
        except Exception:
            logger.exception("%s could not be carried out.", record)


@shared_task
def make_export(export_id: int) -> None:
    """Make one export, unless somebody is at it."""
    export = Export.objects.filter(pk=export_id).first()
    if export is not None:
        _make_export(export)


@shared_task
def make_due_exports() -> None:
    """Make the exports that no worker took, or whose worker died."""
    export_jobs.give_up_lost()
    for export in export_jobs.waiting():
        try:
            _make_export(export)
        except Exception:
            logger.exception("%s could not be made.", export)


@shared_task
def forget_uploads() -> None:
    """Cancel the uploads that nobody goes on with, and delete what no import needs any more."""
    runner.forget_abandoned()


@shared_task
def delete_removed_files() -> None:
    """Delete the files of removed pictures that could not be deleted when those were removed."""
    removal.delete_files()


@shared_task
def forget_challenges() -> None:
    """Delete the challenges that nobody answered, and what others are no longer undone by."""
    old = timezone.now() - KEPT
    Challenge.objects.filter(answered_at=None, expires_at__lt=old).delete()
    challenges.forget_changes()


@shared_task
def take_in_attempts() -> None:
    """Record what the visitors of other sites have answered."""
    intake.run(seconds=INTAKE_SECONDS)


@shared_task
def forget_attempts() -> None:
    """Delete what is no longer needed of the visitors of other sites."""
    intake.forget()


@shared_task
def forget_kept_answers() -> None:
    """Delete the answers that were kept for requests that are sent again, and old deliveries."""
    kept_answers.forget()
    sending.forget()


@shared_task
def send_webhooks() -> None:
    """Look for what webhooks are to send; send to each address in a task of its own."""
    watching.look()
    for webhook in sending.due_hooks():
        enqueue_on_commit(send_to_webhook, webhook)


@shared_task
def send_to_webhook(webhook_id: int) -> None:
    """Send what is due to one address."""
    sending.send_due(webhook_id)


def send_later(webhook_id: int) -> None:
    """Wake a worker to send to an address."""
    enqueue_on_commit(send_to_webhook, webhook_id)


@shared_task
def forget_visitors() -> None:
    """Delete what addresses were shown on days that are over, and who never answered."""
    showings.forget()
    taken_back.forget()
    visitors.forget_unanswered()


def _fill(snapshot: Snapshot) -> None:
    try:
        snapshots.fill(snapshot)
    except LeaseLost as error:  # whoever holds the lease now writes it
        logger.warning("%s", error)
    else:
        removal.delete_files()  # of what was removed meanwhile


def _advance(record: Import) -> None:
    """Carry out the steps of an import until somebody must choose, or it has ended."""
    try:
        if record.state == Import.State.UNDOING:
            undo.run(record)
            enqueue_on_commit(fill_due_pools)
        while advanced := _advanced(record):
            if advanced.state == Import.State.DONE:
                enqueue_on_commit(fill_due_pools)
    except LeaseLost as error:  # whoever holds the lease now goes on, or it was cancelled
        logger.warning("%s", error)


def _advanced(record: Import) -> Import | None:
    """Carry out one step of an import, unless another process of this machine is at it.

    One process keeps all cores of a machine busy; those of other machines take part.
    """
    with _alone_here("imports", record.pk % MACHINE_LOCKS) as alone:
        return runner.advance(record, on_shared=_wake_others) if alone else None


@contextmanager
def _alone_here(purpose: str, number: int = 0) -> Iterator[bool]:
    """Yield whether no other process of this machine does this."""
    folder = Path(settings.CACHE_ROOT) / purpose
    folder.mkdir(parents=True, exist_ok=True)
    with locks.exclusive_now(folder / f"{number}.lock") as alone:
        yield alone


def _wake_others(record: Import) -> None:
    """Have workers of other machines take part in an import."""
    for _ in range(min(WOKEN, record.shares.count() - 1)):
        enqueue_on_commit(advance_import, record.pk)


def advance_later(record: Import) -> None:
    """Have a worker go on with an import; without a broker, `advance_imports` will."""
    if record.state in {*runner.WORK, Import.State.UNDOING}:
        enqueue_on_commit(advance_import, record.pk)


def _make_export(export: Export) -> None:
    try:
        export_jobs.advance(export)
    except LeaseLost as error:  # whoever holds the lease now goes on
        logger.warning("%s", error)


def export_later(export: Export) -> None:
    """Have a worker make it once it is stored; without a broker, `make_due_exports` will."""
    enqueue_on_commit(make_export, export.pk)


def freeze_later(snapshot: Snapshot) -> None:
    """Have a worker freeze it once it is stored; without a broker, `freeze_due` will."""
    enqueue_on_commit(freeze, snapshot.pk)


def difference_of(first: Snapshot, second: Snapshot) -> snapshot_difference.Difference | None:
    """Return the difference of two ready snapshots; None: they are large, and a worker compares.

    Raises SnapshotError.
    """
    difference = snapshot_difference.find(first, second)
    if difference is None and snapshot_difference.is_quick(first, second):
        return snapshot_difference.compare(first, second)
    if difference is None:
        enqueue_on_commit(compare_snapshots, first.pk, second.pk)
    return difference


def finish_concepts_later() -> None:
    """Have a worker finish all concepts that are not; without a broker, the next sweep will."""
    enqueue_on_commit(finish_concepts)


def finish_concept_later(concept: Concept) -> None:
    """Have a worker finish it if something is left; without a broker, `finish_concepts` will."""
    if concept.unfinished_from is not None:
        enqueue_on_commit(finish_concept, concept.pk)


def cut_pictures_later(project: Project) -> None:
    """Have a worker cut or put back pictures; without a broker, `cut_due_pictures` will."""
    enqueue_on_commit(cut_pictures, project.pk)
