"""One claimed run, from its folder to its model: the child process is started and attended."""

import errno
import json
import logging
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings

from labeling import snapshots
from labeling.models import Snapshot
from training import processes, runs
from training.engine import progress
from training.models import Model, Run

ATTEMPTS = 3
INTERVAL = 1.0  # seconds between two looks at the child
FREEZE_LEASE = timedelta(minutes=10)

logger = logging.getLogger(__name__)


class _LostError(Exception):
    """The lease has passed to someone else."""


class _CancelledError(Exception):
    """A person wants the run to end."""


def execute(run: Run, *, tell: Callable[[Run], None] = lambda run: None) -> Model | None:
    """Train until the run has ended; `tell` hears of its progress. The model, if there is one.

    When this process is told to stop, the child writes a checkpoint and the run is queued again.
    """
    try:
        folder = _prepare(run)
        return _attend(run, folder, tell)
    except _LostError:
        logger.warning("Run %s was lost to another worker.", run.pk)
    except _CancelledError:
        runs.finish(run=run, state=Run.State.CANCELLED)
    except (runs.RunError, OSError) as error:
        runs.finish(run=run, state=Run.State.FAILED, error=_sentence(error))
    except BaseException as error:
        if isinstance(error, Exception):
            runs.finish(run=run, state=Run.State.FAILED, error=_sentence(error))
        else:
            runs.release(run=run)
        raise
    return None


def _prepare(run: Run) -> Path:
    """The run folder with its config.json; what is there of an earlier attempt stays."""
    snapshot = run.snapshot or _freeze(run)
    if not Path(snapshot.folder, "manifest.json").is_file():
        raise runs.RunError(
            f"The folder of snapshot {snapshot.pk} ({snapshot.folder}) has gone: "
            "freeze another snapshot and train on that."
        )
    folder = Path(settings.RUN_ROOT) / str(run.pk)
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / ".config.json"
    draft.write_text(json.dumps(runs.config(run, snapshot=snapshot), indent=1))
    draft.rename(folder / "config.json")
    _renew(run, snapshot=snapshot, folder=str(folder))
    return folder


def _freeze(run: Run) -> Snapshot:
    """A snapshot made since the run was asked for, else a new one."""
    frozen = Snapshot.objects.filter(
        project=run.project,
        state=Snapshot.State.READY,
        include_generated=run.include_generated,
        created_at__gte=run.created_at,
    ).first()
    if frozen:
        return frozen
    if not runs.renew(run=run, lease=FREEZE_LEASE, stage="freeze"):
        raise _LostError
    snapshot = snapshots.freeze(
        project=run.project,
        include_generated=run.include_generated,
        requested_by=run.requested_by,
    )
    if snapshot.state != Snapshot.State.READY:
        raise runs.RunError(f"No snapshot could be frozen: {snapshot.error}")
    return snapshot


def _attend(run: Run, folder: Path, tell: Callable[[Run], None]) -> Model | None:
    """Start the child, and again from its checkpoint where it crashed; end the run."""
    log = folder / "log.txt"
    for attempt in range(1, ATTEMPTS + 1):
        _renew(run, attempts=run.attempts + 1)
        process = processes.start(["fit", str(folder)], log=log)
        try:
            status = _watch(run, process, folder, tell)
        finally:
            processes.stop(process)
        if status == 0:
            return _succeed(run, folder)
        why = processes.last_words(log, status)
        if status == 1:
            raise runs.RunError(_with_log(why, log))
        logger.warning("Run %s, attempt %s: %s", run.pk, attempt, why)
    raise runs.RunError(_with_log(f"It crashed {ATTEMPTS} times. {why}", log))


def _watch(
    run: Run, process: subprocess.Popen[bytes], folder: Path, tell: Callable[[Run], None]
) -> int:
    """Copy progress into the row until the child ends. Returns its exit status."""
    while True:
        try:
            status: int | None = process.wait(INTERVAL)
        except subprocess.TimeoutExpired:
            status = None
        _renew(run, **progress.latest(folder))
        tell(run)
        if status is not None:
            return status
        if Run.objects.filter(pk=run.pk, cancel_requested=True).exists():
            raise _CancelledError


def _succeed(run: Run, folder: Path) -> Model | None:
    if not (folder / "model" / "config.json").is_file():
        raise runs.RunError("Its process ended without a word and without a model: resume it.")
    return runs.succeed(run=run, folder=str(folder / "model"), metrics=progress.metrics(folder))


def _renew(run: Run, **fields: Any) -> None:
    if not runs.renew(run=run, **fields):
        raise _LostError


def _with_log(sentence: str, log: Path) -> str:
    return f"{sentence}\n\nThe end of its log:\n{processes.tail(log)}"


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk is full: free some space and resume the run."
    return str(error) or type(error).__name__
