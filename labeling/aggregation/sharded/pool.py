"""Processes that work on shards; what a killed one had begun is done again by another.

They end with the process that started them, however that ends: each waits for the end of a pipe
that nothing is ever sent through.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import pyarrow as pa

from labeling.aggregation.tables import TableError

ATTEMPTS = 3  # of a pass in which processes were killed without anything being finished


class Pool:
    """Processes, started when they are first needed; where one is enough, it is this one."""

    def __init__(self, processes: int) -> None:
        self.processes = processes
        self._executor: ProcessPoolExecutor | None = None
        self._ours, self._theirs = multiprocessing.Pipe()

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:  # do not wait for what is being done
            self._ours.close()
        self._stop()
        self._ours.close()
        self._theirs.close()

    def map(self, work: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Return what work returns for each of the arguments. Raises whatever it raises.

        Raises TableError where processes are killed again and again.
        """
        if self.processes == 1:
            return [work(*each) for each in arguments]
        results: dict[int, Any] = {}
        failures = 0
        while len(results) < len(arguments):
            before = len(results)
            try:
                self._work(work, arguments, results)
            except BrokenProcessPool:
                self._stop()
                failures = failures + 1 if len(results) == before else 0
                if failures == ATTEMPTS:
                    raise TableError(
                        f"A process that works on the answers was killed {ATTEMPTS} times: is "
                        "there enough memory? Fewer --processes need less."
                    ) from None
        return [results[place] for place in range(len(arguments))]

    def _work(
        self,
        work: Callable[..., Any],
        arguments: Sequence[tuple[Any, ...]],
        results: dict[int, Any],
    ) -> None:
        executor = self._executor or ProcessPoolExecutor(
            self.processes, multiprocessing.get_context("spawn"), _begin, (self._theirs,)
        )
        self._executor = executor
        todo = [place for place in range(len(arguments)) if place not in results]
        futures = {place: executor.submit(work, *arguments[place]) for place in todo}
        try:
            for place, future in futures.items():
                results[place] = future.result()
        finally:
            for future in futures.values():
                future.cancel()
            results |= {
                place: future.result()
                for place, future in futures.items()
                if future.done() and not future.cancelled() and future.exception() is None
            }

    def _stop(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
            self._executor = None


def _begin(pipe: Connection) -> None:
    pa.set_cpu_count(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # which a terminal sends to all; the first ends us
    threading.Thread(target=_end_with, args=(pipe,), daemon=True).start()


def _end_with(pipe: Connection) -> None:
    with suppress(EOFError, OSError):
        pipe.recv()
    os._exit(1)
