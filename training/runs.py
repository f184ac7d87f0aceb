"""The states of a run: queued, leased by one worker, ended once, resumed, swept up.

Every change of state is a conditional update whose row count says who won.
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Case, Q, When
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from labeling import audit, folder_deletions, webhooks
from labeling.models import Event, HookEvent, Project, Snapshot
from labeling.models.lease import LeasedQuerySet
from labeling.stored_folders import FolderMissing
from training import delays, devices, generators, prompts, run_folders, server_paths, sources
from training.engine.presets import PRESETS, wants_gpu
from training.engine.version import READABLE
from training.models import Model, Run

YIELD_AFTER = timedelta(seconds=20)  # in which another worker may take a person's run
ATTEMPTS_MAX = 10  # starts of a run's process before a lost worker is no longer replaced

WANTS_GPU = reduce(
    or_,
    (
        Q(recipe=recipe, preset=preset)
        for recipe, presets in PRESETS.items()
        for preset in presets
        if wants_gpu(recipe, preset)
    ),
)
State = Run.State
ENDED = (State.SUCCEEDED, State.FAILED, State.CANCELLED)


class RunError(ValueError):
    """A run that cannot be started, resumed or finished; the message says what to do."""


def acquire(*, run_id: int) -> Run | None:
    """Lease a queued run; return None if another worker was first, or it is none for this one."""
    started_at = Coalesce("started_at", Now())
    return takeable().acquire(
        run_id, state=State.RUNNING, started_at=started_at, error="", delay_reason=""
    )


def release(*, run: Run) -> None:
    """Put a leased run back in the queue, as its worker has to stop. Raises LeaseLost."""
    run.release(state=State.QUEUED)


def delay(*, run: Run, error: delays.DelayedError) -> None:
    """Put a leased run back in the queue, until what it waits for is there. Raises LeaseLost."""
    delays.put_off(run, error, state=State.QUEUED, seconds_left=None)


def succeed(*, run: Run, metrics: Mapping[str, Any]) -> Model:
    """Store a leased run's model, a candidate for promotion, and end the run, or neither.

    The lease is released last: a failure before that can still be recorded under it. Raises
    LeaseLost.
    """
    suggestions: list[str] = []
    if generators.generates(run.recipe):
        suggestions = [concept.phrase for concept in prompts.best_known_concepts(run.project)]
    with transaction.atomic():
        model = Model.objects.create(
            project=run.project,
            run=run,
            recipe=run.recipe,
            folder=run_folders.model_name_of(run),
            suggestions=suggestions,
        )
        finish(run=run, state=State.SUCCEEDED, metrics=metrics, stage="done")
    return model


def finish(*, run: Run, state: Run.State, **fields: Any) -> None:
    """End a leased run. Raises LeaseLost."""
    with transaction.atomic():
        _record_end(run, state, fields.get("error", ""))
        run.release(state=state, finished_at=timezone.now(), seconds_left=None, **fields)


def cancel(*, run: Run, by: AbstractBaseUser | None = None) -> None:
    """Cancel a queued run at once; have the worker of a running one stop it. Raises RunError."""
    row = Run.objects.filter(pk=run.pk)
    cancelled = {"state": State.CANCELLED, "finished_at": timezone.now()}
    with transaction.atomic():
        if not (
            row.filter(state=State.QUEUED).update(cancel_requested=True, **cancelled)
            or row.filter(state=State.RUNNING).update(cancel_requested=True)
        ):
            raise RunError(f"Run {run.pk} has ended already: there is nothing to cancel.")
        _record(run, "Cancelled", by)


def resume(*, run: Run, by: AbstractBaseUser | None = None) -> None:
    """Queue a failed or cancelled run again, from its last checkpoint on. Raises RunError."""
    ended = Run.objects.filter(pk=run.pk, state__in=[State.FAILED, State.CANCELLED])
    with transaction.atomic():
        if not ended.update(
            state=State.QUEUED,
            cancel_requested=False,
            error="",
            attempts=0,
            finished_at=None,
            lease_until=None,
            delay_reason="",
        ):
            raise RunError(f"Run {run.pk} has neither failed nor been cancelled.")
        _record(run, "Resumed", by)


def _record(run: Run, what: str, by: AbstractBaseUser | None) -> None:
    message = f"{what} the run {run}."
    audit.record(project=run.project, kind=Event.Kind.RUN, message=message, by=by, row=run)


def _record_end(run: Run, state: Run.State, error: str = "") -> None:
    ends = {State.SUCCEEDED: "succeeded", State.CANCELLED: "was cancelled"}
    how = ends.get(state) or f"failed: {server_paths.hidden(error.partition(chr(10))[0])}"
    message = f"The run {run} {how}".rstrip(".: ") + "."
    audit.record(project=run.project, kind=Event.Kind.RUN, message=message, row=run)
    webhooks.emit(
        project=run.project,
        event=HookEvent.RUN_FINISHED,
        data={"run": run.pk, "state": str(state), "recipe": run.recipe},
    )


def delete(*, run: Run, by: AbstractBaseUser) -> None:
    """Delete an ended run with its folder and the model in it. Raises RunError."""
    if run.state not in ENDED:
        raise RunError(f"Run {run.pk} is {run.state}: cancel it first.")
    if Run.objects.filter(start__run=run).exclude(state__in=ENDED).exists():
        raise RunError(f"A run that is under way goes on from the model of run {run.pk}: it stays.")
    if Run.objects.filter(clip__run=run).exists():
        raise RunError(f"Other runs read their texts by the model of run {run.pk}: it stays.")
    project, name, folder = run.project, str(run), run.folder
    with transaction.atomic():
        run.delete()
        audit.record(
            project=project,
            kind=Event.Kind.RUN,
            message=f"Deleted the run {name}, with its model and its folder.",
            by=by,
        )
        folder_deletions.schedule([folder])


def _folders_of(project: Project) -> list[str]:
    return list(Run.objects.filter(project=project).values_list("folder", flat=True))


folder_deletions.register(_folders_of)


def sweep() -> list[int]:
    """Queue again every run whose worker was lost; return the queued ones, the next first."""
    lost = Run.objects.filter(state=State.RUNNING).expired()
    _end_lost(lost.filter(cancel_requested=True), State.CANCELLED)
    error = f"Its worker was lost {ATTEMPTS_MAX} times. Is there enough memory? Then resume it."
    _end_lost(lost.filter(attempts__gte=ATTEMPTS_MAX), State.FAILED, error=error)
    lost.revoke(state=State.QUEUED, seconds_left=None)
    return list(queue().values_list("pk", flat=True))


def _end_lost(lost: LeasedQuerySet[Run], state: Run.State, error: str = "") -> None:
    """End runs whose worker was lost, each once, whoever else sweeps."""
    ended = {"finished_at": timezone.now(), "seconds_left": None, "error": error}
    for run in lost.select_related("project"):
        with transaction.atomic():
            if lost.filter(pk=run.pk).revoke(state=state, **ended):
                _record_end(run, state, error)


def queue() -> LeasedQuerySet[Run]:
    """Return the queued runs in the order in which they start.

    What a person asked for goes before what the schedule did; each in the order of asking.
    """
    return in_order(Run.objects.filter(state=State.QUEUED))


def in_order(rows: LeasedQuerySet[Run]) -> LeasedQuerySet[Run]:
    """Return runs in the order in which they start."""
    by_person = Case(When(trigger=Run.Trigger.SCHEDULE, then=1), default=0)
    return rows.order_by(by_person, "pk")


def takeable() -> LeasedQuerySet[Run]:
    """Return the queued runs that a worker of this machine may take now.

    Not those that have to wait, or that another version of the program began; without a GPU, and
    where GPU_RUNS_WAIT is set, not those that want one.
    """
    rows = Run.objects.filter(state=State.QUEUED, format__in=READABLE).free()
    if settings.GPU_RUNS_WAIT and not devices.has_gpu():
        rows = rows.exclude(WANTS_GPU)
    return rows


def another_is_next(*, run_id: int) -> bool:
    """Return whether another run that this machine may take starts before this one.

    Those that want a GPU and the others are two queues: there may be workers for one of them alone.
    """
    alike = takeable()
    run = Run.objects.filter(pk=run_id).first()
    if run:
        alike = alike.filter(WANTS_GPU if wants_gpu(run.recipe, run.preset) else ~WANTS_GPU)
    first = in_order(alike).values_list("pk", flat=True).first()
    return first is not None and first != run_id


def any_waits(*, wants_gpu: bool) -> bool:
    """Return whether a run waits that this machine may take, of those that want a GPU, or not."""
    return takeable().filter(WANTS_GPU if wants_gpu else ~WANTS_GPU).exists()


def holds_up_a_person(run: Run) -> bool:
    """Return whether a run of the schedule runs while a person's has waited for YIELD_AFTER."""
    if run.trigger != Run.Trigger.SCHEDULE:
        return False
    asked = takeable().exclude(trigger=Run.Trigger.SCHEDULE)
    return asked.filter(created_at__lt=timezone.now() - YIELD_AFTER).exists()


def busy(*, project: Project) -> bool:
    """Return whether a run of the project is queued or running."""
    return Run.objects.filter(project=project).exclude(state__in=ENDED).exists()


def config(run: Run, *, snapshot: Snapshot) -> dict[str, Any]:
    """Return the contents of a run's config.json, which names folders as the storage does.

    What the child process reads has paths of its machine in their place: `local_config`.
    """
    return {
        "recipe": run.recipe,
        "preset": run.preset,
        "snapshot": snapshot.folder,
        "seed": run.seed,
        "options": run.options,
        "init": run.clip.folder if run.clip else None,
        "start": run.start.folder if run.start else None,
        "clip_model": settings.CLIP_MODEL or None,
        "clip_pretrained": settings.CLIP_PRETRAINED or None,
        "cache": None,
        "time_limit": None,
        "threads": settings.TRAINING_THREADS or None,
        "tracker": settings.TRACKER or None,
    }


def local_config(run: Run, *, snapshot: Snapshot) -> dict[str, Any]:
    """Fetch what a run learns from; return its config with the paths of this machine.

    Raises RunError where the storage lacks a folder, and StorageAway.
    """
    stored = config(run, snapshot=snapshot)
    rows = {"snapshot": snapshot, "init": run.clip, "start": run.start}
    paths = {field: str(_fetched(row)) for field, row in rows.items() if row}
    return {**stored, **paths, "cache": str(settings.CACHE_ROOT / "training")}


def _fetched(row: Snapshot | Model) -> Path:
    try:
        return sources.fetch(row)
    except FolderMissing as error:
        raise RunError(
            f"{error} Put them back there and resume the run, or start another one without them."
        ) from error
