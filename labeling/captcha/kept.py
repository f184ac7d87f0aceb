"""What a process has read and draws from for a while."""

import time
from collections.abc import Callable
from threading import Lock
from typing import Generic, Protocol, TypeVar


class Expiring(Protocol):
    """Something that is good until a moment by the monotonic clock."""

    until: float


T = TypeVar("T", bound=Expiring)


class Kept(Generic[T]):
    """Decks by the id of what they are about."""

    def __init__(self) -> None:
        self._decks: dict[int, T] = {}
        self._lock = Lock()

    def get(self, pk: int, read: Callable[[], T]) -> T:
        """Return the deck of an id; read it where it is missing or old.

        While one thread reads a deck again, others draw from the old one.
        """
        kept = self._decks.get(pk)
        if kept is not None and kept.until > time.monotonic():
            return kept
        if kept is not None and not self._lock.acquire(blocking=False):
            return kept
        if kept is None:
            self._lock.acquire()
        try:
            kept = self._decks.get(pk)
            if kept is None or kept.until <= time.monotonic():
                kept = self._decks[pk] = read()
            return kept
        finally:
            self._lock.release()

    def forget(self) -> None:
        """Forget all decks."""
        self._decks.clear()
