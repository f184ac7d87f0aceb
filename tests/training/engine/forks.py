"""Processes that need not import torch: forked from one that has."""

import multiprocessing
import os
import sys
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.training.engine.imported"])


def fork(function: Callable[..., object], *arguments: Any) -> ForkServerProcess:
    """Start a function of a module in a process of its own."""
    process = _context.Process(target=function, args=arguments)
    process.start()
    return process


def wait(process: ForkServerProcess, *, limit: float = 100) -> int | None:
    """Return the status of a process that ends, or is killed after so many seconds."""
    process.join(limit)
    process.kill()
    process.join()
    return process.exitcode


def run_command(arguments: list[str], environment: dict[str, str], errors: Path) -> None:
    """Be ``python -m training``, with more variables, and errors written to a file."""
    from training.__main__ import main

    os.environ.update(environment)
    with errors.open("w") as file:
        os.dup2(file.fileno(), 2)
    sys.stderr = os.fdopen(2, "w", buffering=1)
    sys.exit(main(arguments))
