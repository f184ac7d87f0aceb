"""Mail errors to those whom `ADMINS` names: a few an hour, for the log has them all.

A message has what the log has: no cookies, bodies or query strings.
"""

import hashlib
import logging
import os
import socket
import threading
import time
import traceback
from collections.abc import Iterable

from django.core.cache import cache
from django.core.mail import mail_admins

from config.logs import LineFormatter

AGAIN = 3_600.0  # seconds until the same error is mailed once more …
AT_ONCE = 5  # … and messages of a process in that time, and of all processes, …
OF_ALL = 20  # … while the cache, in which they count, is there
SUBJECT_LENGTH = 120
ASKED_BY_ANYBODY = "django.security"  # what whoever sends a wrong header makes the log say

logger = logging.getLogger(__name__)


class AdminMailHandler(logging.Handler):
    """Sends errors from threads: nobody waits for the mail server."""

    def __init__(self, level: int | str = logging.ERROR) -> None:
        super().__init__(level)
        self.setFormatter(LineFormatter("{asctime} {levelname} {name}: {message}", style="{"))
        self._sent: dict[str, float] = {}  # by error, on the monotonic clock
        self._held_back = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Mail a record, unless there were enough."""
        if record.name.startswith((ASKED_BY_ANYBODY, __name__)):
            return
        error, now = _error(record), time.monotonic()
        self._sent = {name: at for name, at in self._sent.items() if at > now - AGAIN}
        if error in self._sent or len(self._sent) >= AT_ONCE:
            self._held_back += 1
            return
        self._sent[error] = now
        first, *rest = self.format(record).split("\n")
        subject = first.partition(" ")[2].partition(" ")[2][:SUBJECT_LENGTH]
        body = [first, *rest, "", *self._circumstances()]
        self._held_back = 0
        threading.Thread(target=send, args=(error, subject, "\n".join(body))).start()

    def _circumstances(self) -> Iterable[str]:
        yield f"By process {os.getpid()} of {socket.gethostname()}; its log says more."
        if self._held_back:
            yield f"Since its last message, {self._held_back:,} errors were not mailed."


def send(error: str, subject: str, body: str) -> None:
    """Send a message, unless other processes have sent enough. One that fails is only logged."""
    try:
        hour = int(time.time() // AGAIN)
        cache.add(f"error-mails:{hour}", 0, 2 * int(AGAIN))
        is_known = cache.get(f"error-mail:{error}") is not None
        cache.set(f"error-mail:{error}", 1, int(AGAIN))
        if is_known or _count(f"error-mails:{hour}") > OF_ALL:
            return
        mail_admins(subject, body)
    except Exception as problem:  # whatever a mail server answers
        logger.warning("An error could not be mailed: %s", type(problem).__name__)


def _count(key: str) -> int:
    """Count one more; return how many there are, 0 while the cache is away."""
    try:
        return int(cache.incr(key) or 0)
    except ValueError:
        return 0


def _error(record: logging.LogRecord) -> str:
    """Return by what an error is known again: where it was raised, or where it was logged."""
    place = [record.name, record.pathname, str(record.lineno)]
    if record.exc_info and record.exc_info[2]:
        frame = traceback.extract_tb(record.exc_info[2])[-1]
        place = [record.exc_info[0].__name__ if record.exc_info[0] else "", frame.filename]
        place.append(str(frame.lineno))
    return hashlib.sha256("\0".join(place).encode()).hexdigest()[:16]
