"""What each answer weighs in a recomputation: as online, by its annotator and its challenge.

Answers of sites' visitors weigh less besides, as far as they err together about what is known
(`aggregation.shared_errors`): copies of one program pass as many annotators.
"""

from dataclasses import dataclass

import numpy as np
from django.db import connection

from labeling import evidence
from labeling.aggregation import earnest, shared_errors
from labeling.aggregation.online import ConfusionCounts
from labeling.inference.arrays import AnswerArrays, Bools, Floats, Index, QuestionArrays
from labeling.models import Annotator, Project, Recomputation

LEAST = 1e-3  # weight, so that every answer still has a likelihood
NOTICEABLE = 0.02  # smaller changes of a challenge's weight are not written
BATCH = 1_000  # answers written at once

# Whoever changes answers just now is not waited for: the next recomputation finds them.
_WRITE = """
WITH changed AS (
    SELECT answer.id, new.weight
    FROM unnest(%s::bigint[], %s::double precision[]) AS new(id, weight)
    JOIN labeling_answer AS answer ON answer.id = new.id
    ORDER BY answer.id FOR NO KEY UPDATE OF answer SKIP LOCKED
)
UPDATE labeling_answer AS answer SET weight = changed.weight
FROM changed WHERE changed.id = answer.id
"""


@dataclass(frozen=True)
class Weights:
    """What each of N answers weighs, in [0, 1]."""

    challenge: Floats  # (N,) of its challenge, and beside those who err alike: `Answer.weight`
    total: Floats  # (N,) that, times the trust in its annotator
    judged: Bools  # (N,) whether its challenge asked what is known


def infer(project: Project, questions: QuestionArrays, answers: AnswerArrays) -> Weights:
    """Infer the weights by what is known of annotators and of questions.

    Imported answers weigh 1. Challenges without a question of known truth keep their weight.
    """
    counts, priors = _counts(answers), _priors(answers, project)
    challenge, judged = _challenge_weights(questions, answers, counts, priors)
    trust = np.array(
        [
            [earnest.trust(each, value, prior) for value in (False, True)]
            for each, prior in zip(counts, priors, strict=True)
        ]
    ).reshape(len(counts), 2)
    total = challenge * trust[answers.annotator, answers.value.astype(np.intp)]
    total = np.where(answers.imported, 1.0, total)
    return Weights(challenge, total.clip(LEAST, 1.0), judged)


def write(
    weights: Weights, answers: AnswerArrays, discount: Floats, recomputation: Recomputation
) -> None:
    """Write the challenges' weights that changed noticeably.

    discount: (N,) what each answer weighs beside those of other suspects. It is left to the
        recomputation where the weight is not inferred anew each time.
    """
    found = np.where(weights.judged, weights.challenge * discount, weights.challenge)
    (changed,) = np.nonzero(np.abs(found - answers.weight) > NOTICEABLE)
    for start in range(0, len(changed), BATCH):
        rows = changed[start : start + BATCH]
        with connection.cursor() as cursor:
            cursor.execute(_WRITE, [answers.id[rows].tolist(), found[rows].tolist()])
        recomputation.renew()


def _counts(answers: AnswerArrays) -> list[ConfusionCounts]:
    """Return what is known of each annotator of the answers."""
    rows = Annotator.objects.filter(pk__in=answers.annotators.tolist())
    by_id = {
        pk: ConfusionCounts(*counts) for pk, *counts in rows.values_list("pk", *Annotator.COUNTS)
    }
    return [by_id.get(pk, ConfusionCounts()) for pk in answers.annotators.tolist()]


def _priors(answers: AnswerArrays, project: Project) -> list[float]:
    """Return how probably each annotator of the answers answers in earnest, before any answer."""
    ids = answers.annotators.tolist()
    by_id = evidence.earnest_priors(ids, project)
    return [by_id[pk] for pk in ids]


def _challenge_weights(
    questions: QuestionArrays,
    answers: AnswerArrays,
    counts: list[ConfusionCounts],
    priors: list[float],
) -> tuple[Floats, Bools]:
    """Return (N,) the weight of each answer's challenge, and beside answers of the same errors.

    And whether the challenge asked what is known; the others keep their weight.
    """
    known = _known(questions, answers)
    weight = answers.weight.copy()
    (judged,) = np.nonzero(~np.isnan(known))
    if not len(judged):
        return weight, np.zeros(len(weight), bool)
    accuracy = np.array([earnest.accuracy(each) for each in counts])
    of_next = np.array(
        [earnest.challenge_prior(*each) for each in zip(counts, priors, strict=True)]
    )
    challenges, first, index = np.unique(
        answers.challenge[judged], return_index=True, return_inverse=True
    )
    of_challenge = earnest.challenge_weights(
        index,
        answers.value[judged],
        known[judged],
        accuracy[answers.annotator[judged]],
        of_next[answers.annotator[judged[first]]],
    )
    place: Index = np.searchsorted(challenges, answers.challenge).clip(max=len(challenges) - 1)
    has_judged = challenges[place] == answers.challenge
    weight[has_judged] = of_challenge[place[has_judged]]
    discounted = has_judged & answers.visitor
    if discounted.any():
        weight[discounted] *= _discount(questions, answers, known)[discounted]
    return weight, has_judged


def _known(questions: QuestionArrays, answers: AnswerArrays) -> Floats:
    """Return (N,) the probability of yes where an answer's challenge is judged by it; else NaN."""
    verdict = questions.verdict[answers.question]
    known = np.where(verdict >= 0, verdict, np.nan)
    checks = answers.check & (verdict < 0)
    known[checks] = questions.probability[answers.question[checks]]
    known[answers.challenge == 0] = np.nan
    return known


def _discount(questions: QuestionArrays, answers: AnswerArrays, known: Floats) -> Floats:
    """Return (N,) what answers of sites' visitors weigh beside those of the same errors; else 1.

    The project's model is one of those who may err together: its word is in the prior already.
    """
    (visitors,) = np.nonzero(answers.visitor)
    ids, annotator = np.unique(answers.annotator[visitors], return_inverse=True)
    question, value = answers.question[visitors], answers.value[visitors]
    is_known = ~np.isnan(known[visitors])
    wrong = value[is_known] != (known[visitors][is_known] > 0.5)
    says = questions.predicted > 0.5
    (judged,) = np.nonzero((questions.verdict >= 0) & ~np.isnan(questions.predicted))
    model = len(ids)  # its place among the visitors
    clusters = shared_errors.find(
        np.concatenate([annotator[is_known], np.full(len(judged), model)]),
        np.concatenate([question[is_known], judged]),
        np.concatenate([wrong, says[judged] != (questions.verdict[judged] > 0)]),
        annotators=model + 1,
        questions=len(questions.id),
    )
    agrees = ~np.isnan(questions.predicted[question]) & (says[question] == value)
    discount = np.ones(len(answers.id))
    discount[visitors] = shared_errors.discount(clusters, annotator, question, value)
    discount[visitors] *= shared_errors.beside_model(clusters, annotator, model, agrees)
    return discount
