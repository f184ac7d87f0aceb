"""Short windows of the indexes on questions: all that a choice ever reads.

Each begins at the top of an order or at a random point of it, passes over what this annotator
answered or has in hand and over what enough others have, and ends after so many questions found
or so many rows looked at. So no choice costs more because more is stored.
"""

import random
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from labeling import holds
from labeling.models import Annotator, Project

FOUND = 24  # questions that a window gives, to draw a few from …
SOME = 12  # … where others stand beside it
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
    start: tuple[float, float] | None = None  # priority and random key, where not from the top


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
    """What the windows hold for this annotator, in one query, each in its order.

    To read a window on to its end costs as much as the annotator has answered of what is open: so
    the place is remembered where something was found.
    """
    long = annotator.answers_count >= LOOKED_AT
    keys = {w: f"passed:{annotator.pk}:{zlib.crc32(w.condition.encode())}" for w in windows}
    if long:
        windows = tuple(
            replace(w, start=cache.get(key) if w.top else None) for w, key in keys.items()
        )
    found = _read(windows, annotator, project, taken, LOOKED_AT)
    there = {candidate.role for candidate in found}
    for window in windows:
        if window.whole and window.role not in there:
            further = _read([window], annotator, project, taken, None)
            if long and window.top:
                place = (further[0].priority, further[0].random_key) if further else END
                cache.set(keys[replace(window, start=None)], place, PASSED_SECONDS)
            found += further
    return found


def _read(
    windows: Sequence[Window],
    annotator: Annotator,
    project: Project,
    taken: Collection[int],
    most: int | None,
) -> list[Candidate]:
    values: dict[str, Any] = holds.terms(project, now=timezone.now()) | {
        "annotator": annotator.pk,
        "taken": list(taken),
        "most": most,
        "start": random.random(),
    }
    for number, window in enumerate(windows):
        priority, random_key = window.start or END
        values[f"role{number}"] = window.role
        values |= {f"priority{number}": priority, f"key{number}": random_key}
    parts = (f"({_part(window, number)})" for number, window in enumerate(windows))
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), values)
        return [Candidate(*row) for row in cursor.fetchall()]


def _part(window: Window, number: int) -> str:
    """A window as SQL. What is looked up a row is written as a subquery, never as a join.

    So the plan can only be what is meant here: walk the index, look up, stop.
    """
    value = "(SELECT value FROM labeling_concept WHERE id = w.concept_id)" if window.mixed else "1"
    hers = "SELECT 1 FROM labeling_answer WHERE question_id = w.id AND annotator_id = %(annotator)s"
    return f"""
        SELECT %(role{number})s, id, tile_id,
            (SELECT image_id FROM labeling_tile WHERE id = w.tile_id), {_READ}, {value}
        FROM ({_rows(window, number)}) AS w
        WHERE w.id <> ALL(%(taken)s) {"" if window.gold else f"AND {holds.free('w')}"}
            AND ({hers}) IS NULL
        LIMIT {FOUND if window.whole else SOME}
    """


def _rows(window: Window, number: int) -> str:
    """The rows in their order; from the middle on, in two steps that the index answers."""
    rows = f"SELECT id, tile_id, held, {_READ} FROM labeling_question WHERE {window.condition}"
    if window.top:
        by = "ORDER BY priority DESC, random_key LIMIT %(most)s"
        if window.start is None:
            return f"{rows} {by}"
        here = f"priority = %(priority{number})s AND random_key >= %(key{number})s"
        steps = here, f"priority < %(priority{number})s"
    else:
        by = "ORDER BY random_key LIMIT %(most)s"
        steps = "random_key >= %(start)s", "random_key < %(start)s"
    return " UNION ALL ".join(f"({rows} AND {step} {by})" for step in steps)
