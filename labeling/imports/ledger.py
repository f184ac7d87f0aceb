"""The law of imports: each text that is read is attached to a picture, or refused with a reason."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from labeling.imports.entries import Kind


class CountsDiffer(RuntimeError):
    """Something has no outcome, or several: a fault of the importer."""


@dataclass
class Ledger:
    """Counts of texts by their kind."""

    read: Counter[Kind] = field(default_factory=Counter)
    attached: Counter[Kind] = field(default_factory=Counter)
    refused: Counter[Kind] = field(default_factory=Counter)

    def settle(self, read: Mapping[Kind, int], refused: Mapping[Kind, int]) -> None:
        """Count the texts of a picture: what was not refused is attached."""
        self.refused.update(refused)
        self.attached.update({kind: read[kind] - refused.get(kind, 0) for kind in read})

    def check(self) -> None:
        """Check that read = attached + refused, for each kind. Raises CountsDiffer."""
        for kind in {*self.read, *self.attached, *self.refused}:
            settled = self.attached[kind] + self.refused[kind]
            if self.read[kind] != settled or min(self.attached[kind], self.refused[kind]) < 0:
                raise CountsDiffer(
                    f"{self.read[kind]:,} texts of kind {kind} were read, "
                    f"and {settled:,} have an outcome."
                )

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the counts by kind, as `Import.counts` holds them."""
        return {
            str(kind): {
                "read": self.read[kind],
                "attached": self.attached[kind],
                "refused": self.refused[kind],
            }
            for kind in sorted({*self.read, *self.attached, *self.refused})
        }


def in_words(counts: Mapping[str, Mapping[str, int]]) -> str:
    """Say what became of the texts of each kind; empty where there are none.

    counts: as `Ledger.counts` returns them.
    """
    return "; ".join(
        f"{each['read']:,} {NAMES[Kind(kind)][each['read'] != 1]}: {each['attached']:,} attached, "
        f"{each['refused']:,} refused"
        for kind, each in counts.items()
    )


def retracted_in_words(counts: Mapping[str, int]) -> str:
    """Say how many texts of earlier imports were put right; empty where none was."""
    numbers = [f"{n:,} {NAMES[Kind(kind)][n != 1]}" for kind, n in counts.items()]
    return f"{' and '.join(numbers)} of earlier imports retracted" if numbers else ""


NAMES = {
    Kind.CAPTION: ("caption", "captions"),
    Kind.KEYWORD: ("keyword", "keywords"),
    Kind.GOLD: ("text of gold", "texts of gold"),
    Kind.LICENSE: ("license", "licenses"),
    Kind.PAIR: ("mark of a pair", "marks of pairs"),
    Kind.BOX: ("box", "boxes"),
    Kind.TEXT: ("other text", "other texts"),
}
