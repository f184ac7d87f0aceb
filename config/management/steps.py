"""Say what a long command is doing, and how long that takes on this machine."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from labeling.management.progress import about


class Steps:
    """Announce steps with the time that each should take.

    What one machine does in a second takes another five, or the same one when others use it too.
    So the measure of all steps is how long this process took from its start until now, for Python
    to load Django and the applications.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._unit = _age()

    def begin(self, text: str, *, times: float | None = None) -> None:
        """Announce a step, and that it takes so many times as long as the start did."""
        self._write(f"{text}, {about(times * self._unit)}." if times else f"{text}.")


def _age() -> float:
    """Return how many seconds ago this process began."""
    after_name = Path("/proc/self/stat").read_text().rpartition(")")[2]
    began = int(after_name.split()[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - began
