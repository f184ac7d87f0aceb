"""Talks to `python -m training serve`: one such process for each that draws, kept warm."""

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
from typing import Any

from training import processes

LOOK = 0.25  # seconds between two looks at whether anybody still waits
GRACE = 1.5  # seconds to stop a drawing before its process is killed
ENDING = 2.0  # seconds to end by itself
LINE_BYTES = 4 * 2**20  # of a reply, at most

Tell = Callable[[float], bool]  # hears the share that is drawn; whether it is still wanted


class CancelledError(Exception):
    """Nobody wants the pictures any more."""


class Server:
    """A child process that draws. It is started when it is needed, and again when it has died."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = Path()
        self._unread = b""
        self._count = 0

    def draw(self, wish: dict[str, Any], *, tell: Tell, seconds: float) -> list[dict[str, Any]]:
        """What has been drawn. Raises ChildError with a sentence, or CancelledError.

        A refusal and a cancel leave the process as it is; after anything else it is ended.
        """
        self._count += 1
        name = str(self._count)
        try:
            self._start()
            self._write({"id": name, **wish})
            reply = self._follow(name, tell, time.monotonic() + seconds)
        except BaseException:
            self.close()
            raise
        if "error" in reply:
            raise processes.ChildError(str(reply["error"]))
        if "cancelled" in reply:
            raise CancelledError
        return list(reply["pictures"])

    def close(self) -> None:
        """End it, whatever it does."""
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

    def _start(self) -> None:
        if self._process and self._process.poll() is None:
            return
        self.close()
        self._folder = Path(tempfile.mkdtemp(prefix="tessera-serve-"))
        self._process = processes.start(["serve"], log=self._folder / "log.txt", talks=True, nice=0)

    def _follow(self, name: str, tell: Tell, deadline: float) -> dict[str, Any]:
        """Read replies until the one that ends the wish, and return it."""
        share, kill_at = 0.0, None
        for reply in self._replies():
            if reply.get("id") == name:
                if reply.keys() & {"error", "pictures", "cancelled"}:
                    return reply
                share = float(reply.get("share", share))
            now = time.monotonic()
            if now > deadline:
                raise processes.ChildError("It took too long and was stopped: ask for less.")
            if kill_at is not None:
                if now > kill_at:
                    raise CancelledError
            elif not tell(share):
                self._write({"cancel": name})
                kill_at = now + GRACE
        raise processes.ChildError(self._last_words())

    def _replies(self) -> Iterator[dict[str, Any]]:
        """Each line that comes, and an empty reply where none came for a moment."""
        assert self._process and self._process.stdout
        pipe = self._process.stdout.fileno()
        while True:
            line, found, rest = self._unread.partition(b"\n")
            if found:
                self._unread = rest
                yield _read(line)
            elif not select.select([pipe], [], [], LOOK)[0]:
                yield {}
            elif not (came := os.read(pipe, 2**16)) or len(self._unread) > LINE_BYTES:
                return
            else:
                self._unread += came

    def _write(self, message: dict[str, Any]) -> None:
        assert self._process and self._process.stdin
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise processes.ChildError(self._last_words()) from None

    def _last_words(self) -> str:
        """Why it has ended."""
        assert self._process
        try:
            status = self._process.wait(ENDING)
        except subprocess.TimeoutExpired:
            return "Its process closed its output: draw it again."
        words = processes.last_words(self._folder / "log.txt", status)
        return words if status else "Its process has ended: draw it again."


_mine: tuple[int, Server] | None = None
_one_at_a_time = threading.Lock()


def draw(wish: dict[str, Any], *, tell: Tell, seconds: float) -> list[dict[str, Any]]:
    """Have it drawn by this process's own server. Raises ChildError, CancelledError."""
    with _one_at_a_time:
        return _server().draw(wish, tell=tell, seconds=seconds)


def close() -> None:
    """End this process's server, if it has one."""
    global _mine
    with _one_at_a_time:
        if _mine and _mine[0] == os.getpid():
            _mine[1].close()
        _mine = None


atexit.register(close)


def _server() -> Server:
    """After a fork, a server of one's own: two must not share its pipes."""
    global _mine
    if _mine is None or _mine[0] != os.getpid():
        _mine = os.getpid(), Server()
    return _mine[1]


def _read(line: bytes) -> dict[str, Any]:
    try:
        return dict(json.loads(line))
    except (ValueError, TypeError):
        return {}
