"""`python -m training …` as a child process: it dies with this one, at low priority, with a log."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings

from labeling import processes
from training import devices
from training.devices import Device
from training.engine.loop.stop import TEMPORARY

MODULE = "training"
STOP_TIMEOUT = 20.0  # seconds to write a checkpoint before the child is killed
NICE = 10
WATCH_EVERY = 5.0  # seconds between two looks at whether a child is still wanted
LOG_LINES = 40
LOG_BYTES = 64 * 1024
LEAST_ROOM = 1 << 20  # bytes on a disk, below which it counts as full
DISK_FULL = "The disk of a worker is full: free some space there, and it goes on by itself."


class ChildError(RuntimeError):
    """The child process failed; the message is the last line of its log."""


class TemporaryError(ChildError):
    """The child process met a full disk, or another at the same work: later it may go well."""


def start(
    arguments: list[str],
    *,
    log: Path,
    pipes: bool = False,
    nice: int = NICE,
    device: Device | None = None,
) -> subprocess.Popen[bytes]:
    """Start `python -m training ARGUMENTS`; it dies with this process, whatever happens.

    Its output and errors go to the log. With `pipes`, only its errors do, and its standard input
    and output are pipes. It keeps to the device, by default to the one that is held here.
    """
    command = processes.bound([sys.executable, "-m", MODULE, *arguments])
    with log.open("ab") as file:
        process = subprocess.Popen(
            command,
            cwd=settings.BASE_DIR,
            env=_environment(device),
            stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
            stdout=subprocess.PIPE if pipes else file,
            stderr=file,
            start_new_session=True,  # so that Ctrl-C reaches its parent alone
        )
    with suppress(ProcessLookupError):
        os.setpriority(os.PRIO_PROCESS, process.pid, nice)
    return process


def fitting(folder: Path) -> list[str]:
    """Return the arguments of a process that fits a run, with as many others as are wanted."""
    many = settings.TRAINING_PROCESSES
    return ["fit", str(folder), *(["--processes", str(many)] if many > 1 else [])]


@contextmanager
def running(arguments: list[str], *, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a child process, and stop it at the end of the block if it still runs."""
    process = start(arguments, log=log)
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> int:
    """Have the child write a checkpoint and end, or kill it; return its exit status."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def call(
    arguments: list[str],
    *,
    log: Path,
    time_limit: float,
    watch: Callable[[], None] = lambda: None,
) -> None:
    """Run a child process to its end.

    watch: called now and then meanwhile; what it raises ends the process. Raises ChildError where
    the process fails, or takes longer than `time_limit` seconds, and TemporaryError.
    """
    process = start(arguments, log=log)
    end = time.monotonic() + time_limit
    try:
        while True:
            with suppress(subprocess.TimeoutExpired):
                status = process.wait(max(0.0, min(WATCH_EVERY, end - time.monotonic())))
                break
            if time.monotonic() >= end:
                message = f"It took longer than {time_limit:.0f} seconds and was stopped."
                raise ChildError(message)
            watch()
    finally:
        process.kill()
        process.wait()
    if status == TEMPORARY:
        raise TemporaryError(reason(log, status))
    if status:
        check_room(log)
        raise ChildError(reason(log, status))


def check_room(log: Path) -> None:
    """Raise TemporaryError where the disk of a child's log is full, so that it cannot say why."""
    if shutil.disk_usage(log.parent).free < LEAST_ROOM:
        raise TemporaryError(DISK_FULL)


def reason(log: Path, status: int) -> str:
    """Return why a child ended: the signal that ended it, or the last line of its log."""
    if status < 0:
        name = signal.Signals(-status).name
        hint = ": is there enough memory?" if name == "SIGKILL" else "."
        return f"Its process was ended by {name}{hint}"
    last_line = tail(log, lines=1).removeprefix("error: ")
    return last_line or f"Its process ended with status {status} and printed nothing."


def tail(log: Path, *, lines: int = LOG_LINES) -> str:
    """Return the last lines of a log as plain text; empty where there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LOG_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    # A progress bar rewrites its line after each carriage return: keep what was visible last.
    visible = [line.rpartition("\r")[2].rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    return "\n".join([line.replace("\0", "") for line in visible if line][-lines:])


def _environment(device: Device | None) -> dict[str, str]:
    threads = settings.TRAINING_THREADS
    limits = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)} if threads else {}
    owner = {"C2PA_CERTIFICATE": settings.C2PA_CERTIFICATE, "C2PA_KEY": settings.C2PA_KEY}
    visible = device.environment if device else devices.environment()
    return {**os.environ, **limits, **owner, **visible, "PYTHONUNBUFFERED": "1"}
