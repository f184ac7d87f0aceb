"""Bring a concept's stored questions to the priors that follow from it, by `labeling.beliefs`.

A question's prior rests on what its import states, else on the concept's prevalence, and on the
model's prediction as far as the concept's model weight goes. Whoever changes one of the three marks
the concept (`Concept.priors_stale`) in the same transaction and calls `update`; what a killed
process left is finished by the next recomputation.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from django.db import connection, transaction
from scipy.special import entr  # type: ignore[import-untyped]

from labeling import pools, predictions, question_state
from labeling.aggregation import online
from labeling.batches import batched
from labeling.inference import concept_priors
from labeling.inference.arrays import columns
from labeling.inference.concept_priors import ConceptChanged, ConceptPriors
from labeling.models import Concept, Project, Question

BATCH = 1_000  # questions without an answer that are locked together

OnProgress = Callable[[], None]

_QUESTIONS = """
SELECT id, tile_id, coalesce(stated, 'NaN'), exclusion_shift, prior, prior_shift,
    coalesce(model_probability, 'NaN'),
    state = 'open' AND verdict IS NULL, answers_count > 0
FROM labeling_question WHERE kind = 'concept' AND concept_id = {concept}
"""
_LOCK_UNANSWERED = """
SELECT id, tile_id, stated, exclusion_shift, answers_wanted FROM labeling_question
WHERE id = ANY(%s) AND state = 'open' AND answers_count = 0 AND verdict IS NULL
ORDER BY id FOR NO KEY UPDATE
"""
_WRITE_UNANSWERED = """
UPDATE labeling_question AS question
SET prior = new.prior, probability = new.prior, prior_shift = new.shift,
    model_probability = nullif(new.predicted, 'NaN'), priority = new.priority
FROM unnest(%s::bigint[], %s::float8[], %s::float8[], %s::float8[], %s::float8[])
    AS new(id, prior, shift, predicted, priority)
WHERE question.id = new.id
"""


def update_stale(
    project: Project, on_progress: OnProgress = lambda: None, *, answered: bool = True
) -> int:
    """Update the concepts of a project whose priors are stale; return how many questions changed.

    `on_progress` is called after each batch. answered: as of `update`.
    """
    stale = concept_priors.stale(project.pk)
    return sum(update(concept, on_progress, answered=answered) for concept in stale)


def update(
    concept: Concept, on_progress: OnProgress = lambda: None, *, answered: bool = True
) -> int:
    """Bring a concept's stored questions to their priors; return how many changed.

    1. Read the concept and its predictions as they are now.
    2. Find the questions whose prior is another one, without a lock.
    3. Lock and write them, a batch at a time, in the order of their ids. Each batch holds the
       concept as it was read; where it has changed, somebody else updates by what it is now.
    4. Renew the concept's pools: what is doubtful or likely has changed too.
    5. Clear the mark, unless the concept has changed meanwhile.

    The posterior of an answered question moves by as many log-odds as its prior, and its state
    follows; a known truth stays. Doing it again changes nothing.

    answered: whether answered questions are written, too. Else they are left to the next
    recomputation, which writes them once, prior and posterior together; until then the mark stays.
    """
    current = Concept.objects.select_related("project").filter(pk=concept.pk).first()
    if current is None:
        return 0
    changed, priors = 0, ConceptPriors(current)
    differing = _differing(priors)
    left = not answered and len(differing.answered) > 0
    try:
        for written in _write(priors, differing, answered=answered):
            changed += written
            on_progress()
    except ConceptChanged:
        return changed
    pools.renew(current)
    if not left:
        _clear_mark(current)
    return changed


@transaction.atomic
def _clear_mark(concept: Concept) -> None:
    """Say that the questions have followed the concept, as it was read, unless it has changed."""
    unchanged = predictions.lock_unchanged(
        concept,
        features=str(concept.project.features.name or ""),
        prevalence=concept.prevalence,
        model_weight=concept.model_weight,
    )
    unchanged.update(priors_stale=False)


def _write(priors: ConceptPriors, differing: "_Differing", *, answered: bool) -> Iterator[int]:
    """Write the questions whose prior is another one; yield after each batch how many it had."""
    since = []  # they were found
    for ids in batched(differing.unanswered, BATCH):
        written = _write_unanswered(ids, priors)
        since += sorted(set(ids) - written)
        yield len(written)
    others = [*differing.known, *since, *(differing.answered if answered else [])]
    for ids in batched(sorted(others), question_state.BATCH):
        yield _write_others(ids, priors)


class _Differing(NamedTuple):
    """The ids of the questions whose prior is another one, ascending."""

    unanswered: list[int]  # that are open
    known: list[int]  # without an answer, but not open
    answered: list[int]


def _differing(priors: ConceptPriors) -> _Differing:
    """Find the questions whose prior is another one."""
    ids, tiles, stated, exclusion, prior, shift, predicted, is_open, answered = columns(
        _QUESTIONS.format(concept=priors.concept.pk),
        *("int8", "int8", "float8", "float8", "float8", "float8", "float8", "bool", "bool"),
    )
    new = priors.of(tiles, stated, exclusion)
    same = new.are(prior, shift, predicted)
    kinds = is_open & ~answered, ~is_open & ~answered, answered
    return _Differing(*(np.sort(ids[~same & kind]).tolist() for kind in kinds))


@transaction.atomic
def _write_unanswered(ids: list[int], priors: ConceptPriors) -> set[int]:
    """Write questions that have no answer, as far as that is still so; return their ids."""
    priors.hold()
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_UNANSWERED, [ids])
        locked = cursor.fetchall()
        if not locked:
            return set()
        pks, tiles, stated, exclusion, wanted = (
            np.array(column) for column in zip(*locked, strict=True)
        )
        new = priors.of(tiles, stated.astype(np.float64), exclusion)
        value = priors.concept.value
        bits = (entr(new.prior) + entr(1 - new.prior)) / np.log(2)
        priority = np.where(wanted > 0, value, bits * value)  # as `question_state.priority`
        written = pks, new.prior, new.shift, new.predicted, priority
        cursor.execute(_WRITE_UNANSWERED, [column.tolist() for column in written])
    return set(pks.tolist())


@transaction.atomic
def _write_others(ids: list[int], priors: ConceptPriors) -> int:
    """Write questions that are answered, known or closed; return how many there are."""
    priors.hold()
    questions = question_state.lock(ids)
    tiles = np.array([question.tile_id for question in questions], np.int64)
    stated = np.array([question.stated for question in questions], np.float64)
    exclusion = np.array([question.exclusion_shift for question in questions], np.float64)
    new = priors.of(tiles, stated, exclusion)
    rows = zip(new.predicted.tolist(), new.shift.tolist(), new.prior.tolist(), strict=True)
    for question, (predicted, shift, prior) in zip(questions, rows, strict=True):
        _set_prior(question, prior)
        question.model_probability = None if np.isnan(predicted) else predicted
        question.prior_shift = shift
        question_state.update_state(question)
    return question_state.save(questions)


def _set_prior(question: Question, prior: float) -> None:
    """Set the prior; move the posterior by as much."""
    change = online.log_odds(prior) - online.log_odds(question.prior)
    question.prior = prior
    if question.verdict is None and question.answers_count:
        question.probability = online.probability(online.log_odds(question.probability) + change)
    elif question.verdict is None:
        question.probability = prior
