"""Short windows of the indexes on questions: all that a choice ever reads.

Each begins at the top of an order or at a random point of it, passes over what this annotator
answered or has in hand and over what enough others have, and ends after so many questions found
or so many rows looked at. So no choice costs more because more is stored.
"""

import random
import zlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from labeling.models import Annotator, Project
from labeling.selection import reservations

FOUND = 24  # questions that a window gives, to draw a few from …
SOME = 12  # … where others stand beside it
FEW = 3  # with fewer than this, what lies on the other side of a random point is read too
LOOKED_AT = 600  # rows that it looks at for them
PASSED_SECONDS = 60  # for which it is remembered where the first question was that an annotator …
END = (-1.0, 0.0)  # … had not answered, in the order of priority: here, nowhere

_OPEN = "kind = 'concept' AND state = 'open' AND source <> 'model'"
_READ = "concept_id, probability, answers_count, answers_wanted, priority, random_key"


class Candidate(NamedTuple):
    """A question that may be asked, as a window found it."""

    role: str
    question: int
    tile: int
    image: int
    concept: int | None
    probability: float
    answers: int
    wanted: int
    priority: float
    random_key: float
    value: float  # of its concept; 1 where all of a window have one concept


@dataclass(frozen=True)
class Window:
    """Where an index is read: rows by a condition, from the top or from a random point on."""

    role: str
    condition: str
    top: bool
    whole: bool = False  # it is read on to its end sooner than that it gives nothing
    gold: bool = False
    mixed: bool = False  # holds several concepts


class _Start(NamedTuple):
    """Where a window begins, in which direction, and how many rows it looks at."""

    step: str  # SQL
    order: str
    most: int | None


def wanted(concept: int, grid: int, role: str) -> Window:
    """The open questions about a concept that are wanted most."""
    return Window(role, f"concept_id = {concept:d} AND grid = {grid:d} AND {_OPEN}", True, True)


def likely(concept: int, grid: int, role: str) -> Window:
    """Those of them that are more likely true than not."""
    about = f"concept_id = {concept:d} AND grid = {grid:d} AND {_OPEN} AND probability >= 0.5"
    return Window(role, about, True)


def anywhere(concept: int, grid: int, role: str, *, whole: bool = False) -> Window:
    """The open questions about a concept, drawn without regard to what is believed."""
    about = f"concept_id = {concept:d} AND grid = {grid:d} AND {_OPEN}"
    return Window(role, about, False, whole)


def gold(concept: int, grid: int, verdict: bool, role: str) -> Window:
    """Questions about a concept whose truth is known to be this."""
    about = f"concept_id = {concept:d} AND grid = {grid:d} AND verdict = {verdict}"
    known = "kind = 'concept' AND state = 'gold' AND source <> 'model'"
    return Window(role, f"{about} AND {known}", False, gold=True)


def captions(project: int, author: int, role: str, *, top: bool) -> Window:
    """The open captions by others: the most wanted, or drawn at random."""
    about = f"project_id = {project:d} AND kind = 'caption' AND state = 'open' AND grid = 1"
    return Window(role, f"{about} AND author_id IS DISTINCT FROM {author:d}", top, True)


def gold_captions(project: int, role: str) -> Window:
    """Captions whose truth is known."""
    about = f"project_id = {project:d} AND kind = 'caption' AND state = 'gold' AND grid = 1"
    return Window(role, about, False, gold=True)


def generated(project: int, role: str) -> Window:
    """The open questions about pictures that a model drew, the most wanted."""
    active = f"SELECT id FROM labeling_concept WHERE project_id = {project:d} AND active"
    drawn = "kind = 'concept' AND source = 'model' AND state = 'open' AND grid = 1"
    about = f"project_id = {project:d} AND {drawn} AND concept_id = ANY(ARRAY({active}))"
    return Window(role, about, True, True, mixed=True)


def read(
    *windows: Window, annotator: Annotator, project: Project, taken: Collection[int]
) -> list[Candidate]:
    """What the windows hold for this annotator, each in its order: as a rule in one query.

    To read a window on to its end costs as much as the annotator has answered of what is open: so
    it is remembered how far they have come.
    """
    values = reservations.terms(project, now=timezone.now())
    values |= {"annotator": annotator.pk, "taken": list(taken)}
    begun = {w: _from_top(w, annotator) if w.top else _from_somewhere() for w in windows}
    found = _read({w: start[0] for w, start in begun.items()}, values)
    given = Counter(candidate.role for candidate in found)
    behind = {w: start[1] for w, start in begun.items() if len(start) > 1 and given[w.role] < FEW}
    found += _read(behind, values)
    there = {candidate.role for candidate in found}
    for window in windows:
        if window.whole and window.role not in there:
            order = "priority DESC, random_key" if window.top else "random_key"
            further = _read({window: [_Start("true", order, None)]}, values)
            _remember(window, annotator, further)
            found += further
    return found


def _from_somewhere() -> list[list[_Start]]:
    """From a random point towards where more lies; and what lies on its other side."""
    point = random.random()
    ahead = [_Start(f"random_key >= {point!r}", "random_key", LOOKED_AT)]
    behind = [_Start(f"random_key < {point!r}", "random_key DESC", LOOKED_AT)]
    return [ahead, behind] if point < 0.5 else [behind, ahead]


def _from_top(window: Window, annotator: Annotator) -> list[list[_Start]]:
    """From the top; for those who answered much, from where they had to begin before."""
    order = "priority DESC, random_key"
    place = cache.get(_key(window, annotator)) if annotator.answers_count >= LOOKED_AT else None
    if place is None:
        return [[_Start("true", order, LOOKED_AT)]]
    priority, key = place
    level = _Start(f"priority = {priority!r} AND random_key >= {key!r}", order, LOOKED_AT)
    return [[level, _Start(f"priority < {priority!r}", order, LOOKED_AT)]]


def _remember(window: Window, annotator: Annotator, found: Sequence[Candidate]) -> None:
    if window.top and annotator.answers_count >= LOOKED_AT:
        place = (found[0].priority, found[0].random_key) if found else END
        cache.set(_key(window, annotator), place, PASSED_SECONDS)


def _key(window: Window, annotator: Annotator) -> str:
    return f"passed:{annotator.pk}:{zlib.crc32(window.condition.encode())}"


def _read(starts: Mapping[Window, Sequence[_Start]], values: dict[str, Any]) -> list[Candidate]:
    if not starts:
        return []
    roles = {f"role{number}": window.role for number, window in enumerate(starts)}
    parts = (f"({_part(w, steps, n)})" for n, (w, steps) in enumerate(starts.items()))
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), values | roles)
        return [Candidate(*row) for row in cursor.fetchall()]


def _part(window: Window, starts: Sequence[_Start], number: int) -> str:
    """A window as SQL. What is looked up a row is written as a subquery, never as a join.

    So the plan can only be what is meant here: walk the index, look up, stop.
    """
    value = "(SELECT value FROM labeling_concept WHERE id = w.concept_id)" if window.mixed else "1"
    hers = "SELECT 1 FROM labeling_answer WHERE question_id = w.id AND annotator_id = %(annotator)s"
    read = f"id, tile_id, reservations, prior_shift, {_READ}"
    rows = f"SELECT {read} FROM labeling_question WHERE {window.condition}"
    steps = (
        f"({rows} AND {step} ORDER BY {order} LIMIT {'ALL' if most is None else most})"
        for step, order, most in starts
    )
    return f"""
        SELECT %(role{number})s, id, tile_id,
            (SELECT image_id FROM labeling_tile WHERE id = w.tile_id), {_READ}, {value}
        FROM ({" UNION ALL ".join(steps)}) AS w
        WHERE w.id <> ALL(%(taken)s) {"" if window.gold else f"AND {reservations.free('w')}"}
            AND ({hers}) IS NULL
        LIMIT {FOUND if window.whole else SOME}
    """
