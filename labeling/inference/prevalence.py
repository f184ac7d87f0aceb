"""Learn how frequent each concept is: the prior of its questions before anything else is known.

It is estimated from the random slice (`labeling.pools.random_slice`): a uniform sample of all
pictures in a random order, of which as many count, from the beginning, as are known without a gap.
Some of them are known because the model nominated them or a reviewer decided them; but the order
knows nothing of that, and where the first gap comes depends on no picture behind it. So what else
is asked biases nothing. (It is inverse sampling: J. B. S. Haldane, "On a method of estimating
frequencies", Biometrika 33, 1945.)
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple

from django.db import connection, transaction

from labeling.aggregation.online import log_odds
from labeling.models import Concept, Project, Recomputation
from labeling.pools import levels
from labeling.question_state import ROUNDING

MIN_QUESTIONS = 30  # with fewer, the prevalence stays
NOTICEABLE = 0.2  # log-odds: about a fifth more or fewer

# The random slices of concepts, and by concept and grid where they end: at the pool's frontier, or
# before it at the first member of which nothing is known.
# A question without an answer is known where another concept of its picture rules it out.
# An open question that has no answers but suspect or weightless ones waits for others.
_GAPS = f"""
WITH slice AS (
    SELECT concept_id, grid, slice_key, coalesce(verdict::int::float8, probability) AS yes,
        verdict IS NULL AND (
            answers_count = 0 AND state <> 'settled'
            OR state = 'open' AND answers_weight < {ROUNDING}
        ) AS unknown
    FROM labeling_question AS question
    WHERE concept_id = ANY(%(concepts)s) AND slice_key IS NOT NULL AND source <> 'model'
), gap AS (
    SELECT concept_id, grid,
        least(frontier, min(slice_key) FILTER (WHERE unknown)) AS slice_key
    FROM slice JOIN labeling_pool USING (concept_id, grid) GROUP BY concept_id, grid, frontier
)
"""
# By concept and grid: the members before that, and the sum of their truths, or else posteriors.
_SLICE = f"""{_GAPS}
SELECT concept_id, grid, count(*), sum(yes) FROM slice JOIN gap USING (concept_id, grid)
WHERE slice.slice_key < gap.slice_key
GROUP BY concept_id, grid
"""
# The same, with all questions that an import answered.
_WITH_IMPORTED = f"""{_GAPS}
SELECT concept_id, grid, count(*), sum(coalesce(verdict::int::float8, probability))
FROM labeling_question AS question LEFT JOIN gap USING (concept_id, grid)
WHERE concept_id = ANY(%(concepts)s) AND kind = 'concept' AND source <> 'model'
    AND (answers_count > 0 OR verdict IS NOT NULL)
    AND (
        question.slice_key < gap.slice_key OR EXISTS (
            SELECT FROM labeling_answer WHERE question_id = question.id AND reason = 'imported'
        )
    )
GROUP BY concept_id, grid
"""


class Sample(NamedTuple):
    """What is known of a concept on the tiles of one grid."""

    grid: int
    questions: int
    yes: float  # the sum of their probabilities


def update(recomputation: Recomputation) -> int:
    """Learn each concept's prevalence.

    1. Read what is known of the random slice, and where that is too little, of imported answers.
    2. Estimate prevalences (`estimate`).
    3. Store each that changed noticeably, and mark its concept's priors as stale
       (`labeling.inference.priors`).

    Return how many prevalences changed.
    """
    project = recomputation.project
    tiles = tiles_by_grid(project)
    changed = 0
    concepts = {concept.pk: concept for concept in project.concepts.all()}
    for pk, samples in read(concepts).items():
        prevalence = estimate(concepts[pk].prevalence, samples, tiles)
        if prevalence == concepts[pk].prevalence:
            continue
        with transaction.atomic():  # whoever lost the lease writes nothing
            Concept.objects.filter(pk=pk).update(prevalence=prevalence, priors_stale=True)
            recomputation.renew()
        changed += 1
    return changed


def estimate(current: float, samples: Sequence[Sample], tiles: dict[int, int]) -> float:
    """Return the prevalence by samples of the tiles of each grid, weighted by the tiles' number.

    A grid of which too little is known counts as the others do. It is the present prevalence where
    that is so of all, or where the change would not be noticeable.
    """
    enough = [sample for sample in samples if sample.questions >= MIN_QUESTIONS]
    total = sum(tiles.get(sample.grid, 0) for sample in enough)
    if not total:
        return current
    prevalence = sum(
        tiles.get(sample.grid, 0) / total * (sample.yes + 1) / (sample.questions + 2)
        for sample in enough
    )
    noticeable = abs(log_odds(prevalence) - log_odds(current)) > NOTICEABLE
    return prevalence if noticeable else current


def read(concepts: Collection[int]) -> dict[int, list[Sample]]:
    """Return by concept what is known of it: a sample for each grid."""
    samples = _sums(_SLICE, concepts)
    enough = {key for key, (questions, _) in samples.items() if questions >= MIN_QUESTIONS}
    few = [pk for pk in concepts if any((pk, grid) not in enough for grid in levels.GRIDS)]
    with_imported = _sums(_WITH_IMPORTED, few)
    samples |= {key: sample for key, sample in with_imported.items() if key not in enough}
    by_concept: dict[int, list[Sample]] = defaultdict(list)
    for (concept, grid), (questions, yes) in sorted(samples.items()):
        by_concept[concept].append(Sample(grid, questions, yes))
    return by_concept


def tiles_by_grid(project: Project) -> dict[int, int]:
    """Return by grid how many tiles are asked about."""
    return {grid: levels.pictures(project, grid).count() * grid**2 for grid in levels.GRIDS}


def _sums(query: str, concepts: Collection[int]) -> dict[tuple[int, int], tuple[int, float]]:
    """Return (questions, yes) by (concept, grid)."""
    with connection.cursor() as cursor:
        cursor.execute(query, {"concepts": list(concepts)})
        return {(concept, grid): (count, yes) for concept, grid, count, yes in cursor}
