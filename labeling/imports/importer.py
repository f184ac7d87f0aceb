"""Members → images, batch by batch and share by share, by as many workers as there are.

Whoever is killed leaves its shares to others, and an import that was stopped goes on where it was.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import chain

from django.conf import settings

from labeling import lease
from labeling.decoding.pool import DecodingPool
from labeling.imports import (
    read_ahead,
    shares,
)
from labeling.imports.batch_importer import BatchImporter
from labeling.imports.members import Member
from labeling.imports.options import Options
from labeling.imports.plans import Plan
from labeling.imports.read_ahead import Stretch
from labeling.imports.report import Report
from labeling.imports.shares import Held
from labeling.imports.source import Members
from labeling.imports.source_index import SourceIndex
from labeling.imports.text_sources import VENDORS_MAX
from labeling.models import (
    Import,
    ImportShare,
)

State = ImportShare.State


def run(
    *,
    record: Import,
    members: Members,
    index: SourceIndex,
    plan: Plan,
    renew: Callable[[int], None],
) -> bool:
    """Take in the shares of an import that are left; return whether all are done.

    Others may be at it, too. What the project has already is left as it is. renew: called with the
    number of pictures that were looked at, about once a second. Raises `PoolError`, LeaseLost, and
    what `renew` raises.
    """
    return _Importer(record, members, index, plan, renew).run()


def add_up(record: Import, index: SourceIndex, report: Report) -> None:
    """Add what became of all shares to a report, in the order of the source; check its counts."""
    report.add_texts(index)
    refused, vendors = report.refused, set(record.row_vendors)
    for outcome in shares.outcomes(record):
        report.add(outcome.report.part())
        if len(vendors) < VENDORS_MAX:
            vendors |= outcome.vendors
    record.row_vendors = sorted(vendors)
    report.check(read=shares.looked_at(record) + refused)


class _Importer:
    """Takes in shares of one import: at first all that can be stored, then all that is asked."""

    def __init__(
        self,
        record: Import,
        members: Members,
        index: SourceIndex,
        plan: Plan,
        renew: Callable[[int], None],
    ) -> None:
        self.record, self.index = record, index
        self._pictures = _Pictures(members, index.metadata_paths | index.masks)
        self._batches = BatchImporter(record, index, plan)
        self._renew = renew
        self._held: set[Held] = set()
        self._progress = lease.now_and_then(self._note, seconds=shares.RENEW_EVERY)

    def run(self) -> bool:
        """Take in what is left; return whether all shares are done."""
        try:
            with shares.kept(self._held):
                self._store_all()
                self._batches.begin_asking()
                self._ask_all()
        finally:
            for held in self._held:
                shares.give_back(held)
        return not shares.left(self.record, State.WAITING, State.STORED)

    def _store_all(self) -> None:
        """Store until nobody has anything left to be stored."""
        limits = {"bytes_max": settings.IMAGE_MAX_BYTES, "pixels_max": settings.IMAGE_MAX_PIXELS}
        bits = Options.of(self.record.options).bits
        with DecodingPool(**limits, bits=bits) as pool:
            since = time.monotonic()
            while shares.left(self.record, State.WAITING):
                if held := shares.acquire(self.record, State.WAITING):
                    self._store(chain([held], self._acquired(State.WAITING)), pool)
                    since = time.monotonic()
                else:  # others are at the rest
                    shares.wait(self.record, since)

    def _acquired(self, state: ImportShare.State) -> Iterator[Held]:
        while held := shares.acquire(self.record, state):
            yield held

    def _store(self, several: Iterable[Held], pool: DecodingPool) -> None:
        """Store shares, each when it is its turn."""
        ready = read_ahead.batches(
            stretches=map(self._stretch, several),
            size=shares.SIZE,
            project=self.record.project,
            pool=pool,
        )
        for held, batch, is_last in ready:
            written = batch.write()
            since = time.monotonic()
            while not shares.is_turn(self.record, held, State.WAITING):
                if lost := shares.take_over(self.record, held, State.WAITING):
                    self._store([lost], pool)
                else:
                    self._wait(held, since)
            self._batches.import_batch(held, written)
            if is_last:
                asked = State.STORED if held.outcome.is_to_be_asked else State.DONE
                self._end(held, asked)

    def _stretch(self, held: Held) -> Stretch[Held]:
        self._held.add(held)
        members = self._pictures.of(held.row.first)
        return Stretch(held, self._counted(held, members), self._refuser(held))

    def _counted(self, held: Held, members: Iterable[Member]) -> Iterator[Member]:
        for member in members:
            held.looked_at += 1
            self._progress(held)
            yield member

    def _refuser(self, held: Held) -> Callable[[str, str], None]:
        def refuse(path: str, reason: str) -> None:
            held.outcome.report.refuse(path, reason, self.index.metadata(path))

        return refuse

    def _ask_all(self) -> None:
        """Ask what the source says of the pictures that are stored, of all that nobody is at."""
        for held in self._acquired(State.STORED):
            self._ask(held)

    def _ask(self, held: Held) -> None:
        self._held.add(held)
        held.looked_at = held.row.looked_at
        since = time.monotonic()
        while held.outcome.has_gold and not shares.is_turn(self.record, held, State.STORED):
            if lost := shares.take_over(self.record, held, State.STORED):
                self._ask(lost)
            else:
                self._wait(held, since)
        self._batches.ask(held)
        self._end(held, State.DONE)

    def _end(self, held: Held, state: ImportShare.State) -> None:
        shares.end(held, state)
        self._held.discard(held)

    def _wait(self, held: Held, since: float) -> None:
        """Wait a moment for others. Raises LeaseLost where the import has ended meanwhile."""
        shares.wait(self.record, since)
        self._progress(held)

    def _note(self, held: Held) -> None:
        self._renew(shares.note_progress(self.record, held))


class _Pictures:
    """The pictures of a source by their places in it; going back begins from the start."""

    def __init__(self, members: Members, others: Collection[str]) -> None:
        self._members, self._others = members, others
        self._place = 0
        self._iterator = self._begin()

    def of(self, first: int) -> Iterator[Member]:
        """Yield the pictures from a place on. What was yielded before is to be read by then."""
        if first < self._place:
            self._place, self._iterator = 0, self._begin()
        for member in self._iterator:
            self._place += 1
            if self._place > first:
                yield member

    def _begin(self) -> Iterator[Member]:
        for member in self._members():
            if isinstance(member, Member) and member.path not in self._others:
                yield member
