"""What became of each answer and each truth of a file: read = new + known + refused."""

import csv
import io
import secrets
from collections import Counter
from collections.abc import Mapping
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from labeling.imports.answers.checking import Checked
from labeling.imports.answers.entries import Kind, Refused
from labeling.imports.ledger import CountsDiffer
from labeling.imports.report import COLUMNS, FOLDER
from labeling.spreadsheets import cell

NAMES = {Kind.ANSWER: ("answer", "answers"), Kind.GOLD: ("truth", "truths")}


class AnswersReport:
    """Counts answers and truths by what became of them, and keeps why some were refused."""

    def __init__(self, checked: Checked) -> None:
        self.read = Counter(checked.read)
        self.new: Counter[Kind] = Counter()
        self.known: Counter[Kind] = Counter(checked.repeated)
        self.changed = 0  # truths that were known otherwise; they count as new
        self.workers, self.pictures = len(checked.votes), checked.pictures
        self.remarks = list(checked.remarks)
        self.refused = list(checked.refused)

    def refuse(self, where: str, column: str, reason: str, kind: Kind = Kind.ANSWER) -> None:
        """Note an answer or a truth that is not taken after all."""
        self.refused.append(Refused(where, column, reason, kind))

    def refused_of(self, kind: Kind) -> int:
        """Return how many of a kind were refused."""
        return sum(each.kind is kind for each in self.refused)

    def check(self) -> None:
        """Check that each has one outcome. Raises CountsDiffer."""
        for kind in Kind:
            settled = self.new[kind] + self.known[kind] + self.refused_of(kind)
            if settled != self.read[kind]:
                raise CountsDiffer(
                    f"{self.read[kind]:,} {NAMES[kind][1]} were read, and {settled:,} have an "
                    "outcome."
                )

    def counts(self) -> dict[str, Any]:
        """Return the counts by kind, as `Import.counts` holds them."""
        return {
            **{
                f"{NAMES[kind][1]}": {
                    "read": self.read[kind],
                    "new": self.new[kind],
                    "known": self.known[kind],
                    "refused": self.refused_of(kind),
                }
                for kind in Kind
                if self.read[kind]
            },
            "changed": self.changed,
            "workers": self.workers,
            "pictures": self.pictures,
            "remarks": self.remarks,
        }

    def save(self, name: str) -> str:
        """Store a table of what was refused, and the remarks; return its name."""
        file = io.StringIO(newline="")
        table = csv.writer(file)
        table.writerow(COLUMNS)
        table.writerows(["", "remark", "", cell(remark), ""] for remark in self.remarks)
        for where, column, reason, kind in self.refused:
            table.writerow([where, f"{NAMES[kind][0]} refused", "", cell(reason), cell(column)])
        content = ContentFile(file.getvalue().encode("utf-8-sig", "backslashreplace"))
        return default_storage.save(f"{FOLDER}/{name}-{secrets.token_hex(8)}.csv", content)


def in_words(counts: Mapping[str, Any]) -> str:
    """Return the counts of an import of answers or gold as a sentence without its end."""
    words = []
    for one, several in NAMES.values():
        if each := counts.get(several):
            name = one if each["read"] == 1 else several
            words.append(
                f"{each['read']:,} {name} read: {each['new']:,} new, {each['known']:,} known "
                f"already, {each['refused']:,} refused"
            )
    return "; ".join(words) or "nothing was read"
