"""Candidate questions: short windows of the indexes on questions, all that a choice reads.

A window begins at the top of an index or at a random point of it, skips what this annotator has
answered or is being asked and what enough others have reserved, and ends after so many candidates
or so many rows. So the cost of a choice does not grow with what is stored.
"""

import hashlib
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from django.core.cache import cache
from django.utils import timezone

from labeling import checks, prepared, question_state, showings, taken_back
from labeling.models import Annotator, Project
from labeling.selection import reservations
from labeling.showings import ANYWHERE, Showings

MAX_CANDIDATES = 24  # of an exhaustive window
MAX_CANDIDATES_EACH = 12  # of a window that is read beside others
MAX_ROWS = 600  # read by a window that is not read to its end
MAX_CHECKS = 120  # rows read by a window of checks, each of which is looked at closely
CURSOR_SECONDS = 60  # for which it is remembered how far an annotator has come
END = (-1.0, 0.0)  # (priority, random key) behind all questions

_ABOUT = "concept_id = %(concept)s AND grid = %(grid)s"
# Gold that a concept's guide or its project's practice gives away measures nobody. Both are read
# once for a scan, and not for each row.
_EXAMPLES = "SELECT tile_id FROM labeling_conceptexample WHERE concept_id = %(concept)s"
PRACTICE = """SELECT practice.question_id FROM labeling_practicequestion AS practice
    JOIN labeling_project AS project ON project.id = practice.project_id
    WHERE project.id = %(practice_of)s AND project.practice_questions > 0"""
_ORIGINAL = """(SELECT near_duplicate_of_id FROM labeling_image
    WHERE id = (SELECT image_id FROM labeling_tile WHERE id = w.tile_id))"""
# What another concept of its picture rules out is asked as seldom where it is known as where it is
# open: else it would tell gold to be asked for a dog where one has seen a cat.
_NOT_RULED_OUT = f"(NOT excluded OR random_key < {question_state.ASKED_ANYWAY})"
_EXCLUDABLE = """w.grid = 1 AND w.probability < 0.5 AND EXISTS (
    SELECT FROM labeling_concept WHERE id = w.concept_id AND exclusive)"""
_OPEN = "kind = 'concept' AND state = 'open' AND source <> 'model'"
_COLUMNS = "concept_id, probability, answers_count, answers_wanted, priority, random_key"


class Candidate(NamedTuple):
    """A question that may be asked, and why it was read."""

    role: str
    question: int
    tile: int
    image: int
    concept: int | None
    probability: float
    answers_count: int
    answers_wanted: int
    priority: float
    random_key: float
    value: float  # of its concept; 1 where all candidates of a window have the same concept
    again: bool = False  # of a known question: it was shown at the address before
    original: int | None = None  # of which its image is a near-duplicate
    may_be_excluded: bool = False  # by other concepts of its picture, if it looks false

    @property
    def family(self) -> int:
        """Return the image that stands for it and its near-duplicates."""
        return self.original or self.image


@dataclass(frozen=True)
class Window:
    """A part of an index: the rows that meet a condition, in the order of the index."""

    role: str
    condition: str  # SQL, the same for all windows of a kind: it is prepared
    values: Mapping[str, int] = field(hash=False)  # the condition's parameters
    by_priority: bool = False  # from the highest priority on; else from a random point on
    in_slice: bool = False  # in the order of the random slice
    exhaustive: bool = False  # read to the end rather than without a candidate
    gold: bool = False
    check: bool = False
    again: bool = False  # of known questions, those that an address is to be shown again
    several_concepts: bool = False

    @property
    def order(self) -> str:
        """Return the order of the index, as SQL."""
        if self.in_slice:
            return "slice_key"
        return "priority DESC, random_key" if self.by_priority else "random_key"


class _Scan(NamedTuple):
    """A stretch of a window that is read in one go."""

    condition: str  # SQL
    order: str  # SQL
    limit: int | None
    values: Mapping[str, float] = {}  # the condition's parameters


def most_wanted(concept: int, grid: int, role: str) -> Window:
    """Return the window of a concept's open questions by priority."""
    values = {"concept": concept, "grid": grid}
    return Window(role, f"{_ABOUT} AND {_OPEN}", values, by_priority=True, exhaustive=True)


def likely(concept: int, grid: int, role: str) -> Window:
    """Return the window of those that are more likely true than not."""
    values = {"concept": concept, "grid": grid}
    return Window(role, f"{_ABOUT} AND {_OPEN} AND probability >= 0.5", values, by_priority=True)


def at_random(concept: int, grid: int, role: str) -> Window:
    """Return the window of a concept's random slice, in its order, whatever the probability."""
    values = {"concept": concept, "grid": grid}
    about = f"{_ABOUT} AND {_OPEN} AND slice_key IS NOT NULL"
    return Window(role, about, values, in_slice=True, exhaustive=True)


def gold(concept: int, grid: int, verdict: bool, role: str) -> Window:
    """Return the window of a concept's gold questions with that truth."""
    known = f"kind = 'concept' AND state = 'gold' AND source <> 'model' AND {_NOT_RULED_OUT}"
    hidden = f"tile_id <> ALL(ARRAY({_EXAMPLES}))"
    condition = f"{_ABOUT} AND verdict = {verdict} AND {known} AND {hidden}"
    values = {"concept": concept, "grid": grid}
    return Window(role, condition, values, gold=True)


def checks_of(
    concept: int, grid: int, verdict: bool, role: str, *, generated: bool = False
) -> Window:
    """Return the window of a concept's settled questions that may check somebody."""
    settled = f"kind = 'concept' AND {checks.settled_as(verdict)} AND {_NOT_RULED_OUT}"
    source = "source = 'model'" if generated else "source <> 'model'"
    condition = f"{_ABOUT} AND {settled} AND {source} AND tile_id <> ALL(ARRAY({_EXAMPLES}))"
    return Window(role, condition, {"concept": concept, "grid": grid}, check=True)


def again(window: Window, at: Showings) -> Window:
    """Return the part of a window of known questions that an address is to be shown again."""
    shown = """SELECT question FROM labeling_showing
        WHERE address_id = %(address)s AND known AND last >= %(last)s"""
    values = {**window.values, "address": at.address, "last": round(at.asked - at.longest_lag)}
    condition = f"{window.condition} AND id = ANY(ARRAY({shown}))"
    return replace(window, condition=condition, values=values, again=True)


def count_known(concept: int, *, before: datetime, most: int) -> tuple[int, int]:
    """Return how much gold, and how many checks, there are about whole pictures.

    before: when checks had settled. most: of either truth; more are not counted.
    """
    gold_parts = [gold(concept, 1, verdict, "").condition for verdict in (True, False)]
    settled = [checks_of(concept, 1, verdict, "").condition for verdict in (True, False)]
    check_parts = [f"{part} AND settled_at < %(before)s" for part in settled]
    some = "(SELECT count(*) FROM (SELECT FROM labeling_question WHERE {} LIMIT %(most)s) AS q)"
    sums = [" + ".join(map(some.format, parts)) for parts in (gold_parts, check_parts)]
    values = {"concept": concept, "grid": 1, "before": before, "most": most}
    ((gold_count, checks_count),) = prepared.fetch(f"SELECT {', '.join(sums)}", values)
    return int(gold_count), int(checks_count)


def settled_captions(project: int, author: int, role: str, *, verdict: bool) -> Window:
    """Return the window of settled captions by other authors that may check somebody."""
    about = "project_id = %(project)s AND kind = 'caption' AND grid = 1"
    others = "author_id IS DISTINCT FROM %(author)s"
    condition = f"{about} AND {checks.settled_as(verdict)} AND {others}"
    if verdict:  # what a text question shows as true checks nobody
        condition += f" AND NOT {checks.MAY_BE_TOLD}"
    return Window(role, condition, {"project": project, "author": author}, check=True)


def captions(project: int, author: int, role: str, *, by_priority: bool) -> Window:
    """Return the window of open captions by other authors, by priority or at random.

    Nobody is asked about one that no import states any more, or that a blocked annotator wrote.
    """
    about = "project_id = %(project)s AND kind = 'caption' AND state = 'open' AND grid = 1"
    blocked = "EXISTS (SELECT FROM labeling_annotator WHERE id = author_id AND blocked)"
    condition = f"{about} AND stated IS NOT NULL AND author_id IS DISTINCT FROM %(author)s"
    condition += f" AND NOT {blocked}"
    values = {"project": project, "author": author}
    return Window(role, condition, values, by_priority=by_priority, exhaustive=True)


def gold_captions(project: int, verdict: bool, role: str) -> Window:
    """Return the window of gold captions with that truth."""
    about = "project_id = %(project)s AND kind = 'caption' AND state = 'gold' AND grid = 1"
    condition = f"{about} AND verdict = {verdict}"
    return Window(role, condition, {"project": project}, gold=True)


def generated(project: int, role: str) -> Window:
    """Return the window of open questions about generated pictures, by priority."""
    active = "SELECT id FROM labeling_concept WHERE project_id = %(project)s AND active"
    about = f"project_id = %(project)s AND concept_id = ANY(ARRAY({active}))"
    asked = "kind = 'concept' AND source = 'model' AND state = 'open' AND grid = 1"
    condition, values = f"{about} AND {asked}", {"project": project}
    return Window(role, condition, values, by_priority=True, exhaustive=True, several_concepts=True)


def read(
    *windows: Window,
    annotator: Annotator,
    project: Project,
    exclude: Collection[int],
    showings: Showings = ANYWHERE,
) -> list[Candidate]:
    """Return the windows' candidates for this annotator, as a rule in one query.

    exclude: ids of questions that the annotator is being asked, or has just skipped.
    showings: what was shown at the annotator's address today.

    A window's candidates keep its order. Reading an exhaustive window to its end costs as much as
    the annotator has answered of what is open; so it is remembered how far they have come.
    """
    values = reservations.parameters(project, now=timezone.now())
    values |= {"annotator": annotator.pk, "practice_of": project.pk, "exclude": list(exclude)}
    values |= showings.parameters()
    candidates = _read({window: _scans(window, annotator) for window in windows}, values)
    roles = {candidate.role for candidate in candidates}
    for window in windows:
        if window.exhaustive and window.role not in roles:
            further = _read({window: [_Scan("true", window.order, None)]}, values)
            _remember(window, annotator, further)
            candidates += further
    return candidates


def _scans(window: Window, annotator: Annotator) -> list[_Scan]:
    """Return the scans of a window, one after the other until there are candidates enough."""
    if window.by_priority:
        return _from_top(window, annotator)
    if window.in_slice:
        return [_Scan("true", window.order, MAX_ROWS)]
    return _from_anywhere(MAX_CHECKS if window.check else MAX_ROWS)


def _from_anywhere(rows: int) -> list[_Scan]:
    """Return the scans from a random point to the end, and from the beginning up to that point.

    Their text is the same wherever the point is: it is planned once.
    """
    values = {"point": random.random()}
    ahead = _Scan("random_key >= %(point)s", "random_key", rows, values)
    return [ahead, _Scan("random_key < %(point)s", "random_key", rows, values)]


def _from_top(window: Window, annotator: Annotator) -> list[_Scan]:
    """Return the scans from the top, or from where a busy annotator has come."""
    order = "priority DESC, random_key"
    cursor = cache.get(_key(window, annotator)) if annotator.answers_count >= MAX_ROWS else None
    if cursor is None:
        return [_Scan("true", order, MAX_ROWS)]
    values = dict(zip(("priority", "key"), map(float, cursor), strict=True))
    level = _Scan("priority = %(priority)s AND random_key >= %(key)s", order, MAX_ROWS, values)
    return [level, _Scan("priority < %(priority)s", order, MAX_ROWS, values)]


def _remember(window: Window, annotator: Annotator, candidates: Sequence[Candidate]) -> None:
    """Remember the first question that a busy annotator can still be asked."""
    if window.by_priority and annotator.answers_count >= MAX_ROWS:
        cursor = (candidates[0].priority, candidates[0].random_key) if candidates else END
        cache.set(_key(window, annotator), list(cursor), CURSOR_SECONDS)


def _key(window: Window, annotator: Annotator) -> str:
    """Return the cache key of an annotator's cursor in a window."""
    window_text = f"{window.condition} {sorted(window.values.items())}"
    digest = hashlib.sha256(window_text.encode()).hexdigest()
    return f"window-cursor:{annotator.pk}:{digest}"


def _read(scans: Mapping[Window, Sequence[_Scan]], values: dict[str, Any]) -> list[Candidate]:
    """Return the candidates of all these scans, by one query.

    Its text depends on nothing but the kinds of windows and scans, of which there are few.
    """
    if not scans:
        return []
    parts = []
    for number, (window, steps) in enumerate(scans.items()):
        stretches = tuple((step.condition, step.order, step.limit) for step in steps)
        flags = {
            "gold": window.gold,
            "check": window.check,
            "again": window.again,
            "several_concepts": window.several_concepts,
        }
        limit = MAX_CANDIDATES if window.exhaustive else MAX_CANDIDATES_EACH
        parts.append(_part(window.condition, stretches, number, limit, **flags))
        for own in ({"role": window.role}, window.values, *(step.values for step in steps)):
            values = values | {f"{name}{number}": value for name, value in own.items()}
    return [Candidate(*row) for row in prepared.fetch(" UNION ALL ".join(parts), values)]


@lru_cache(maxsize=256)
def _part(
    condition: str,
    stretches: Sequence[tuple[str, str, int | None]],
    number: int,
    limit: int,
    *,
    gold: bool,
    check: bool,
    again: bool,
    several_concepts: bool,
) -> str:
    """Return a window as SQL on one line; its parameters' names end in its number.

    stretches: (condition, order, limit) of each scan.

    Lookups per row are subqueries and not joins, so that the plan can only be what is meant: walk
    the index, look up, stop.
    """
    value = "(SELECT value FROM labeling_concept WHERE id = w.concept_id)"
    already_answered = (
        "SELECT 1 FROM labeling_answer WHERE question_id = w.id AND annotator_id = %(annotator)s"
    )
    shifts = "prior_shift, exclusion_shift"
    columns = f"id, tile_id, grid, reservations, {shifts}, answers_weight, settled_at, {_COLUMNS}"
    rows = f"SELECT {columns} FROM labeling_question WHERE {condition}"
    scans = " UNION ALL ".join(
        f"({rows} AND {scan} ORDER BY {order} LIMIT {count or 'ALL'})"
        for scan, order, count in stretches
    ).replace(")s", f"{number})s")
    available = reservations.available("w")
    may_be_shown = showings.may_be_shown("w", again=again)
    if gold:
        available = f"w.id <> ALL(ARRAY({PRACTICE})) AND {may_be_shown}"
    elif check:
        available = f"{may_be_shown} AND {showings.settled_before('w')}"
        available += f" AND {checks.trusted('w')}"
    text = f"""
        (SELECT %(role{number})s, id, tile_id,
            (SELECT image_id FROM labeling_tile WHERE id = w.tile_id), {_COLUMNS},
            {value if several_concepts else "1"}, {str(again).lower()}, {_ORIGINAL}, {_EXCLUDABLE}
        FROM ({scans}) AS w
        WHERE w.id <> ALL(%(exclude)s)
            AND {available}
            AND ({already_answered}) IS NULL
            AND {taken_back.may_be_asked("w.id")}
        LIMIT {limit})
    """
    return " ".join(text.split())
