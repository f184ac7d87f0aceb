"""A few threads that transfer files: they live on, and so do their connections to the storage."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from labeling.batches import batched

AT_ONCE = 16  # files that a process transfers at a time
SOME = 256  # files that are handed to the threads at a time
T = TypeVar("T")
_pools: list[ThreadPoolExecutor] = []  # one, once it was needed
os.register_at_fork(after_in_child=_pools.clear)  # threads do not live on in a child


def all_at_once(work: Callable[[T], object], items: Iterable[T]) -> None:
    """Do the work for each item. Raises an error of one of them, once none is under way."""
    if not _pools:
        _pools.append(ThreadPoolExecutor(AT_ONCE, thread_name_prefix="stored-folders"))
    for some in batched(items, SOME):
        futures = [_pools[0].submit(work, item) for item in some]
        try:
            for future in futures:
                future.result()
        finally:
            for future in futures:
                future.cancel()
            wait(futures)
