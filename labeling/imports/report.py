"""What became of each file of an import: counts, and a table that is kept with it."""

import csv
import secrets
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from enum import StrEnum
from types import TracebackType
from typing import IO, Self

from django.core.files import File
from django.core.files.storage import default_storage

from labeling.imports.members import Rejection

COLUMNS = "path", "outcome", "near_duplicate", "reason"
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # with which a spreadsheet takes a text for a formula
FOLDER = "imports"


class Outcome(StrEnum):
    """What became of a file."""

    TAKEN = "taken"
    KNOWN = "known already"
    REFUSED = "refused"
    TEXT = "text"  # of captions, keywords or a licence


class CountsDiffer(RuntimeError):
    """Some files are in no outcome, or in several: a fault of the importer."""


class Report:
    """Counts what became of files, and writes each file once into a table.

    `rejected` holds, for each reason, the paths of files that were refused, and of pictures of
    which a text was. Use it in a `with`: it holds a temporary file.
    """

    def __init__(self) -> None:
        self.outcomes: Counter[Outcome] = Counter()
        self.near_duplicates = 0
        self.gold = 0  # texts of gold that are attached to a picture …
        self.gold_refused = 0  # … and those that are not
        self.remarks = 0  # texts of pictures that were left out
        self.rejected: dict[str, list[str]] = defaultdict(list)
        self.unnamed: Sequence[str] = ()  # folders with pictures that name no concept
        self._file: IO[str] = tempfile.TemporaryFile(  # noqa: SIM115  (closed by `__exit__`)
            "w+", encoding="utf-8-sig", errors="backslashreplace", newline=""
        )
        self._table = csv.writer(self._file)
        self._table.writerow(COLUMNS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    @property
    def taken(self) -> int:
        return self.outcomes[Outcome.TAKEN]

    @property
    def known(self) -> int:
        return self.outcomes[Outcome.KNOWN]

    @property
    def refused(self) -> int:
        return self.outcomes[Outcome.REFUSED]

    @property
    def read(self) -> int:
        """Pictures and refused files together."""
        return self.taken + self.known + self.refused

    @property
    def rejections(self) -> int:
        """Files that were refused, and texts of pictures that were not."""
        return sum(len(paths) for paths in self.rejected.values())

    def take(
        self, path: str, *, near_duplicate: bool = False, problems: Iterable[str] = ()
    ) -> None:
        """Note a picture that is new. problems: why texts of it were left out."""
        self.near_duplicates += near_duplicate
        self._add(path, Outcome.TAKEN, problems, near_duplicate=near_duplicate)

    def know(self, path: str, *, problems: Iterable[str] = ()) -> None:
        """Note a picture that the project had already."""
        self._add(path, Outcome.KNOWN, problems)

    def refuse(self, path: str, reason: str) -> None:
        """Note a file that was not imported, and why."""
        self._add(path, Outcome.REFUSED, [reason])

    def add_texts(self, rejections: Iterable[Rejection], texts: Iterable[str]) -> None:
        """Note what was refused before the first picture, and the texts that were read."""
        reasons: dict[str, list[str]] = defaultdict(list)
        for rejection in rejections:
            reasons[rejection.path].append(rejection.reason)
        for path, several in reasons.items():
            self._add(path, Outcome.REFUSED, several)
        for path in sorted(set(texts) - reasons.keys()):
            self._add(path, Outcome.TEXT, ())

    def check(self, *, read: int) -> None:
        """Check that each of so many pictures has its outcome. Raises CountsDiffer."""
        if read != self.read:
            raise CountsDiffer(f"{read:,} files were read, and {self.read:,} have an outcome.")

    def counts(self) -> dict[str, int]:
        """Return the counts; `read` is the sum of `taken`, `known` and `refused`."""
        return {
            "read": self.read,
            "taken": self.taken,
            "known": self.known,
            "refused": self.refused,
            "near_duplicates": self.near_duplicates,
            "remarks": self.remarks,
            "texts": self.outcomes[Outcome.TEXT],
            "gold_attached": self.gold,
            "gold_refused": self.gold_refused,
        }

    def save(self, name: str) -> str:
        """Store the table under a name that nobody guesses; return the name."""
        self._file.flush()
        raw = self._file.buffer  # type: ignore[attr-defined]
        raw.seek(0)
        return default_storage.save(f"{FOLDER}/{name}-{secrets.token_hex(8)}.csv", File(raw))

    def _add(
        self, path: str, outcome: Outcome, reasons: Iterable[str], *, near_duplicate: bool = False
    ) -> None:
        several = list(reasons)
        for reason in several:
            self.rejected[reason].append(path)
        self.outcomes[outcome] += 1
        self.remarks += len(several) if outcome is not Outcome.REFUSED else 0
        mark = "yes" if near_duplicate else ""
        self._table.writerow([_cell(path), str(outcome), mark, _cell("; ".join(several))])


def _cell(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text
