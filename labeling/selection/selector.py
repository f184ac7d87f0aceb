"""Choose what to ask an annotator next: the one selector behind all challenges.

A choice reads short windows of the indexes (`candidates`, by way of a `Reader`) and ranks what they
hold by the information that an answer by this annotator is expected to bring, times the value of
the concept. Each kind of challenge has a module: `grids`, `splits`, `verifications`, `descriptions`
and `texts`. Nothing is reserved here: a selection names substitutes for what somebody else reserves
first. Nothing is filled either: a selector notes the pools that hold too little (`low`, `short`).
"""

from collections.abc import Iterator

from labeling.selection import descriptions, grids, splits, texts, verifications
from labeling.selection.picks import Kind, Selection
from labeling.selection.reader import Reader

_SELECTIONS = {
    Kind.GRID: grids.selections,
    Kind.SPLIT: splits.selections,
    Kind.VERIFY: verifications.selections,
    Kind.WRITE: descriptions.selections,
    Kind.TEXT: texts.selections,
}


class Selector(Reader):
    """Selections for one annotator who asks for one challenge of a project."""

    lost = 0  # selections that others reserved first

    def choose(self, kind: str) -> Selection | None:
        """Return a selection of that kind; None where nothing is left to ask this annotator."""
        return next(self.selections(kind), None)

    def selections(self, kind: str) -> Iterator[Selection]:
        """Yield selections of that kind, of concepts of high priority sooner."""
        return _SELECTIONS[Kind(kind)](self)
