"""Prepare pictures in processes of their own, as many at once as there are cores."""

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from labeling import processes
from labeling.decoding import worker
from labeling.decoding.pictures import ImageRejected, Picture

MAX_PROCESSES = 16  # the importing process cannot keep more of them busy
PIPE_SIZE = 2**20  # bytes; a photograph passes at once
ROOT = Path(__file__).parents[2]
NOT_STARTED = "A process that decodes pictures did not start"

Result = Picture | ImageRejected


class PoolError(RuntimeError):
    """No process can be started that decodes pictures; the message says why."""


class ProcessEnded(Exception):
    """The process ended before it answered; the message says how."""


class DecodingPool:
    """Prepare pictures in processes, which are started when there is work for them.

    A process that ends over its pictures (a codec that crashes, or takes all memory) is replaced.
    Its pictures are tried again one at a time, and only those that end a process alone are
    rejected. Use it as a context manager: on leaving, all processes are killed.
    """

    def __init__(
        self,
        *,
        bytes_max: int,
        pixels_max: int,
        bits: int = 0,
        max_processes: int = MAX_PROCESSES,
    ) -> None:
        self._limits = [str(bytes_max), str(pixels_max), str(bits)]
        self._processes: list[_Process] = []
        self._own = threading.local()  # each thread waits for one process
        self._lock = threading.Lock()
        self._closed = False
        self._threads = ThreadPoolExecutor(min(max_processes, len(os.sched_getaffinity(0))))

    def __enter__(self) -> "DecodingPool":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            self._closed = True
            for process in self._processes:
                process.kill()
        self._threads.shutdown(cancel_futures=True)
        for process in self._processes:
            process.close()

    def submit(self, files: Sequence[bytes]) -> Future[list[Result]]:
        """Prepare some files; the future holds a `Picture` or an `ImageRejected` for each.

        It raises `PoolError` where processes cannot be started.
        """
        return self._threads.submit(self._prepare, files)

    def _prepare(self, files: Sequence[bytes]) -> list[Result]:
        try:
            return self._process().prepare(files)
        except ProcessEnded as end:
            self._forget()
            if len(files) == 1:
                return [ImageRejected(f"decoding it ended the process ({end})")]
        return [result for data in files for result in self._prepare([data])]

    def _process(self) -> "_Process":
        """Return this thread's process; start it if there is none."""
        process: _Process | None = getattr(self._own, "process", None)
        if process is None:
            with self._lock:
                if self._closed:
                    raise PoolError("The pool is closed.")
                process = self._own.process = _Process(self._limits)
                self._processes.append(process)
            process.wait_until_ready()
        return process

    def _forget(self) -> None:
        with self._lock:
            if not self._closed:
                self._processes.remove(self._own.process)
                self._own.process.close()
            self._own.process = None


class _Process:
    """A child process that prepares pictures, and the pipes to it."""

    def __init__(self, limits: list[str]) -> None:
        try:
            self._child = subprocess.Popen(
                processes.bound([sys.executable, "-m", worker.__name__, *limits]),
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pipesize=PIPE_SIZE,
                start_new_session=True,  # so that Ctrl-C reaches its parent alone
            )
        except OSError as error:
            raise PoolError(f"{NOT_STARTED} ({error.strerror}).") from error

    def wait_until_ready(self) -> None:
        """Wait for the process to begin. Raises `PoolError`."""
        try:
            self._receive()
        except ProcessEnded as end:
            raise PoolError(f"{NOT_STARTED} ({end}).") from None

    def prepare(self, files: Sequence[bytes]) -> list[Result]:
        """Return the process's result for each file. Raises `ProcessEnded`."""
        assert self._child.stdin
        try:
            pickle.dump(files, self._child.stdin, pickle.HIGHEST_PROTOCOL)
            self._child.stdin.flush()
        except OSError:
            raise ProcessEnded(self._end()) from None
        results: list[Result] = self._receive()
        return results

    def _receive(self) -> list[Result]:
        assert self._child.stdout
        try:
            results: list[Result] = pickle.load(self._child.stdout)
        except (EOFError, pickle.UnpicklingError):
            raise ProcessEnded(self._end()) from None
        return results

    def _end(self) -> str:
        """Return how the process ended: by a signal ("Killed") or with a status."""
        status = self._child.wait()
        return signal.strsignal(-status) or "a signal" if status < 0 else f"exit status {status}"

    def kill(self) -> None:
        self._child.kill()

    def close(self) -> None:
        """Kill the process, and close the pipes, which nobody must be using any more."""
        self._child.kill()
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            assert pipe
            with suppress(OSError):  # what was not yet written has no reader
                pipe.close()
