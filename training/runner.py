"""Execute one leased run: from its snapshot, by a child process, to its model."""

import errno
import json
import logging
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from labeling import lease, snapshots, stored_folders
from labeling.models import LeaseLost, Snapshot
from training import generators, processes, promotion, runs
from training.engine import progress
from training.engine.presets import goes_on
from training.models import Model, Run

ATTEMPTS = 3  # starts of the child process before its crashes fail the run
REFUSED = 1  # exit status of a child that says why it cannot go on: another start would not help
POLL_INTERVAL = 1.0  # seconds between two looks at the child

OnProgress = Callable[[Run], None]

logger = logging.getLogger(__name__)


class DatabaseLostError(Exception):
    """The database went away. Nothing of the run could be recorded: its lease just expires."""


class _CancelledError(Exception):
    """A person has cancelled the run."""


class _YieldedError(Exception):
    """A person waits for this machine, and nobody asked for this run."""


def execute(run: Run, *, on_progress: OnProgress = lambda run: None) -> Model | None:
    """Train until the run has ended; return its model, if there is one.

    1. Find the snapshot to train on, or freeze one.
    2. Write the run folder's config.json. Checkpoints of an earlier attempt stay beside it.
    3. Start `python -m training fit FOLDER` as a child process.
    4. Copy its progress into the row, which renews the lease, until it ends.
    5. Start it again where it crashed: it resumes from its last checkpoint.
    6. Store the model as a candidate for promotion.

    Whatever ends this early also stops the child, which writes a checkpoint: a step that fails and
    a cancelled run are recorded (`_recording_the_end`), a run that holds up a person's goes back
    into the queue, a lost lease is somebody else's run by now.
    Raises DatabaseLostError, after which the sweep queues the run again.
    """
    try:
        with _recording_the_end(run):
            snapshot = run.snapshot or _freeze(run)
            folder = _prepare(run, snapshot)
            for _ in range(ATTEMPTS):
                run.renew(attempts=run.attempts + 1)
                with processes.running(processes.fitting(folder), log=folder / "log.txt") as child:
                    status = _follow(run, child, folder, on_progress)
                if status == 0:
                    return _succeed(run, folder)
                reason = processes.reason(folder / "log.txt", status)
                if status == REFUSED:
                    raise runs.RunError(_with_log(reason, folder))
                logger.warning("Run %s, attempt %s: %s", run.pk, run.attempts, reason)
            raise runs.RunError(_with_log(f"It crashed {ATTEMPTS} times. {reason}", folder))
    except LeaseLost:
        logger.warning("Run %s was lost to another worker.", run.pk)
    return None


@contextmanager
def _recording_the_end(run: Run) -> Iterator[None]:
    """End the run as cancelled or failed, or queue it again where this process has to stop.

    Raises LeaseLost, DatabaseLostError, and again whatever is a fault of this program.
    """
    try:
        yield
    except LeaseLost:
        raise
    except _CancelledError:
        runs.finish(run=run, state=Run.State.CANCELLED)
    except _YieldedError:
        runs.release(run=run)
    except (runs.RunError, OSError) as error:
        runs.finish(run=run, state=Run.State.FAILED, error=_sentence(error))
    except Exception as error:
        if isinstance(error, OperationalError | InterfaceError) and not connection.is_usable():
            raise DatabaseLostError(str(error).partition("\n")[0]) from error
        with suppress(LeaseLost):
            runs.finish(run=run, state=Run.State.FAILED, error=_sentence(error))
        raise
    except BaseException:  # SystemExit, KeyboardInterrupt: this process must stop
        with suppress(LeaseLost):
            runs.release(run=run)
        raise


def _freeze(run: Run) -> Snapshot:
    """Return a snapshot that was frozen since the run was requested, else a new one."""
    frozen = Snapshot.objects.filter(
        project=run.project,
        state=Snapshot.State.READY,
        include_generated=run.include_generated,
        created_at__gte=run.created_at,
    ).first()
    if frozen:
        return frozen
    run.renew(stage="freeze")
    with lease.kept(run):
        snapshot = snapshots.freeze(
            project=run.project,
            include_generated=run.include_generated,
            requested_by=run.requested_by,
        )
    if snapshot.state != Snapshot.State.READY:
        raise runs.RunError(f"No snapshot could be frozen: {snapshot.error}")
    return snapshot


def _prepare(run: Run, snapshot: Snapshot) -> Path:
    """Write config.json into the run's folder and return the folder."""
    if not Path(stored_folders.place(snapshot.folder), "manifest.json").is_file():
        raise runs.RunError(
            f"The folder of snapshot {snapshot.pk} ({snapshot.folder}) has gone: "
            "freeze another snapshot and train on that."
        )
    folder = Path(settings.RUN_ROOT) / str(run.pk)
    folder.mkdir(parents=True, exist_ok=True)
    if goes_on(run.recipe, run.preset) and run.start is None:
        run.renew(start=_current(run))
    draft = folder / ".config.json"
    draft.write_text(json.dumps(runs.config(run, snapshot=snapshot), indent=1))
    draft.rename(folder / "config.json")
    run.renew(snapshot=snapshot, folder=str(folder))
    return folder


def _current(run: Run) -> Model:
    """Return the model that a run goes on from: the one that is current as it starts."""
    current = promotion.current_of(run.project_id, run.recipe)
    if current is None or not generators.has_files(current):
        raise runs.RunError(
            f"There is no current {run.recipe} model to go on from: train one by another preset."
        )
    return current


def _follow(run: Run, child: subprocess.Popen[bytes], folder: Path, on_progress: OnProgress) -> int:
    """Renew the lease with the child's progress until it ends; return its exit status."""
    while True:
        status: int | None = None
        with suppress(subprocess.TimeoutExpired):
            status = child.wait(POLL_INTERVAL)
        run.renew(**progress.latest(folder))
        on_progress(run)
        if status is not None:
            return status
        if Run.objects.filter(pk=run.pk, cancel_requested=True).exists():
            raise _CancelledError
        if runs.holds_up_a_person(run):
            raise _YieldedError


def _succeed(run: Run, folder: Path) -> Model:
    if not (folder / "model" / "config.json").is_file():
        raise runs.RunError("Its process ended without an error and without a model: resume it.")
    return runs.succeed(run=run, folder=str(folder / "model"), metrics=progress.metrics(folder))


def _with_log(sentence: str, folder: Path) -> str:
    end = processes.tail(folder / "log.txt")
    return f"{sentence}\n\nThe end of its log:\n{end}" if end else sentence


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk is full: free some space and resume the run."
    return str(error) or type(error).__name__
