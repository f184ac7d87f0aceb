"""How far a long command is: a bar on a terminal, elsewhere a line now and then."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")

EVERY = 5.0  # seconds between lines where there is no terminal


def bar(things: Iterable[T], name: str, total: int) -> Iterator[T]:
    """Pass things on, showing how many of `total` have passed and how long the others take."""
    if sys.stderr.isatty():
        yield from tqdm(things, desc=name, total=total, unit="", smoothing=0.1)
        return
    began = reported = time.monotonic()
    for number, thing in enumerate(things, start=1):
        now = time.monotonic()
        if now - reported >= EVERY:
            reported = now
            left = about((now - began) / number * (total - number))
            print(f"{name}: {number:,} of {total:,}, {left} left", file=sys.stderr, flush=True)
        yield thing


@contextmanager
def meter(name: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield a function that shows how many of `total` are done, and how long the others take."""
    more = True
    shown = 0
    steps = bar(iter(lambda: more, False), name, total)

    def show(count: int) -> None:
        nonlocal shown
        for _ in range(count - shown):
            next(steps)
        shown = max(shown, count)

    yield show
    more = False
    next(steps, None)  # which ends the bar's line


def about(seconds: float) -> str:
    """Return a time as people say it: in whole seconds, from a minute on in minutes."""
    if seconds >= 60:
        return f"about {seconds / 60:.0f} minute{'s' if seconds >= 90 else ''}"
    whole = max(1, round(seconds))
    return f"about {whole} second{'s' if whole > 1 else ''}"
