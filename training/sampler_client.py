"""Client of `python -m training serve`: a child process that keeps models loaded.

Requests and replies are lines of JSON over its standard input and output; their fields are those
of `training.engine.generation.server`. Each process that generates has one such child.
"""

import atexit
import json
import os
import select
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from training import devices, processes

POLL_INTERVAL = 0.25  # seconds between two calls of `on_progress` while no reply comes
CANCEL_TIMEOUT = 1.5  # seconds to heed a cancel before the child is killed
EXIT_TIMEOUT = 2.0  # seconds to exit after its output was closed
REPLY_BYTES_MAX = 4 * 2**20

OnProgress = Callable[[float], bool]  # gets the share that is done; returns whether to go on


class CancelledError(Exception):
    """`on_progress` returned False: nobody wants the samples any more."""


class SamplerProcess:
    """The child process; it is started when first needed, and again after it has died."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = Path()
        self._lock: IO[bytes] | None = None  # of the device that it draws on
        self._unread = b""
        self._count = 0

    def generate(
        self, request: dict[str, Any], *, on_progress: OnProgress, time_limit: float
    ) -> list[dict[str, Any]]:
        """Have one request executed and return a record for each image that was written.

        Raises ChildError with a sentence, TemporaryError, or CancelledError. The child goes on
        after it has refused a request or heeded a cancel; after any other failure it is killed.
        """
        self._count += 1
        request_id = str(self._count)
        try:
            self._start()
            self._send({"id": request_id, **request})
            reply = self._final_reply(request_id, on_progress, time.monotonic() + time_limit)
        except BaseException:
            self.close()
            raise
        if reply.get("full"):
            raise processes.TemporaryError(str(reply.get("error")))
        if "error" in reply:
            raise processes.ChildError(str(reply["error"]))
        if "cancelled" in reply:
            raise CancelledError
        return list(reply["pictures"])

    def close(self) -> None:
        """Kill the child, if there is one."""
        process, self._process, self._unread = self._process, None, b""
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                with suppress(OSError):
                    pipe.close()
        process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._lock:
            self._lock.close()

    def _start(self) -> None:
        if self._process and self._process.poll() is None:
            return
        self.close()
        self._folder = Path(tempfile.mkdtemp(prefix="tessera-sampler-"))
        log = self._folder / "log.txt"
        device, self._lock = devices.acquire_for_drawing()
        self._process = processes.start(["serve"], log=log, pipes=True, nice=0, device=device)

    def _final_reply(
        self, request_id: str, on_progress: OnProgress, deadline: float
    ) -> dict[str, Any]:
        """Read replies until the request has ended; send a cancel once nobody wants it."""
        progress, kill_at = 0.0, None
        for reply in self._replies():
            if reply.get("id") == request_id:
                if reply.keys() & {"error", "pictures", "cancelled"}:
                    return reply
                progress = float(reply.get("progress", progress))
            now = time.monotonic()
            if now > deadline:
                raise processes.ChildError("It took too long and was stopped: ask for less.")
            if kill_at is not None:
                if now > kill_at:
                    raise CancelledError
            elif not on_progress(progress):
                self._send({"cancel": request_id})
                kill_at = now + CANCEL_TIMEOUT
        raise processes.ChildError(self._exit_reason())

    def _replies(self) -> Iterator[dict[str, Any]]:
        """Yield each reply, and an empty one whenever none has come for `POLL_INTERVAL`."""
        assert self._process and self._process.stdout
        pipe = self._process.stdout.fileno()
        while True:
            line, newline, rest = self._unread.partition(b"\n")
            if newline:
                self._unread = rest
                yield _parse(line)
            elif not select.select([pipe], [], [], POLL_INTERVAL)[0]:
                yield {}
            elif not (data := os.read(pipe, 2**16)) or len(self._unread) > REPLY_BYTES_MAX:
                return
            else:
                self._unread += data

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process and self._process.stdin
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise processes.ChildError(self._exit_reason()) from None

    def _exit_reason(self) -> str:
        assert self._process
        try:
            status = self._process.wait(EXIT_TIMEOUT)
        except subprocess.TimeoutExpired:
            return "Its process closed its output: draw it again."
        reason = processes.reason(self._folder / "log.txt", status)
        return reason if status else "Its process has ended: draw it again."


_sampler: tuple[int, SamplerProcess] | None = None  # with the process that it belongs to
_one_at_a_time = threading.Lock()


def generate(
    request: dict[str, Any], *, on_progress: OnProgress, time_limit: float
) -> list[dict[str, Any]]:
    """Have a request executed by this process's own child: `SamplerProcess.generate`."""
    with _one_at_a_time:
        return _own_sampler().generate(request, on_progress=on_progress, time_limit=time_limit)


def close() -> None:
    """Kill this process's child, if it has one."""
    global _sampler
    with _one_at_a_time:
        if _sampler and _sampler[0] == os.getpid():
            _sampler[1].close()
        _sampler = None


atexit.register(close)


def _own_sampler() -> SamplerProcess:
    """Return this process's child; after a fork a new one, since two must not share its pipes."""
    global _sampler
    if _sampler is None or _sampler[0] != os.getpid():
        _sampler = os.getpid(), SamplerProcess()
    return _sampler[1]


def _parse(line: bytes) -> dict[str, Any]:
    try:
        return dict(json.loads(line))
    except (ValueError, TypeError):
        return {}
