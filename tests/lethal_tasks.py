"""Tasks for a worker of the tests, over which its processes die."""

import os
import signal
from pathlib import Path

from config.celery import app


@app.task(name="tests.lethal")
def lethal(path: str) -> None:
    """Leave a mark and die as by the kernel's hand."""
    mark(path)
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="tests.too_large")
def too_large(path: str) -> None:
    """Leave a mark and ask for more memory than there is."""
    mark(path)
    raise MemoryError


@app.task(name="tests.harmless")
def mark(path: str) -> None:
    """Leave a mark."""
    with Path(path).open("a") as file:
        file.write("x")
