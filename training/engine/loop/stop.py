"""Ending a process: on SIGTERM, or where it may go well later."""

import signal
from types import FrameType

STOPPED = 143  # exit status after SIGTERM
TEMPORARY = 75  # … where the disk is full, or somebody else is at it: it may go well later
PEER_FAILED = 76  # exit status of one of several processes that another one has failed


class StopSignal:
    """Handle SIGTERM: exit at once, or in training after the current step and its checkpoint."""

    def __init__(self) -> None:
        self.training = False
        self.received = False
        signal.signal(signal.SIGTERM, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.received = True
        if not self.training:
            raise SystemExit(STOPPED)
