"""Bring what stored questions say of an import's statements to what is stated now.

Keywords are replaced, aliases removed, and concepts of folders deleted and created again. Pairs
that are not stored follow at once (`labeling.beliefs`); stored questions are brought along here, so
that it makes no difference which pairs are stored. What a caller stated otherwise stays as it is.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from django.db import connection, transaction

from labeling import beliefs, question_state
from labeling.aggregation import online
from labeling.batches import batched
from labeling.beliefs import Floats, Statements, TileFacts
from labeling.models import Concept, Project, Question
from labeling.models.projects import movable

SAME = 1e-9  # difference of probabilities that is one of rounding

Pair = tuple[int, int]  # (tile id, concept id)

_LOCK = """
SELECT id FROM labeling_concept WHERE project_id = %s AND merged_into_id IS NULL
ORDER BY id FOR NO KEY UPDATE
"""


class Change(NamedTuple):
    """What imports stated of a pair, and what they state now; None: nothing."""

    earlier: float | None
    now: float | None


class Watch:
    """What imports state of some tiles, to be compared with what they state after a change.

    Holds the project's concepts until the transaction ends, so that nobody stores a question by
    what was stated before.
    """

    def __init__(self, project: Project, tiles: Collection[int]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(_LOCK, [project.pk])
        self._project, self._tiles = project, tiles
        self._concepts = list(project.concepts.filter(merged_into=None))
        self._earlier = self._stated(beliefs.facts(tiles))

    def changes(self) -> dict[Pair, Change]:
        """Return the pairs of which something else is stated since."""
        facts = beliefs.facts(self._tiles)
        return changes(facts, self._concepts, self._earlier, self._stated(facts))

    def _stated(self, facts: Sequence[TileFacts]) -> Floats:
        return Statements(self._project, self._concepts).of(facts)


def changes(
    tiles: Sequence[TileFacts], concepts: Sequence[Concept], earlier: Floats, now: Floats
) -> dict[Pair, Change]:
    """Return the pairs of n tiles and C concepts of which something else is stated. (n, C) both."""
    same = np.isclose(earlier, now, rtol=0, atol=SAME, equal_nan=True)
    return {
        (tiles[row].tile, concepts[column].pk): Change(
            _value(earlier[row, column]), _value(now[row, column])
        )
        for row, column in np.argwhere(~same)
    }


@transaction.atomic
def restate(stated: Mapping[Pair, float], changed: Mapping[Pair, Change]) -> None:
    """Put statements into the priors of stored questions; their posteriors move by as much.

    stated: what is to be the base where it was the prevalence so far, or where only the import's
    other classes spoke against it. changed: what takes the place of what the import stated earlier.
    """
    pairs = stated.keys() | changed.keys()
    if not pairs:
        return
    tiles, concepts = {tile for tile, _ in pairs}, {concept for _, concept in pairs}
    rows = Question.objects.filter(tile__in=tiles, concept__in=concepts).order_by("pk")
    ids = [
        pk
        for pk, tile, concept, current in rows.values_list("pk", "tile", "concept", "stated")
        if _target(current, stated.get((tile, concept)), changed.get((tile, concept))) != current
    ]
    for batch in batched(ids, question_state.BATCH):
        locked = question_state.lock(batch)
        for question in locked:
            assert question.concept is not None
            pair = question.tile_id, question.concept.pk
            _set(question, _target(question.stated, stated.get(pair), changed.get(pair)))
        question_state.save(locked)


def _target(current: float | None, stated: float | None, change: Change | None) -> float | None:
    """Return what a question is to say of imports that says `current`."""
    if change is not None and _same(current, change.earlier):
        return None if change.now is None else movable(change.now)
    weaker = current is None or (current < 0.5 and stated is not None and stated > current)
    return movable(stated) if weaker and stated is not None else current


def _set(question: Question, stated: float | None) -> None:
    """Set what a locked question says of imports, and shift its prior and posterior."""
    assert question.concept is not None
    prevalence = question.concept.prevalence
    earlier = prevalence if question.stated is None else question.stated
    question.stated = stated
    now = prevalence if stated is None else stated
    question_state.shift_prior(question, online.log_odds(now) - online.log_odds(earlier))


def _same(first: float | None, second: float | None) -> bool:
    if first is None or second is None:
        return first is second
    return math.isclose(movable(first), movable(second), abs_tol=SAME)


def _value(probability: float) -> float | None:
    return None if np.isnan(probability) else float(probability)
