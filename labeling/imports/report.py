"""What became of each file and each text of an import: counts, and a table kept with it."""

import csv
import io
import secrets
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import IO, Any, Self

from django.core.files import File
from django.core.files.storage import default_storage

from labeling.imports import kinds
from labeling.imports.entries import Kind
from labeling.imports.ledger import CountsDiffer, Ledger
from labeling.imports.metadata import Metadata
from labeling.imports.source_index import SourceIndex
from labeling.spreadsheets import cell

COLUMNS = "path", "outcome", "near_duplicate", "reason", "where"
WITHOUT_PICTURE = "its picture was refused"
FOLDER = "imports"
NAMED = 20  # retracted texts that are kept to be named


def of_text(reason: str) -> str:
    """Return the reason for which a text was refused, among those of files."""
    return reason if reason.startswith("a text ") else f"a text: {reason}"


class Outcome(StrEnum):
    """What became of a file."""

    TAKEN = "taken"
    KNOWN = "known already"
    REFUSED = "refused"
    TEXT = "text"  # a file of captions, keywords or a licence
    TEXT_REFUSED = "text refused"  # one text, of a picture or of none
    RETRACTED = "retracted"  # a text of an earlier import, which this one puts right
    DECIDED = "decided"  # what texts are, and why
    FETCHED = "fetched"  # from a bucket that failed on the way …
    MISSING = "missing"  # … and what is still to come
    REMARK = "remark"  # what is to be said besides, as what of a file is not read


class Report:
    """Counts what became of files, and writes each file once into a table.

    `rejected` holds, for each reason, the paths of files that were refused, and of pictures of
    which a text was; `remarks`, the paths of pictures that were taken, by what is to be said of
    how they were read.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self.outcomes: Counter[Outcome] = Counter()
        self.near_duplicates = 0
        self.texts = Ledger()
        self.rejected: dict[str, list[str]] = defaultdict(list)
        self.remarks: dict[str, list[str]] = defaultdict(list)
        self.notes: dict[str, list[str]] = defaultdict(list)  # text → the files that it is said of
        self.clipped = 0  # boxes that reached beyond their pictures
        self.cut: list[str] = []  # archives of which nobody knows what else they held
        self.unnamed: Sequence[str] = ()  # folders with pictures that name no concept
        self.retracted: Counter[Kind] = Counter()  # texts of earlier imports that are put right
        self.named_retracted: list[str] = []  # the first of them, with their paths
        self._table = csv.writer(self._file)

    @classmethod
    @contextmanager
    def of_import(cls) -> Iterator[Self]:
        """Keep a report in a file that is gone at the end, unless `save` stores it."""
        with tempfile.TemporaryFile(
            "w+", encoding="utf-8-sig", errors="backslashreplace", newline=""
        ) as file:
            report = cls(file)
            report._table.writerow(COLUMNS)
            yield report

    @classmethod
    def of_part(cls) -> Self:
        """Return a report of some of an import's pictures, in memory; `part` says what it holds."""
        return cls(io.StringIO(newline=""))

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
    def is_whole(self) -> bool:
        """Whether all that the source holds was imported: no file and no text was refused."""
        return not self.rejected and not self.cut

    def take(
        self, path: str, metadata: Metadata, *, near_duplicate: bool = False, remark: str = ""
    ) -> None:
        """Note a picture that is new, with its texts, and a remark about how it was read."""
        self.near_duplicates += near_duplicate
        if remark:
            self.remarks[remark].append(path)
        self._add(path, Outcome.TAKEN, (), near_duplicate=near_duplicate, remark=remark)
        self._settle(path, metadata)

    def know(self, path: str, metadata: Metadata) -> None:
        """Note a picture that the project had already, with its texts."""
        self._add(path, Outcome.KNOWN, ())
        self._settle(path, metadata)

    def refuse(self, path: str, reason: str, metadata: Metadata) -> None:
        """Note a picture that was not imported, and why; so its texts were not, either."""
        self._add(path, Outcome.REFUSED, [reason], where=metadata.provenance.url)
        for kind in metadata.read:
            for _ in range(metadata.read[kind] - metadata.refused[kind]):
                metadata.refuse(kind, WITHOUT_PICTURE)
        self._settle(path, metadata)

    def add_texts(self, index: SourceIndex) -> None:
        """Note what was refused before the first picture, and the texts that were read."""
        self.texts.read.update(index.read)
        self.cut = [rejection.path for rejection in index.rejections if rejection.cut]
        reasons: dict[str, list[str]] = defaultdict(list)
        for rejection in index.rejections:
            reasons[rejection.path].append(rejection.reason)
        for path, several in reasons.items():
            self._add(path, Outcome.REFUSED, several)
        for path in sorted(index.metadata_paths - reasons.keys()):
            self._add(path, Outcome.TEXT, ())
        for remark in index.remarks:
            self.notes[remark.text].append(remark.where)
            cells = [remark.where, str(Outcome.REMARK), "", remark.text, ""]
            self._table.writerow(map(cell, cells))
        for decision in index.decisions:
            cells = ["", str(Outcome.DECIDED), "", kinds.in_words(decision.as_json()), ""]
            self._table.writerow(map(cell, cells))
        for where, kind, reason in index.refusals:
            self.texts.refused[kind] += 1
            self._add_text(where, reason)

    def retract(self, path: str, kind: Kind, text: str) -> None:
        """Note a text of an earlier import that nothing states of the path any more."""
        self.retracted[kind] += 1
        if len(self.named_retracted) < NAMED:
            self.named_retracted.append(f"{path}: {text}")
        self._table.writerow(map(cell, [path, str(Outcome.RETRACTED), "", text, str(kind)]))

    def note(self, path: str, outcome: Outcome, reason: str = "") -> None:
        """Note what has become of a file before any picture was looked at."""
        self._add(path, outcome, [reason] if reason else ())

    def check(self, *, read: int) -> None:
        """Check that each of so many pictures, and each text, has its outcome.

        Raises CountsDiffer.
        """
        if read != self.read:
            raise CountsDiffer(f"{read:,} files were read, and {self.read:,} have an outcome.")
        self.texts.check()

    def part(self) -> dict[str, Any]:
        """Return what a report of a part holds, as `add` takes it and JSON can keep it."""
        assert isinstance(self._file, io.StringIO)
        return {
            "rows": self._file.getvalue(),
            "outcomes": self.outcomes,
            "near_duplicates": self.near_duplicates,
            "attached": self.texts.attached,
            "refused": self.texts.refused,
            "rejected": self.rejected,
            "remarks": self.remarks,
            "clipped": self.clipped,
            "retracted": self.retracted,
            "named_retracted": self.named_retracted,
        }

    def add(self, part: Mapping[str, Any]) -> None:
        """Add what became of a part of an import."""
        self._file.write(part["rows"])
        self.outcomes.update({Outcome(name): n for name, n in part["outcomes"].items()})
        self.near_duplicates += part["near_duplicates"]
        self.texts.attached.update({Kind(kind): n for kind, n in part["attached"].items()})
        self.texts.refused.update({Kind(kind): n for kind, n in part["refused"].items()})
        for mine, others in ((self.rejected, part["rejected"]), (self.remarks, part["remarks"])):
            for reason, paths in others.items():
                mine[reason] += paths
        self.clipped += part["clipped"]
        self.retracted.update({Kind(kind): n for kind, n in part["retracted"].items()})
        self.named_retracted = [*self.named_retracted, *part["named_retracted"]][:NAMED]

    def counts(self) -> dict[str, Any]:
        """Return the counts; `read` is the sum of `taken`, `known` and `refused`.

        So it is for the `texts` of each kind: read = attached + refused.
        """
        counts: dict[str, Any] = {
            "read": self.read,
            "taken": self.taken,
            "known": self.known,
            "refused": self.refused,
            "near_duplicates": self.near_duplicates,
            "remarks": sum(map(len, self.remarks.values())),
            "cut": len(self.cut),
            "text_files": self.outcomes[Outcome.TEXT],
            "texts": self.texts.counts(),
            "retracted": {str(kind): n for kind, n in sorted(self.retracted.items()) if n},
        }
        return counts | ({"boxes_clipped": self.clipped} if self.clipped else {})

    def save(self, name: str) -> str:
        """Store the table under a name that nobody guesses; return the name."""
        self._file.flush()
        raw = self._file.buffer  # type: ignore[attr-defined]
        raw.seek(0)
        return default_storage.save(f"{FOLDER}/{name}-{secrets.token_hex(8)}.csv", File(raw))

    def _settle(self, path: str, metadata: Metadata) -> None:
        """Count the texts of a picture, and note which were refused."""
        self.texts.settle(metadata.read, metadata.refused)
        for where, reason in metadata.problems:
            self._add_text(path, reason, where)

    def _add_text(self, path: str, reason: str, where: str = "") -> None:
        """Note a text that was refused: of a picture, or of none."""
        self.rejected[reason].append(path)
        self.outcomes[Outcome.TEXT_REFUSED] += 1
        cells = [path, str(Outcome.TEXT_REFUSED), "", reason, where if where != path else ""]
        self._table.writerow(map(cell, cells))

    def _add(
        self,
        path: str,
        outcome: Outcome,
        reasons: Iterable[str],
        *,
        near_duplicate: bool = False,
        remark: str = "",
        where: str = "",
    ) -> None:
        several = list(reasons)
        for reason in several:
            self.rejected[reason].append(path)
        self.outcomes[outcome] += 1
        mark = "yes" if near_duplicate else ""
        reason = remark or "; ".join(several)
        self._table.writerow([cell(path), str(outcome), mark, cell(reason), cell(where)])
