"""A server process that dies with its keeper."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from config.servers.paths import EmbeddedError, log_end, log_path, open_log

Process = subprocess.Popen[bytes]
PATIENCE = 60.0  # seconds to recover and answer, or to stop


@contextmanager
def answering(
    command: list[str],
    *,
    data_dir: Path,
    name: str,
    answers: Callable[[], bool],
    stop_signal: signal.Signals,
) -> Iterator[Process]:
    """The process once it answers, until the end; raises `EmbeddedError` if it never does."""
    with open_log(data_dir, name) as log:
        process = subprocess.Popen(
            command, env=environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        _wait(process, answers, data_dir, name)
        yield process
    finally:
        _stop(process, stop_signal)


def environment() -> dict[str, str]:
    """Nothing of the user's settings reaches a server."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


def failed(data_dir: Path, name: str) -> EmbeddedError:
    end = log_end(data_dir, name, lines=1).strip().rstrip(".")
    return EmbeddedError(f"{name} did not start ({end}): see {log_path(data_dir, name)}.")


def _wait(process: Process, answers: Callable[[], bool], data_dir: Path, name: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not answers():
        if process.poll() is not None or time.monotonic() > deadline:
            raise failed(data_dir, name)
        time.sleep(0.02)


def _stop(process: Process, stop_signal: signal.Signals) -> None:
    process.send_signal(stop_signal)
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
