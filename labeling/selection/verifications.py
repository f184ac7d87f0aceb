"""Single questions to verify: about a caption, a generated picture, or any picture."""

import random
from collections.abc import Iterator, Sequence

from labeling.selection import candidates, concepts, known
from labeling.selection.candidates import Candidate
from labeling.selection.known import CHECK_NO, CHECK_YES, NO, YES, Stock
from labeling.selection.picks import Kind, Reason, Selection, pick
from labeling.selection.reader import Reader, known_windows
from labeling.showings import ANYWHERE

VERIFY_MIX = {"caption": 0.5, "generated": 0.35, "concept": 0.15}  # of what is verified


def selections(reader: Reader) -> Iterator[Selection]:
    """Yield one question: about a caption, a generated picture, or any picture."""
    for subject in concepts.weighted_shuffle(VERIFY_MIX):
        role = Reason.WANTED if subject == "generated" else reader.open_role()
        if selection := _single(reader, _POOLS[subject](reader, role), role):
            yield selection


def _read_captions(reader: Reader, role: str) -> list[Candidate]:
    """Return gold captions and open ones by others; checks of a truth of which no gold is left."""
    project, author, by_priority = reader.project.pk, reader.annotator.pk, role == Reason.WANTED
    pool = reader.read(
        candidates.gold_captions(project, True, YES),
        candidates.gold_captions(project, False, NO),
        candidates.captions(project, author, role, by_priority=by_priority),
    )
    there = {c.role for c in pool}
    instead = [
        candidates.settled_captions(project, author, check, verdict=verdict)
        for gold, check, verdict in ((YES, CHECK_YES, True), (NO, CHECK_NO, False))
        if gold not in there
    ]
    return pool + reader.read(*instead) if instead else pool


def _read_generated(reader: Reader, role: str) -> list[Candidate]:
    """Return open questions about generated pictures, and checks of the first one's concept.

    Generated pictures are never gold, and annotators are told that they are generated, once the
    answer cannot be undone: so gold of other pictures would stand out here.
    """
    pool = reader.read(candidates.generated(reader.project.pk, role))
    concept = pool[0].concept if pool else None
    if concept is None:
        return pool
    return pool + reader.read(
        candidates.checks_of(concept, 1, True, CHECK_YES, generated=True),
        candidates.checks_of(concept, 1, False, CHECK_NO, generated=True),
    )


def _read_concept(reader: Reader, role: str) -> list[Candidate]:
    """Return the open questions of the first concept that has any, and its known ones."""
    for askable in concepts.by_priority(reader.project, 1):
        window = reader.open_window(askable.concept, askable.grid, role)
        known_ones = known_windows(askable.concept, reader.showings)
        pool = reader.read_enough(askable, askable.grid, 1, *known_ones, window)
        if any(candidate.role == role for candidate in pool):
            return pool
    return []


def _single(reader: Reader, pool: Sequence[Candidate], role: str) -> Selection | None:
    """Return a selection of one candidate, now and then a known one; None: none is open.

    A known one is true as surely as the open one that it stands for: what is verified is true more
    often than what is shown in grids, and by how much depends on what it is about.
    """
    ranked = reader.ranked([c for c in pool if c.role == role])
    if not ranked:
        return None
    first, *rest = ranked
    stock = _stock(reader, first)
    if random.random() < stock.share:
        for candidate in known.choose(pool, 1, at=ANYWHERE, true_share=first.probability, of=stock):
            picked = pick(candidate, known.REASONS[candidate.role])
            return Selection(Kind.VERIFY, candidate.concept, [picked])
    substitutes = [pick(c, role) for c in rest if c.concept == first.concept]
    return Selection(Kind.VERIFY, first.concept, [pick(first, role)], substitutes)


def _stock(reader: Reader, candidate: Candidate) -> Stock:
    """Return the stock of known questions of a candidate's concept, or of captions."""
    if candidate.concept is None:
        return known.CAPTIONS
    return known.stock(candidate.concept, reader.project, reader.showings)


_POOLS = {"caption": _read_captions, "generated": _read_generated, "concept": _read_concept}
