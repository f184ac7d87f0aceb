"""A run's folder: its process works in one of this machine, which is copied into the storage.

While it works, a thread copies its newest checkpoint, log, progress and grids, again and again:
another machine goes on from there, and pages show it. How often that is follows from how long it
takes. Where the storage is a folder of this machine, the process works in it, and nothing is
copied.
"""

import json
import logging
import os
import re
import shutil
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from django.core.files.storage import default_storage

from labeling import stored_folders
from labeling.stored_folders import FolderMissing, StorageAway
from training.engine import progress
from training.models import Run

INTERVAL = 5.0  # seconds between a copy and the next one, at least,
REST = 4.0  # or so many times as long as it took
CHECKPOINT = re.compile(r"(\d{1,12})\.safetensors")
CONFIG, METRICS = "config.json", "metrics.json"
CHECKPOINTS, SAMPLES, MODEL = "checkpoints", "samples", "model"
SMALL = (CONFIG, "log.txt", "progress.jsonl", "prompts.json", METRICS, "report.html")

logger = logging.getLogger(__name__)


def name_of(run: Run) -> str:
    """Return the name in the storage of a run's folder."""
    return f"runs/{run.pk}"


def model_name_of(run: Run) -> str:
    """Return the name in the storage of the folder of a run's model."""
    return f"{name_of(run)}/{MODEL}"


def prepare(run: Run) -> Path:
    """Return the folder that the run's process works in, with what any machine has brought so far.

    Raises StorageAway.
    """
    name = name_of(run)
    if not run.folder:
        stored_folders.delete(name)  # of a run in an earlier database that had the same number
    folder = stored_folders.working(name)
    if not _is_in_place(name):
        with suppress(FolderMissing):
            _bring(name, folder)
    return folder


@contextmanager
def copied(run: Run, folder: Path, config: Mapping[str, Any]) -> Iterator["Copies"]:
    """Copy the folder into the storage while the block runs.

    config: what others are to read as its config.json, without a path of this machine.
    """
    copies = Copies(name_of(run), folder, config, held=run.lease_duration.total_seconds())
    copies.begin()
    try:
        yield copies
    finally:
        copies.end()


class Copies:
    """A run's folder in the storage, as it is copied from the one that its process works in.

    Nothing is copied from a thread when the run's lease was not renewed for `held` seconds: a
    machine that has the storage, but no longer the database, would put its copies in the place of
    those of whoever goes on with the run by now.
    """

    def __init__(self, name: str, folder: Path, config: Mapping[str, Any], *, held: float) -> None:
        self._held, self._renewed = held, time.monotonic()
        self.name, self.folder = name, folder
        self._config = json.dumps(config, indent=1)
        self._known: dict[str, tuple[int, int, str]] = {}  # of checkpoints: inode, time, SHA-256
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._in_place = _is_in_place(name)

    def begin(self) -> None:
        """Begin to copy, from a thread."""
        if not self._in_place:
            self._thread.start()
        elif not stored_folders.exists(self.name):
            stored_folders.put(self.folder, self.name)

    def renewed(self) -> None:
        """Note that the run's lease was renewed."""
        self._renewed = time.monotonic()

    def end(self) -> None:
        """Begin no further copy, and wait for the one that is under way."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def copy(self) -> None:
        """Copy what there is now. Raises StorageAway, or OSError of a full disk."""
        if self._in_place:
            return
        staged = self.folder.with_name(f".{self.folder.name}-copy")
        shutil.rmtree(staged, ignore_errors=True)
        try:
            self._stage(staged)
            digests = {
                name: sha256
                for name, (inode, time, sha256) in self._known.items()
                if _identity(staged / name) == (inode, time)
            }
            stored_folders.put(staged, self.name, digests=digests)
            self._remember(staged)
        finally:
            shutil.rmtree(staged, ignore_errors=True)

    def finish(self) -> None:
        """Put a finished run into the storage: first its model, then the rest of it.

        Its checkpoints are needed no more, nor is its folder here if that is not the storage's.
        Raises StorageAway, or OSError of a full disk.
        """
        stored_folders.put(self.folder / MODEL, f"{self.name}/{MODEL}")
        shutil.rmtree(self.folder / CHECKPOINTS, ignore_errors=True)
        if not self._in_place:
            self.copy()
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        (self.folder / CONFIG).write_text(self._config)
        of_model = stored_folders.index(f"{self.name}/{MODEL}")
        digests = {f"{MODEL}/{name}": stored.sha256 for name, stored in of_model.items()}
        stored_folders.put(self.folder, self.name, digests=digests)

    def _run(self) -> None:
        told, rest = "", INTERVAL
        while not self._ended.wait(rest):
            begun = time.monotonic()
            if begun - self._renewed > self._held:
                continue
            try:
                self.copy()
                told = ""
            except (StorageAway, OSError) as error:
                if str(error) != told:
                    logger.warning("%s is not copied: %s", self.name, error)
                told = str(error)
            rest = max(INTERVAL, REST * (time.monotonic() - begun))

    def _stage(self, staged: Path) -> None:
        """Gather what is copied: files that grow by value, those that never change by hard link."""
        staged.mkdir(parents=True)
        for name in SMALL:
            with suppress(FileNotFoundError):
                shutil.copyfile(self.folder / name, staged / name)
        (staged / CONFIG).write_text(self._config)
        newest = newest_checkpoint(self.folder)
        for path in filter(None, [newest, *(self.folder / SAMPLES).glob("*.png")]):
            target = staged / path.relative_to(self.folder)
            target.parent.mkdir(exist_ok=True)
            with suppress(FileNotFoundError):  # a newer one took its place
                os.link(path, target)

    def _remember(self, staged: Path) -> None:
        """Keep the hash of a checkpoint, so that it is not read again for the next copy."""
        stored = stored_folders.index(self.name)
        self._known = {
            name: (*identity, each.sha256)
            for name, each in stored.items()
            if name.startswith(CHECKPOINTS) and (identity := _identity(staged / name))
        }


def newest_checkpoint(folder: Path) -> Path | None:
    """Return the last checkpoint in a run's folder, if there is one."""
    files = (folder / CHECKPOINTS).glob("*.safetensors")
    return max(files, key=lambda path: step_of(path.name), default=None)


def step_of(name: str) -> int:
    """Return the step of a checkpoint by the name of its file; -1 of another file."""
    found = CHECKPOINT.fullmatch(name.rpartition("/")[2])
    return int(found[1]) if found else -1


def local(run: Run, *names: str) -> Path | None:
    """Return a folder that holds those of the files which the run has brought, to be read.

    None where there is nothing yet, or the storage is away.
    """
    there = _there(run)
    if there is None:
        return None
    with _nothing_where_it_is_away(run):
        return stored_folders.fetch(run.folder, only=[name for name in names if name in there])
    return None


def read(run: Run, name: str) -> bytes | None:
    """Return a file that a run has brought; None where there is none. Raises StorageAway."""
    if not run.folder:
        return None
    try:
        with stored_folders.open(run.folder, name) as file:
            return file.read()
    except FolderMissing:
        return None


def grids(run: Run) -> list[str]:
    """Return the names of a run's sample grids, oldest first."""
    there = _there(run) or ()
    prefix = f"{SAMPLES}/"
    return progress.in_order(name.removeprefix(prefix) for name in there if name.startswith(prefix))


def _there(run: Run) -> set[str] | None:
    """Return the names of the files that a run has brought; None where there is nothing yet."""
    if not run.folder:
        return None
    with _nothing_where_it_is_away(run):
        if not _is_in_place(run.folder):
            return set(stored_folders.index(run.folder))
        folder = stored_folders.fetch(run.folder)  # of a run under way: the index is older
        return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    return None


@contextmanager
def _nothing_where_it_is_away(run: Run) -> Iterator[None]:
    try:
        yield
    except (FolderMissing, StorageAway) as error:
        logger.info("Nothing is shown of %s: %s", run.folder, error)


def _is_in_place(name: str) -> bool:
    """Return whether the storage is a folder of this machine."""
    try:
        default_storage.path(name)
    except NotImplementedError:
        return False
    return True


def _bring(name: str, folder: Path) -> None:
    """Bring the stored folder here, unless this machine is as far.

    Raises FolderMissing and StorageAway.
    """
    stored = stored_folders.index(name)
    here = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    if _progress(stored) <= _progress(here):
        return
    shutil.rmtree(folder)
    _copy(stored_folders.fetch(name), folder)
    if METRICS in stored:
        with suppress(FolderMissing):
            _copy(stored_folders.fetch(f"{name}/{MODEL}"), folder / MODEL)


def _progress(names: Iterable[str]) -> tuple[bool, int, bool]:
    """Return how far the run is whose folder holds these files, to be compared."""
    found = set(names)
    return METRICS in found, max(map(step_of, found), default=-1), CONFIG in found


def _copy(source: Path, target: Path) -> None:
    """Copy the files of a folder, so that they may be written to."""
    shutil.copytree(source, target, copy_function=shutil.copyfile, dirs_exist_ok=True)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_ino, about.st_mtime_ns
