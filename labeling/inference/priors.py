"""Bring a concept's stored questions to the priors that follow from it, by `labeling.beliefs`.

A question's prior rests on what its import states, else on the concept's prevalence, and on the
model's prediction as far as the concept's model weight goes. Whoever changes one of the three marks
the concept (`Concept.priors_stale`) in the same transaction and calls `update`; what a killed
process left is finished by the next recomputation.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from django.db import connection, transaction
from scipy.special import entr, expit  # type: ignore[import-untyped]

from labeling import beliefs, pools, predictions, question_state
from labeling.aggregation import online
from labeling.batches import batched
from labeling.inference.arrays import Floats, Ids, columns
from labeling.models import Concept, Project, Question

BATCH = 1_000  # questions without an answer that are locked together
SAME = 1e-9  # difference of probabilities that is one of rounding

OnProgress = Callable[[], None]

_QUESTIONS = """
SELECT id, tile_id, coalesce(stated, 'NaN'), exclusion_shift, prior, prior_shift,
    coalesce(model_probability, 'NaN'),
    state = 'open' AND answers_count = 0 AND verdict IS NULL
FROM labeling_question WHERE kind = 'concept' AND concept_id = {concept}
"""
_CONCEPT = """
SELECT prevalence, model_weight, predictions, features FROM labeling_concept AS concept
JOIN labeling_project AS project ON project.id = project_id
WHERE concept.id = %s FOR SHARE OF concept
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


def update_stale(project: Project, on_progress: OnProgress = lambda: None) -> int:
    """Update the concepts of a project whose priors are stale; return how many questions changed.

    `on_progress` is called after each batch.
    """
    stale = project.concepts.filter(priors_stale=True).order_by("pk")
    return sum(update(concept, on_progress) for concept in stale)


def update(concept: Concept, on_progress: OnProgress = lambda: None) -> int:
    """Bring a concept's stored questions to their priors; return how many changed.

    1. Read the concept and its predictions as they are now.
    2. Find the questions whose prior is another one, without a lock.
    3. Lock and write them, a batch at a time, in the order of their ids. Each batch holds the
       concept as it was read; where it has changed, somebody else updates by what it is now.
    4. Renew the concept's pools: what is doubtful or likely has changed too.
    5. Clear the mark, unless the concept has changed meanwhile.

    The posterior of an answered question moves by as many log-odds as its prior, and its state
    follows; a known truth stays. Doing it again changes nothing.
    """
    current = Concept.objects.select_related("project").filter(pk=concept.pk).first()
    if current is None:
        return 0
    changed = 0
    try:
        for written in _write(_ConceptPriors(current)):
            changed += written
            on_progress()
    except _ConceptChanged:
        return changed
    pools.renew(current)
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


class _ConceptChanged(Exception):
    """Somebody has changed the concept since it was read."""


@dataclass(frozen=True)
class _Priors:
    """The priors of n questions, in their order."""

    predicted: Floats  # (n,) probability; NaN: none
    shift: Floats  # (n,) log-odds that the prediction adds
    prior: Floats  # (n,) probability


class _ConceptPriors:
    """What follows from one concept for questions about it."""

    def __init__(self, concept: Concept) -> None:
        self.concept = concept
        self._tile_ids = predictions.tile_ids(concept.project)
        self._predictions = predictions.load(concept, concept.project)

    def hold(self) -> None:
        """Keep the concept as it is until the transaction ends. Raises _ConceptChanged."""
        with connection.cursor() as cursor:
            cursor.execute(_CONCEPT, [self.concept.pk])
            now = cursor.fetchone()
        concept = self.concept
        files = str(concept.predictions.name or ""), str(concept.project.features.name or "")
        if now != (concept.prevalence, concept.model_weight, *files):
            raise _ConceptChanged

    def of(self, tiles: Ids, stated: Floats, exclusion: Floats) -> _Priors:
        """Return the priors of questions about these tiles (n,).

        stated: (n,), NaN: nothing. exclusion: (n,) log-odds, as they are stored.
        """
        predicted = self._log_odds(tiles)
        prevalence, weight = np.array(self.concept.prevalence), np.array(self.concept.model_weight)
        shift = beliefs.shift(predicted, prevalence, weight)
        base = np.where(np.isnan(stated), prevalence, stated)
        return _Priors(expit(predicted), shift, beliefs.shifted(base, shift + exclusion))

    def _log_odds(self, tiles: Ids) -> Floats:
        """Return the predicted log-odds (n,), NaN without a prediction."""
        log_odds = np.full(len(tiles), np.nan)
        if self._predictions is not None:
            rows = predictions.rows_of(self._tile_ids, tiles)
            log_odds[rows >= 0] = self._predictions[rows[rows >= 0]]
        return log_odds


def _write(priors: _ConceptPriors) -> Iterator[int]:
    """Write the questions whose prior is another one; yield after each batch how many it had."""
    unanswered, answered = _differing(priors)
    for ids in batched(unanswered, BATCH):
        written = _write_unanswered(ids, priors)
        answered += sorted(set(ids) - written)  # since they were found
        yield len(written)
    for ids in batched(sorted(answered), question_state.BATCH):
        yield _write_answered(ids, priors)


def _differing(priors: _ConceptPriors) -> tuple[list[int], list[int]]:
    """Return the ids of the questions without an answer, and of others, whose prior is another."""
    ids, tiles, stated, exclusion, prior, shift, predicted, unanswered = columns(
        _QUESTIONS.format(concept=priors.concept.pk),
        *("int8", "int8", "float8", "float8", "float8", "float8", "float8", "bool"),
    )
    new = priors.of(tiles, stated, exclusion)
    same = _close(prior, new.prior) & _close(shift, new.shift) & _close(predicted, new.predicted)
    return np.sort(ids[~same & unanswered]).tolist(), np.sort(ids[~same & ~unanswered]).tolist()


def _close(old: Floats, new: Floats) -> npt.NDArray[np.bool_]:
    return np.isclose(old, new, rtol=0, atol=SAME, equal_nan=True)


@transaction.atomic
def _write_unanswered(ids: list[int], priors: _ConceptPriors) -> set[int]:
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
def _write_answered(ids: list[int], priors: _ConceptPriors) -> int:
    """Write questions with an answer or a known truth; return how many there are."""
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
