"""How far a long command is: a bar on a terminal, elsewhere a line now and then."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")

EVERY = 10.0  # seconds between lines where there is no terminal


def bar(things: Iterable[T], name: str, total: int) -> Iterator[T]:
    """Pass things on, showing how many of `total` have passed."""
    if sys.stderr.isatty():
        yield from tqdm(things, desc=name, total=total, unit="", smoothing=0.1)
        return
    reported = time.monotonic()
    for number, thing in enumerate(things, start=1):
        if time.monotonic() - reported >= EVERY:
            reported = time.monotonic()
            print(f"{name}: {number:,} of {total:,}", file=sys.stderr, flush=True)
        yield thing
