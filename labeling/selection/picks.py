"""The tiles that a challenge shows, and the questions that it asks about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from labeling.models import Answer, Challenge
from labeling.selection.candidates import Candidate

GRID_TILES = 9

Kind = Challenge.Kind
Reason = Answer.Reason


class Pick(NamedTuple):
    """A tile, the question about it, and why it is asked."""

    question: int | None  # None where the annotator is to write one
    tile: int
    reason: str  # of `Answer.Reason`, or `Challenge.SHOWN`

    @property
    def needs_reservation(self) -> bool:
        """Whether it asks an open question: no gold, no tile that only completes its picture."""
        return self.question is not None and self.reason in Challenge.RESERVED


@dataclass(frozen=True)
class Selection:
    """The picks of a challenge in the order of the screen, and substitutes for open questions."""

    kind: str
    concept: int | None
    picks: list[Pick]
    substitutes: list[Pick] = field(default_factory=list)
    sentences: Sequence[int] = ()  # of a text challenge: see `Challenge.sentences`


class Grid:
    """Picks that are put together one by one, from as many images as possible.

    An image and its near-duplicates count as one.
    """

    def __init__(self) -> None:
        self.picks: dict[int, Pick] = {}  # by question id
        self.families: set[int] = set()

    @property
    def left(self) -> int:
        return GRID_TILES - len(self.picks)

    def add(
        self, candidates: Sequence[Candidate], reason: str | Mapping[str, str], limit: int
    ) -> int:
        """Add at most so many of the candidates, in their order; return how many.

        reason: why they are asked, for all or by role.
        """
        before, repeated = len(self.picks), []
        for candidate in candidates:
            if candidate.family in self.families:
                repeated.append(candidate)
            elif len(self.picks) < before + limit:
                self._add(candidate, reason)
        for candidate in repeated:
            if len(self.picks) < before + limit:
                self._add(candidate, reason)
        return len(self.picks) - before

    def _add(self, candidate: Candidate, reason: str | Mapping[str, str]) -> None:
        if candidate.question not in self.picks:
            why = reason if isinstance(reason, str) else reason[candidate.role]
            self.picks[candidate.question] = pick(candidate, why)
            self.families.add(candidate.family)


def pick(candidate: Candidate, reason: str) -> Pick:
    """Return the pick of a candidate."""
    return Pick(candidate.question, candidate.tile, reason)
