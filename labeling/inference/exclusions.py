"""Learn which concepts of a project rule each other out, and bring its questions to what follows.

It is learned from whole pictures about several concepts of which people have said something
(`labeling.aggregation.exclusions`): a few pictures of both are enough to end it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.db import connection, transaction
from scipy.special import expit  # type: ignore[import-untyped]

from labeling import beliefs, excluding, exclusion_rules
from labeling.aggregation import exclusions
from labeling.aggregation.exclusions import Group, Pair
from labeling.exclusions import KNOWN, members_of
from labeling.inference.arrays import Bools, Floats, Ids, columns
from labeling.models import Concept, ExclusiveGroup, Project, Recomputation

CHANGE = 0.1  # of what people have said, more or less, from which on it is learned again
MOST = 300_000  # questions from which it is learned; of more, those of pictures drawn by lot
NOTICEABLE = 0.02  # smaller changes of a group's overlap are not stored

_TELLING = """kind = 'concept' AND grid = 1 AND source <> 'model' AND concept_id IN (
    SELECT id FROM labeling_concept WHERE project_id = {project} AND merged_into_id IS NULL
) AND (answers_count > 0 AND answers_weight > 0 OR verdict IS NOT NULL)"""
_QUESTIONS = f"""
SELECT tile_id, concept_id, prior, exclusion_shift, probability,
    CASE verdict WHEN true THEN 1::int2 WHEN false THEN 0::int2 ELSE -1::int2 END
FROM labeling_question WHERE {_TELLING}
"""
_SAID = f"""
SELECT coalesce(sum(answers_weight), 0) + count(verdict) FROM labeling_question WHERE {_TELLING}
"""
_TILES = """
SELECT DISTINCT tile_id FROM labeling_question AS question
JOIN labeling_concept AS concept ON concept.id = concept_id
WHERE concept.project_id = {project} AND grid = 1 AND kind = 'concept' AND (
    exclusive AND (answers_count > 0 OR verdict IS NOT NULL)
    OR excluded OR exclusion_shift <> 0
)
"""
_MOVED = """
SELECT DISTINCT tile_id FROM labeling_question AS question
JOIN labeling_concept AS concept ON concept.id = concept_id
WHERE question.id = ANY(%s) AND exclusive AND grid = 1
"""


@dataclass(frozen=True)
class _Told:
    """The n questions of which people say anything, about several concepts of a picture."""

    tile: Ids
    concept: Ids
    prior: Floats  # as if all concepts were independent
    evidence: Floats  # log-odds


def begin(recomputation: Recomputation) -> bool:
    """Say that questions are about to change; return whether all of them are to be brought along.

    That is so after one that did not come to its end, and where priors have changed.
    """
    grouped = recomputation.project.concepts.filter(exclusive=True)
    everything = not recomputation.excluded_all or grouped.filter(priors_stale=True).exists()
    recomputation.renew(excluded_all=False)
    return everything


def update(recomputation: Recomputation, moved: Ids, *, everything: bool) -> int:
    """Learn the project's exclusive groups, and update questions; return how many changed.

    moved: the ids of the questions that were answered or changed; everything: look at all.
    """
    everything |= _learn(recomputation)
    project = recomputation.project
    tiles = _all_tiles(project) if everything else _tiles_of(moved, project)
    changed = excluding.update(recomputation.project, tiles, recomputation.renew)
    recomputation.renew()
    rows = Recomputation.objects.filter(pk=recomputation.pk, requested=False)
    rows.update(excluded_all=True)  # unless somebody has called for more meanwhile
    return changed


def _learn(recomputation: Recomputation) -> bool:
    """Learn the groups where much more is known, or much is not; return whether they changed.

    Less is known where answers count no more: their annotators were blocked, or are suspect.
    """
    project = recomputation.project
    with connection.cursor() as cursor:
        cursor.execute(_SAID.format(project=project.pk))
        ((said,),) = cursor.fetchall()
    if abs(said - recomputation.learned_from) <= CHANGE * recomputation.learned_from:
        return False
    told = _read(project)
    concepts = list(project.concepts.filter(merged_into=None).order_by("pk"))
    ids = np.array([concept.pk for concept in concepts], np.int64)
    place = np.searchsorted(ids, told.concept)
    groups = exclusions.learn(
        np.unique(told.tile, return_inverse=True)[1],
        place,
        told.prior,
        told.evidence,
        concepts=len(ids),
        earlier=[group for group in _earlier(project, concepts) if not group.by_hand],
    )
    groups = exclusions.overruled(groups, *_rules(project, concepts))
    with transaction.atomic():  # whoever lost the lease writes nothing
        changed = _store(project, concepts, groups)
        recomputation.renew(learned_from=round(said))
    return changed


def _read(project: Project) -> _Told:
    tile, concept, prior, shift, probability, verdict = columns(
        _QUESTIONS.format(project=project.pk),
        *("int8", "int8", "float8", "float8", "float8", "int2"),
    )
    before = beliefs.log_odds(prior)
    known = KNOWN * (2.0 * verdict - 1)
    evidence = np.where(verdict >= 0, known, beliefs.log_odds(probability) - before)
    kept = _drawn(tile)
    free: Floats = expit(before - shift)
    return _Told(tile[kept], concept[kept], free[kept], evidence[kept])


def _drawn(tile: Ids) -> Bools:
    """Return (n,) which questions are taken: all of a tile or none, the same each time."""
    lot = (tile.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(11)
    kept: Bools = lot < MOST / max(len(tile), 1) * 2.0**53
    return kept


def _earlier(project: Project, concepts: Sequence[Concept]) -> list[Group]:
    """Return the groups that the concepts form, by their places."""
    place = {concept.pk: at for at, concept in enumerate(concepts)}
    stored = members_of(ExclusiveGroup.objects.filter(project=project))
    return [
        Group(tuple(place[pk] for pk in own if pk in place), group.overlap, group.by_hand)
        for group, own in stored.items()
    ]


def _rules(project: Project, concepts: Sequence[Concept]) -> tuple[set[Pair], set[Pair]]:
    """Return the pairs of concepts, by place, that owners say are in one picture, and never are."""
    place = {concept.pk: at for at, concept in enumerate(concepts)}
    found: dict[bool, set[Pair]] = {True: set(), False: set()}
    for first, second, together in exclusion_rules.pairs(project):
        if first in place and second in place:  # neither was added just now
            found[together].add((place[first], place[second]))
    return found[True], found[False]


def _store(project: Project, concepts: Sequence[Concept], groups: Sequence[Group]) -> bool:
    """Store the groups in the place of earlier ones; return whether they differ."""
    earlier, new = (
        {(group.concepts, group.by_hand): group.overlap for group in each}
        for each in (_earlier(project, concepts), groups)
    )
    same = earlier.keys() == new.keys()
    if same and all(abs(new[each] - earlier[each]) <= NOTICEABLE for each in new):
        return False
    # In the order in which whoever stores questions locks them, so that neither waits for ever.
    list(project.concepts.order_by("pk").select_for_update(no_key=True).values_list("pk"))
    ExclusiveGroup.objects.filter(project=project).delete()
    for group in groups:
        row = ExclusiveGroup.objects.create(
            project=project, overlap=group.overlap, by_hand=group.by_hand
        )
        row.concepts.set([concepts[place].pk for place in group.concepts])
    grouped = {concepts[place].pk for group in groups for place in group.concepts}
    project.concepts.filter(exclusive=True).exclude(pk__in=grouped).update(exclusive=False)
    project.concepts.filter(pk__in=grouped, exclusive=False).update(exclusive=True)
    return True


def _all_tiles(project: Project) -> list[int]:
    (tiles,) = columns(_TILES.format(project=project.pk), "int8")
    return [int(tile) for tile in tiles]


def _tiles_of(questions: Ids, project: Project) -> list[int]:
    if not ExclusiveGroup.objects.filter(project=project).exists():
        return []
    with connection.cursor() as cursor:
        cursor.execute(_MOVED, [questions.tolist()])
        return [tile for (tile,) in cursor]
