"""Repeat what a child process prints in this process's log, for whoever collects only that."""

import logging
from pathlib import Path

BYTES = 64 * 1024  # at a look; the rest stays in the child's own log alone
LEFT_OUT = "… and more, which its own log has"

logger = logging.getLogger(__name__)


class Output:
    """The output of a child process, from the end that its log has now."""

    def __init__(self, log: Path, *, of: str) -> None:
        self._log, self._of = log, of
        self._place = log.stat().st_size if log.exists() else 0

    def repeat(self, *, ended: bool = False) -> None:
        """Log the whole lines that have come; with the last one, whole or not, once it ended."""
        try:
            with self._log.open("rb") as file:
                file.seek(self._place)
                data = file.read(BYTES)
                if len(data) == BYTES:
                    file.seek(0, 2)
                    data = data.rpartition(b"\n")[0] + f"\n{LEFT_OUT}\n".encode()
                    self._place = file.tell() - len(data)
        except OSError:
            return
        if not ended:
            data = data[: data.rfind(b"\n") + 1]
        self._place += len(data)
        for line in data.decode("utf-8", "replace").splitlines():
            if text := line.rstrip():
                logger.info("%s: %s", self._of, text)
