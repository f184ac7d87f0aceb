"""End a command on a signal, also on one that make holds back."""

import os
import signal
import threading
import time
from pathlib import Path
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal asked this process to end."""


def raise_on_signals() -> None:
    """Raise Interrupted in the main thread on a signal, and when make was interrupted."""

    def stop(number: int, frame: FrameType | None) -> None:
        ignore_signals()
        raise Interrupted

    for number in SIGNALS:
        signal.signal(number, stop)
    threading.Thread(target=_watch_make, daemon=True).start()


def _watch_make() -> None:
    """End this process when make is interrupted, which waits for its recipe to end first."""
    while not _make_was_interrupted():
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)


def _make_was_interrupted() -> bool:
    try:
        lines = Path(f"/proc/{os.getppid()}/status").read_text().splitlines()
    except OSError:
        return False
    parent = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    held_back = int(parent["SigBlk"], 16) >> (signal.SIGINT - 1) & 1
    return parent["Name"] == "make" and bool(held_back)


def ignore_signals() -> None:
    """Ignore further signals, since the end has begun."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
