"""Fill pools: in one transaction each, by one process at a time, and never the same pair twice."""

import random
from collections.abc import Mapping

from django.db import connection, transaction
from django.utils import timezone

from labeling import questions
from labeling.images import rendering
from labeling.models import Concept, Pool, Project, Question
from labeling.pools import levels, nominees, random_slice
from labeling.pools.levels import Level
from labeling.pools.new_pictures import notice
from labeling.pools.nomination import Nominations
from labeling.pools.priorities import forget_priorities

Reason = Question.Reason

_ASKED = """
SELECT 1 FROM labeling_concept AS concept
JOIN labeling_project AS project ON project.id = project_id
WHERE concept.id = %s AND concept.active AND merged_into_id IS NULL AND project.state <> 'archived'
FOR SHARE OF concept
"""


def fill(concept: Concept, grid: int, *, wait: bool = True) -> int:
    """Top up a pool where half of a part is used; return how many questions are new.

    Whoever comes while another process fills it waits for that and finds it full, or without `wait`
    leaves it. Do not call it in a transaction that holds an annotator, questions or another pool.
    """
    if _is_full(concept, grid):
        return 0
    _create(concept, grid)
    with transaction.atomic():
        pool = _lock(concept, grid, wait=wait)
        if pool is None or pool.exhausted:
            return 0
        nominations = Nominations(pool)
        level = levels.measure(pool.concept_id, grid)
        target = levels.target(predicted=nominations.predicted)
        return _add(pool, nominations, level, level.shortage(target))


def renew(concept: Concept) -> int:
    """Put the pairs that the newest predictions nominate in the place of unused earlier ones.

    Return how many questions are new. Do not call it in a transaction, as with `fill`.

    Nominees are retired in a transaction of their own: whoever has deleted questions waits for none
    that others hold, in whichever order they hold them.
    """
    new = 0
    for grid in levels.grids(concept.project):
        _create(concept, grid)
        _retire(concept, grid)
        new += _complete(concept, grid)
    return new


@transaction.atomic
def _retire(concept: Concept, grid: int) -> None:
    """Retire the nominees of a pool that nobody was asked about."""
    pool = _lock(concept, grid)
    if pool is not None and not pool.exhausted:
        nominees.retire(pool)


@transaction.atomic
def _complete(concept: Concept, grid: int) -> int:
    """Fill a pool up to what it is to hold; return how many questions are new."""
    pool = _lock(concept, grid)
    if pool is None or pool.exhausted:
        return 0
    nominations = Nominations(pool)
    level = levels.measure(pool.concept_id, grid)
    target = levels.target(predicted=nominations.predicted)
    return _add(pool, nominations, level, level.missing(target))


def prepare(concept: Concept) -> int:
    """Fill the pools of a concept, as far as they are not full; return the new questions."""
    return sum(fill(concept, grid) for grid in levels.grids(concept.project))


def fill_project(project: Project) -> int:
    """Fill the pools of all concepts of a project; return how many questions are new."""
    notice(project)
    concepts = project.concepts.filter(active=True, merged_into=None).select_related("project")
    return sum(prepare(concept) for concept in concepts)


def _is_full(concept: Concept, grid: int) -> bool:
    """Whether there is nothing to do, without waiting for whoever is filling the pool."""
    pool = Pool.objects.filter(concept=concept, grid=grid).exclude(filled_at=None).first()
    if pool is None or pool.exhausted:
        return pool is not None
    predicted = pool.doubtful + pool.likely > 0
    level = levels.measure(concept.pk, grid)
    return not any(level.shortage(levels.target(predicted=predicted)))


def _create(concept: Concept, grid: int) -> None:
    """Create the pool where there is none, and commit: pictures stored from now on concern it."""
    if not Pool.objects.filter(concept=concept, grid=grid).exists():
        with transaction.atomic():
            if _hold(concept):
                start = {"start": random.random()}
                Pool.objects.get_or_create(concept=concept, grid=grid, defaults=start)


def _hold(concept: Concept) -> bool:
    """Whether a concept is asked about; if so, it stays as it is until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(_ASKED, [concept.pk])
        return cursor.fetchone() is not None


def _lock(concept: Concept, grid: int, *, wait: bool = True) -> Pool | None:
    """Return the locked pool, with its concept as it is now.

    None where the concept is gone, merged or not asked about, or the pool is locked and the caller
    does not wait.
    """
    if not _hold(concept):
        return None
    locked = Pool.objects.select_for_update(no_key=True, skip_locked=not wait)
    pool = locked.filter(concept=concept, grid=grid).first()
    if pool is not None:
        pool.concept = Concept.objects.select_related("project").get(pk=concept.pk)
    return pool


def _add(pool: Pool, nominations: Nominations, level: Level, missing: Level) -> int:
    """Store what is missing in one go; what the model does not nominate is drawn at random.

    All are stored in the order of their ids, so that two who store the same pairs do not wait for
    each other in a circle. Save the pool; return how many questions are new.
    """
    places = random_slice.draw(pool, _pictures(pool, missing.random))
    nominations.taken |= places.keys()
    reasons = dict.fromkeys(nominations.best(Reason.LIKELY, missing.likely), Reason.LIKELY)
    reasons |= dict.fromkeys(nominations.best(Reason.DOUBTFUL, missing.doubtful), Reason.DOUBTFUL)
    # What could not be nominated, but not again and again: as far as the pool as a whole has room.
    instead = missing.likely + missing.doubtful - len(reasons)
    room = sum(levels.target(predicted=True)) - sum(level) - len(reasons) - len(places)
    places |= random_slice.draw(pool, _pictures(pool, min(instead, room)))
    new = _store(pool, reasons, places)
    _save(pool)
    return new


def _pictures(pool: Pool, count: int) -> int:
    """Return how many pictures have so many tiles."""
    return max(-(-count // pool.grid**2), 0)


def _store(pool: Pool, reasons: Mapping[int, Reason], places: Mapping[int, float]) -> int:
    """Store the questions about these tiles: nominees by the reason, and those of the slice."""
    tiles = reasons.keys() | places.keys()
    if not tiles:
        return 0
    new = questions.ask_pairs(
        project=pool.concept.project,
        pairs=[(tile, pool.concept_id) for tile in tiles],
        reason=Reason.RANDOM,
        reasons={(tile, pool.concept_id): reason for tile, reason in reasons.items()},
        slice_keys=places,
    )
    random_slice.mark(pool, places)
    rendering.render_later(tiles)
    pool.fillings += 1
    return new


def _save(pool: Pool) -> None:
    """Save a filled pool and what it holds."""
    pool.random, pool.doubtful, pool.likely = levels.measure(pool.concept_id, pool.grid)
    first = pool.fillings <= 1
    pool.filled_at = timezone.now()
    pool.save()
    if first or pool.exhausted:  # so that it is asked about, or filled, as it should be, at once
        forget_priorities(pool.concept.project)
