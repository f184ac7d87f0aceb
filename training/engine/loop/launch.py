"""Start several processes of this machine on one run, and end as the one does that fails first."""

import json
import logging
import os
import signal
import sys
import tempfile
import uuid
from collections.abc import Iterable
from pathlib import Path

import torch
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from labeling.processes import bound
from training.engine.loop import loopback
from training.engine.loop.stop import PEER_FAILED, STOPPED

REFUSED = 1  # exit status of a process that says why it cannot go on
LOOPBACK = {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}  # they are on one machine


def launch(run: Path, processes: int) -> int:
    """Fit a run by several processes, and return the exit status.

    There are no more of them than GPUs, where there are any. Where one cannot go on, what it says
    is the last line that is printed; where a signal ended one, it ends this process, too. Whoever
    started it decides whether to start it again.
    """
    gpus = torch.cuda.device_count()
    if 0 < gpus < processes:
        print(f"note: there are {gpus} GPUs here, so {gpus} processes are started.", flush=True)
        processes = gpus
    logging.disable(logging.CRITICAL)  # of torch's own words about what is said below
    threads = max(1, len(os.sched_getaffinity(0)) // processes)
    for name, value in ({"OMP_NUM_THREADS": str(threads)} | LOOPBACK).items():
        os.environ.setdefault(name, value)
    loopback.register()
    with tempfile.TemporaryDirectory() as words:
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=processes,
            run_id=uuid.uuid4().hex,
            rdzv_backend=loopback.BACKEND,
            max_restarts=0,
            logs_specs=DefaultLogsSpecs(log_dir=words),
        )
        try:
            command, *arguments = bound([sys.executable, "-m", "training", "fit", str(run)])
            elastic_launch(config, command)(*arguments)
        except SignalException:
            return STOPPED
        except ChildFailedError as error:
            return _status(error.failures.values(), Path(words))
    return 0


def _status(failures: Iterable[ProcessFailure], words: Path) -> int:
    """Say why processes failed, and return the exit status that says the same."""
    codes = [failure.exitcode for failure in sorted(failures, key=lambda f: f.timestamp)]
    own = [code for code in codes if code > 0 and code not in (PEER_FAILED, STOPPED)]
    said = sorted(map(_said, words.rglob("error.json")))
    if said:
        print(f"error: {said[0][1]}", file=sys.stderr)
        return own[0] if own else REFUSED
    for code in codes:
        if code < 0 and -code != signal.SIGTERM:
            _end_by(-code)
    return own[0] if own else PEER_FAILED


def _end_by(number: int) -> None:
    """End this process by a signal."""
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _said(path: Path) -> tuple[int, str]:
    """Return when a process said why it fails, and what."""
    message = json.loads(path.read_text())["message"]
    return int(message["extraInfo"]["timestamp"]), str(message["message"])
