"""`python -m training …` as a child process: bound to this one, quiet, with a log of its own."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from django.conf import settings

from labeling import processes

MODULE = "training"
PATIENCE = 20.0  # seconds to write a checkpoint before it is killed
NICE = 10
LOG_LINES = 40
LOG_BYTES = 64 * 1024


class ChildError(RuntimeError):
    """The child process failed; the sentence is its own last word."""


def start(
    arguments: list[str], *, log: Path, talks: bool = False, nice: int = NICE
) -> subprocess.Popen[bytes]:
    """Start `python -m training ARGUMENTS`; it dies with this process, whatever happens.

    One that `talks` has pipes for input and output, and only its errors go to the log.
    """
    command = processes.bound([sys.executable, "-m", MODULE, *arguments])
    with log.open("ab") as file:
        process = subprocess.Popen(
            command,
            cwd=settings.BASE_DIR,
            env=_environment(),
            stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
            stdout=subprocess.PIPE if talks else file,
            stderr=file,
            start_new_session=True,  # a Ctrl-C is its parent's to handle
        )
    with suppress(ProcessLookupError):
        os.setpriority(os.PRIO_PROCESS, process.pid, nice)
    return process


def stop(process: subprocess.Popen[bytes]) -> int:
    """Ask it to write a checkpoint and end; kill it if it does not. Returns its exit status."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def call(arguments: list[str], *, log: Path, seconds: float) -> None:
    """Run to the end. Raises ChildError with its last line, or after `seconds`."""
    process = start(arguments, log=log)
    try:
        status = process.wait(seconds)
    except subprocess.TimeoutExpired:
        raise ChildError(f"It took longer than {seconds:.0f} seconds and was stopped.") from None
    finally:
        process.kill()
        process.wait()
    if status:
        raise ChildError(last_words(log, status))


def last_words(log: Path, status: int) -> str:
    """Why a child ended: its last line, or the signal that ended it."""
    if status < 0:
        name = signal.Signals(-status).name
        hint = ": is there enough memory?" if name == "SIGKILL" else "."
        return f"Its process was ended by {name}{hint}"
    said = tail(log, lines=1).removeprefix("error: ")
    return said or f"Its process ended with status {status} and said nothing."


def tail(log: Path, *, lines: int = LOG_LINES) -> str:
    """The end of a log as plain text; empty where there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LOG_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    shown = [line.rpartition("\r")[2].rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    return "\n".join([line.replace("\0", "") for line in shown if line][-lines:])


def _environment() -> dict[str, str]:
    threads = settings.TRAINING_THREADS
    limits = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)} if threads else {}
    return {**os.environ, **limits, "PYTHONUNBUFFERED": "1"}
