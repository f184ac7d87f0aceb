"""Bring captions to the priors that follow from what is stated, from their source and a model."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from django.db import connection, transaction
from scipy.special import entr, expit, logit  # type: ignore[import-untyped]

from labeling import question_state
from labeling.aggregation.online import EDGE, log_odds
from labeling.batches import batched
from labeling.inference.arrays import Floats
from labeling.inference.caption_arrays import Captions, shift_of
from labeling.models.projects import CERTAINTY

BATCH = 1_000  # captions without an answer that are locked together
NOTICEABLE = 0.1  # log-odds of a prior; smaller changes are not written

_LOCK_UNANSWERED = """
SELECT id, coalesce(stated, 0.5), coalesce(model_probability, 'NaN'), answers_wanted
FROM labeling_question
WHERE id = ANY(%s) AND state = 'open' AND answers_count = 0 AND verdict IS NULL
ORDER BY id FOR NO KEY UPDATE
"""
_WRITE_UNANSWERED = """
UPDATE labeling_question AS question
SET prior = new.prior, probability = new.prior, prior_shift = new.shift, priority = new.priority
FROM unnest(%s::bigint[], %s::float8[], %s::float8[], %s::float8[])
    AS new(id, prior, shift, priority)
WHERE question.id = new.id
"""


def write(
    captions: Captions, change: Floats, weight: float, renew: Callable[[], None]
) -> Iterator[int]:
    """Write the captions whose prior is another one; yield after each batch how many it had."""
    target = prior_of(captions.stated, change, np.nan_to_num(weight * captions.predicted))
    moved = logit(target) - logit(captions.prior.clip(EDGE, 1 - EDGE))
    differs = np.abs(moved) > NOTICEABLE
    change_of = dict(zip(captions.id[differs].tolist(), change[differs].tolist(), strict=True))
    answered = captions.id[differs & ~captions.unanswered].tolist()
    for ids in batched(captions.id[differs & captions.unanswered].tolist(), BATCH):
        with transaction.atomic():  # whoever lost the lease writes nothing
            written = _write_unanswered(ids, change_of, weight)
            renew()
        answered += sorted(set(ids) - written)  # since they were read
        yield len(written)
    for ids in batched(sorted(answered), question_state.BATCH):
        with transaction.atomic():
            yield _write_answered(ids, change_of, weight)
            renew()


def prior_of(stated: Floats, change: Floats, shift: Floats) -> Floats:
    """Return priors (n,) by what is stated, what the source adds to its log-odds, and a model."""
    base = expit(logit(np.nan_to_num(stated, nan=0.5).clip(EDGE, 1 - EDGE)) + change)
    bounded = np.where(change == 0, base, base.clip(1 - CERTAINTY, CERTAINTY))
    prior: Floats = expit(logit(bounded) + shift)
    return prior


def _write_unanswered(ids: list[int], change_of: Mapping[int, float], weight: float) -> set[int]:
    """Write captions that have no answer, as far as that is still so; return their ids."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_UNANSWERED, [ids])
        locked = cursor.fetchall()
        if not locked:
            return set()
        pks, stated, model, wanted = (np.array(column) for column in zip(*locked, strict=True))
        change = np.array([change_of[pk] for pk in pks.tolist()])
        shift = shift_of(model, weight)
        prior = prior_of(stated.astype(np.float64), change, shift)
        bits = (entr(prior) + entr(1 - prior)) / np.log(2)
        priority = np.where(wanted > 0, 1.0, bits)  # as `question_state.priority`
        written = pks.tolist(), prior.tolist(), shift.tolist(), priority.tolist()
        cursor.execute(_WRITE_UNANSWERED, written)
    return set(pks.tolist())


def _write_answered(ids: list[int], change_of: Mapping[int, float], weight: float) -> int:
    """Write captions with an answer or a known truth; return how many there are."""
    questions = question_state.lock(ids)
    for question in questions:
        stated = np.array([np.nan if question.stated is None else question.stated])
        shift = shift_of(np.array([question.model_probability], np.float64), weight)
        prior = prior_of(stated, np.array([change_of[question.pk]]), shift)
        question.prior_shift = float(shift[0])
        moved = log_odds(float(prior[0])) - log_odds(question.prior)
        question_state.shift_prior(question, moved)
    return question_state.save(questions)
