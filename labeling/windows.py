"""Short windows of the indexes on questions: all that a choice ever reads.

Each begins at the top of an order or at a random point of it, passes over what this annotator
answered or has in hand and over what enough others have, and ends after so many questions found
or so many rows looked at. So no choice costs more because more is stored.
"""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import connection
from django.utils import timezone

from labeling import holds
from labeling.models import Annotator, Project

FOUND = 24  # questions that a window of the most wanted gives, to draw a few from …
SOME = 12  # … and any other
LOOKED_AT = 600  # rows that it looks at for them

_OPEN = "kind = 'concept' AND state = 'open' AND source <> 'model'"
_COLUMNS = "id, tile_id, concept_id, probability, answers_count, answers_wanted, held"


class Candidate(NamedTuple):
    """A question that may be asked, as a window found it."""

    role: str
    question: int
    tile: int
    image: int
    concept: int | None
    value: float  # of its concept; 1 where all of a window have one concept
    probability: float
    answers: int
    wanted: int


@dataclass(frozen=True)
class Window:
    """Where an index is read: rows by a condition, from the top or from a random point on."""

    role: str
    condition: str
    top: bool
    found: int = SOME
    gold: bool = False
    mixed: bool = False  # holds several concepts


def wanted(concept: int, grid: int, role: str) -> Window:
    """The open questions about a concept that are wanted most."""
    return Window(role, f"concept_id = {concept:d} AND grid = {grid:d} AND {_OPEN}", True, FOUND)


def likely(concept: int, grid: int, role: str) -> Window:
    """Those of them that are more likely true than not."""
    about = f"concept_id = {concept:d} AND grid = {grid:d} AND {_OPEN} AND probability >= 0.5"
    return Window(role, about, True)


def anywhere(concept: int, grid: int, role: str) -> Window:
    """The open questions about a concept, drawn without regard to what is believed."""
    return Window(role, f"concept_id = {concept:d} AND grid = {grid:d} AND {_OPEN}", False)


def gold(concept: int, grid: int, verdict: bool, role: str) -> Window:
    """Questions about a concept whose truth is known to be this."""
    about = f"concept_id = {concept:d} AND grid = {grid:d} AND verdict = {verdict}"
    known = "kind = 'concept' AND state = 'gold' AND source <> 'model'"
    return Window(role, f"{about} AND {known}", False, gold=True)


def captions(project: int, author: int, role: str, *, top: bool) -> Window:
    """The open captions by others: the most wanted, or drawn at random."""
    about = f"project_id = {project:d} AND kind = 'caption' AND state = 'open' AND grid = 1"
    return Window(role, f"{about} AND author_id IS DISTINCT FROM {author:d}", top, FOUND)


def gold_captions(project: int, role: str) -> Window:
    """Captions whose truth is known."""
    about = f"project_id = {project:d} AND kind = 'caption' AND state = 'gold' AND grid = 1"
    return Window(role, about, False, gold=True)


def generated(project: int, role: str) -> Window:
    """The open questions about pictures that a model drew, the most wanted."""
    active = f"SELECT id FROM labeling_concept WHERE project_id = {project:d} AND active"
    drawn = "kind = 'concept' AND source = 'model' AND state = 'open' AND grid = 1"
    about = f"project_id = {project:d} AND {drawn} AND concept_id = ANY(ARRAY({active}))"
    return Window(role, about, True, FOUND, mixed=True)


def read(
    *windows: Window, annotator: Annotator, project: Project, taken: Collection[int]
) -> list[Candidate]:
    """What the windows hold for this annotator, in one query, each in its order.

    Where they end before an open question is found that they might have found further on, they
    are read again to the end, which costs as much as the annotator has answered of what is open.
    """
    found = _read(windows, annotator, project, taken, LOOKED_AT)
    asked = [window for window in windows if not window.gold]
    if not asked or any(c.role == window.role for c in found for window in asked):
        return found
    return found + _read(asked[:1], annotator, project, taken, None)


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
    values |= {f"role{number}": window.role for number, window in enumerate(windows)}
    parts = (f"({_part(window, f'role{n}')})" for n, window in enumerate(windows))
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), values)
        return [Candidate(*row) for row in cursor.fetchall()]


def _part(window: Window, role: str) -> str:
    """A window as SQL. What is looked up a row is written as a subquery, never as a join.

    So the plan can only be what is meant here: walk the index, look up, stop.
    """
    value = "(SELECT value FROM labeling_concept WHERE id = w.concept_id)" if window.mixed else "1"
    hers = "SELECT 1 FROM labeling_answer WHERE question_id = w.id AND annotator_id = %(annotator)s"
    return f"""
        SELECT %({role})s, w.id, w.tile_id,
            (SELECT image_id FROM labeling_tile WHERE id = w.tile_id),
            w.concept_id, {value}, w.probability, w.answers_count, w.answers_wanted
        FROM ({_rows(window)}) AS w
        WHERE w.id <> ALL(%(taken)s) {"" if window.gold else f"AND {holds.free('w')}"}
            AND ({hers}) IS NULL
        LIMIT {window.found:d}
    """


def _rows(window: Window) -> str:
    rows = f"SELECT {_COLUMNS} FROM labeling_question WHERE {window.condition}"
    if window.top:
        return f"{rows} ORDER BY priority DESC, random_key LIMIT %(most)s"
    by = "ORDER BY random_key LIMIT %(most)s"
    ahead, behind = (f"({rows} AND random_key {side} %(start)s {by})" for side in (">=", "<"))
    return f"{ahead} UNION ALL {behind}"
