"""What goes on while parts die: runs, exports and imports, one of each at a time.

It speaks to the database as Tessera's own processes do, so Django must be set up.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable

from django.db import connection

from labeling import snapshots, stored_folders
from labeling import tasks as labeling_tasks
from labeling.exports import jobs as exports
from labeling.models import Export, Project, Snapshot
from training import tasks as training_tasks
from training.models import Model, Run

logger = logging.getLogger(__name__)
RUNS_ENDED = (Run.State.SUCCEEDED, Run.State.FAILED, Run.State.CANCELLED)
STEPS = 1_500  # of a run: a minute or more, with a checkpoint each ten steps


class Work:
    """Keeps a run and an export under way, each in a thread, until it is stopped."""

    def __init__(self, project: str) -> None:
        self._slug = project
        self._stop = threading.Event()
        self.runs: list[int] = []
        self.snapshots: list[int] = []
        self.exports: list[int] = []
        self._threads = [
            threading.Thread(target=self._repeat, args=(step,), daemon=True)
            for step in (self._run, self._export)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Begin nothing more, and wait for what is under way."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, step: Callable[[Project], None]) -> None:
        """Do a step again and again; where the database is away, a little later."""
        while not self._stop.is_set():
            try:
                step(Project.objects.get(slug=self._slug))
            except Exception as error:
                logger.warning("%s: %s", step.__name__, str(error).partition("\n")[0])
                connection.close()
                time.sleep(1)
        connection.close()

    def _run(self, project: Project) -> None:
        run = training_tasks.start_run(
            project=project,
            recipe="diffusion",
            preset="smoke",
            options={"steps": STEPS, "checkpoint_steps": 10},
        )
        self.runs.append(run.pk)
        _follow(lambda: Run.objects.filter(pk=run.pk, state__in=RUNS_ENDED).exists())

    def _export(self, project: Project) -> None:
        snapshot = snapshots.begin(project=project)
        self.snapshots.append(snapshot.pk)
        labeling_tasks.freeze_later(snapshot)
        held = Snapshot.objects.filter(pk=snapshot.pk)
        _follow(lambda: not held.filter(state=Snapshot.State.FREEZING).exists())
        export = exports.begin(snapshot=held.get(), format="webdataset", values={})
        self.exports.append(export.pk)
        labeling_tasks.export_later(export)
        made = Export.objects.filter(pk=export.pk)
        _follow(lambda: not made.filter(state=Export.State.WRITING).exists())


def _follow(ended: Callable[[], bool]) -> None:
    """Return once it has ended; a database that is away is asked again."""
    while True:
        try:
            if ended():
                return
        except Exception:
            connection.close()
        time.sleep(1)


def lease(run_id: int) -> str:
    """Return the token of whoever trains a run and is in its first half; empty without one."""
    run = _asked(lambda: Run.objects.get(pk=run_id))
    trains = run and run.state == Run.State.RUNNING and 0 < run.step < run.steps / 2
    return run.lease_token if run and trains else ""


def has_gone_on(run_id: int, at: float, lost: str = "") -> bool:
    """Whether a run was worked on after a time, or has succeeded since.

    lost: the token of a worker that is gone, whose work does not count.
    """
    run = _asked(lambda: Run.objects.get(pk=run_id))
    if run is None or run.heartbeat_at is None:
        return False
    if run.state in RUNS_ENDED:
        return run.state == Run.State.SUCCEEDED
    return run.heartbeat_at.timestamp() > at and bool(run.lease_token) and run.lease_token != lost


def _asked(question: Callable[[], Run]) -> Run | None:
    """Return the answer; None while the database is away."""
    try:
        return question()
    except Exception:
        connection.close()
        return None


def states(work: Work) -> dict[str, Counter[str]]:
    """Return how many runs, snapshots and exports ended how."""
    kinds = {Run: work.runs, Snapshot: work.snapshots, Export: work.exports}
    return {
        kind.__name__: Counter(kind.objects.filter(pk__in=ids).values_list("state", flat=True))
        for kind, ids in kinds.items()
    }


def broken(work: Work) -> list[str]:
    """Return what is wrong with the files of snapshots, exports and models, in sentences."""
    problems = []
    folders = [
        *Snapshot.objects.filter(pk__in=work.snapshots).values_list("folder", flat=True),
        *Export.objects.filter(pk__in=work.exports).values_list("folder", flat=True),
        *Model.objects.filter(run__in=work.runs).values_list("folder", flat=True),
    ]
    for folder in folders:
        try:
            stored_folders.fetch(folder)  # which checks every file's hash
        except stored_folders.FolderMissing as error:
            problems.append(f"{folder}: {error}")
    print(f"Folders that are whole: {len(folders) - len(problems)} of {len(folders)}")
    return problems
