"""Execute one leased run: from its snapshot, by a child process, to its model."""

import json
import logging
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.db import Error, InterfaceError, OperationalError, connection

from labeling import lease, snapshots
from labeling.database_errors import is_away
from labeling.models import LeaseLost, Snapshot
from labeling.stored_folders import StorageAway
from training import delays, processes, promotion, run_folders, runs
from training.engine import progress
from training.engine.loop.stop import TEMPORARY
from training.engine.presets import goes_on
from training.engine.version import code_version
from training.models import Model, Run
from training.output import Output
from training.run_folders import Copies

ATTEMPTS = 3  # starts of the child process before its crashes fail the run
REFUSED = 1  # exit status of a child that says why it cannot go on: another start would not help
POLL_INTERVAL = 1.0  # seconds between two looks at the child
STORE_INTERVAL = 5.0  # seconds between two tries to store what is finished
DATABASE_PATIENCE = 300.0  # seconds without a database, after which the child is stopped

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
    2. Fetch what it learns from, and what an earlier attempt has brought, from the storage; write
       the run folder's config.json.
    3. Start `python -m training fit FOLDER` as a child process.
    4. Copy its progress into the row, which renews the lease, until it ends; meanwhile a thread
       copies its checkpoints and pictures into the storage.
    5. Start it again where it crashed: it resumes from its last checkpoint.
    6. Put its folder into the storage, and its model among the candidates for promotion.

    Whatever ends this early also stops the child, which writes a checkpoint: a step that fails and
    a cancelled run are recorded (`_recording_the_end`); a run that holds up a person's, or waits
    for the storage or for room, goes back into the queue; a lost lease is somebody else's run by
    now. Raises DatabaseLostError, after which the sweep queues the run again.
    """
    try:
        with _recording_the_end(run):
            snapshot = run.snapshot or _freeze(run)
            folder = _prepare(run, snapshot)
            config = runs.config(run, snapshot=snapshot)
            with run_folders.copied(run, folder, config) as copies:
                _train(run, folder, copies, on_progress)
                return _succeed(run, folder, copies)
    except LeaseLost:
        logger.warning("Run %s was lost to another worker.", run.pk)
    return None


def _train(run: Run, folder: Path, copies: Copies, on_progress: OnProgress) -> None:
    """Have the child process train to its end. Raises RunError where it cannot."""
    log = folder / "log.txt"

    def renewed(run: Run) -> None:
        copies.renewed()
        on_progress(run)

    try:
        for _ in range(ATTEMPTS):
            run.renew(attempts=run.attempts + 1)
            output = Output(log, of=f"Run {run.pk}")
            with processes.running(processes.fitting(folder), log=log) as child:
                status = _follow(run, child, folder, renewed, output)
            if status == 0:
                return
            reason = processes.reason(log, status)
            if status == TEMPORARY:
                raise processes.TemporaryError(reason)
            processes.check_room(log)
            if status == REFUSED:
                raise runs.RunError(_with_log(reason, folder))
            logger.warning("Run %s, attempt %s: %s", run.pk, run.attempts, reason)
        raise runs.RunError(_with_log(f"It crashed {ATTEMPTS} times. {reason}", folder))
    except (LeaseLost, InterfaceError, OperationalError):
        raise
    except BaseException:
        _copy_the_last(run, copies)
        raise


def _copy_the_last(run: Run, copies: Copies) -> None:
    """Copy the checkpoint that a stopped child has written, if the storage takes it now."""
    try:
        with lease.kept(run):
            copies.copy()
    except (StorageAway, OSError) as error:
        logger.warning("The last checkpoint of run %s stays on this machine: %s", run.pk, error)


@contextmanager
def _recording_the_end(run: Run) -> Iterator[None]:
    """End the run as cancelled or failed, or queue it again where it has to wait, or to stop.

    Raises LeaseLost, DatabaseLostError, and again whatever is a fault of this program.
    """
    try:
        with delays.translated():
            yield
    except LeaseLost:
        raise
    except delays.DelayedError as error:
        logger.warning("Run %s waits: %s", run.pk, error)
        _delay(run, error)
    except _CancelledError:
        runs.finish(run=run, state=Run.State.CANCELLED)
    except _YieldedError:
        runs.release(run=run)
    except (runs.RunError, OSError) as error:
        runs.finish(run=run, state=Run.State.FAILED, error=_sentence(error))
    except Exception as error:
        if is_away(error):
            raise DatabaseLostError(str(error).partition("\n")[0]) from error
        with suppress(LeaseLost):
            runs.finish(run=run, state=Run.State.FAILED, error=_sentence(error))
        raise
    except BaseException:  # SystemExit, KeyboardInterrupt: this process must stop
        with suppress(LeaseLost):
            runs.release(run=run)
        raise


def _delay(run: Run, error: delays.DelayedError) -> None:
    """Queue the run again. Raises LeaseLost, and DatabaseLostError where that is not taken."""
    try:
        runs.delay(run=run, error=error)
    except Error as refused:
        if not is_away(refused):
            raise
        raise DatabaseLostError(str(refused).partition("\n")[0]) from refused


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
    if snapshot.state == Snapshot.State.FREEZING:
        raise delays.DelayedError(f"Its snapshot waits: {snapshot.error}", delays.AWAY)
    if snapshot.state != Snapshot.State.READY:
        raise runs.RunError(f"No snapshot could be frozen: {snapshot.error}")
    return snapshot


def _prepare(run: Run, snapshot: Snapshot) -> Path:
    """Fetch what the run needs, write config.json into its folder, and return the folder."""
    if goes_on(run.recipe, run.preset) and run.start is None:
        run.renew(start=_current(run))
    run.renew(stage="fetch")
    with lease.kept(run):
        config = runs.local_config(run, snapshot=snapshot)
        folder = run_folders.prepare(run)
    draft = folder / ".config.json"
    draft.write_text(json.dumps(config, indent=1))
    draft.rename(folder / run_folders.CONFIG)
    run.renew(snapshot=snapshot, folder=run_folders.name_of(run), code=code_version(), stage="")
    return folder


def _current(run: Run) -> Model:
    """Return the model that a run goes on from: the one that is current as it starts."""
    current = promotion.current_of(run.project_id, run.recipe)
    if current is None:
        raise runs.RunError(
            f"There is no current {run.recipe} model to go on from: train one by another preset."
        )
    return current


def _follow(
    run: Run,
    child: subprocess.Popen[bytes],
    folder: Path,
    on_progress: OnProgress,
    output: Output,
) -> int:
    """Renew the lease with the child's progress until it ends; return its exit status.

    It goes on through a while without the database, as long as nobody else has taken the run.
    """
    answered = time.monotonic()
    while True:
        status: int | None = None
        with suppress(subprocess.TimeoutExpired):
            status = child.wait(POLL_INTERVAL)
        output.repeat(ended=status is not None)
        try:
            run.renew(**progress.latest(folder))
            on_progress(run)
            if status is not None:
                return status
            _check_wanted(run)
        except (InterfaceError, OperationalError):
            if time.monotonic() - answered > DATABASE_PATIENCE or connection.in_atomic_block:
                raise
            connection.close()  # the next one is a new one
        else:
            answered = time.monotonic()


def _check_wanted(run: Run) -> None:
    """Raise where the run has to stop: a person cancelled it, or waits for this machine."""
    if Run.objects.filter(pk=run.pk, cancel_requested=True).exists():
        raise _CancelledError
    if runs.holds_up_a_person(run):
        raise _YieldedError


def _succeed(run: Run, folder: Path, copies: Copies) -> Model:
    if not (folder / run_folders.MODEL / run_folders.CONFIG).is_file():
        raise runs.RunError("Its process ended without an error and without a model: resume it.")
    metrics = progress.metrics(folder)
    copies.end()
    _store(run, copies)
    return runs.succeed(run=run, metrics=metrics)


def _store(run: Run, copies: Copies) -> None:
    """Put the finished run into the storage; while that is away, wait here, where its files are."""
    run.renew(stage="store")
    while True:
        try:
            with lease.kept(run):
                copies.finish()
            return
        except StorageAway as error:
            logger.warning("Run %s is finished, and cannot be stored yet: %s", run.pk, error)
        time.sleep(STORE_INTERVAL)
        _check_wanted(run)


def _with_log(sentence: str, folder: Path) -> str:
    end = processes.tail(folder / "log.txt")
    return f"{sentence}\n\nThe end of its log:\n{end}" if end else sentence


def _sentence(error: Exception) -> str:
    return str(error) or type(error).__name__
