"""Probe a concept: predict all tiles from their features, by what people say of some of them.

Log-odds are natural. A probe is the linear one of `labeling.aggregation.answer_probe`, fitted to
people's answers, never to the model's own predictions.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit  # type: ignore[import-untyped]

from labeling.aggregation.answer_probe import AnswerProbe
from labeling.aggregation.online import ANSWER_CORRELATION, EDGE, WHOLE_ANSWER
from labeling.aggregation.probe import Probe
from labeling.beliefs import log_odds
from labeling.evidence import earnest_priors, of_answer
from labeling.features import Features, Index, Singles
from labeling.inference.arrays import Floats, Ids, columns
from labeling.models import Annotator, Answer, Concept
from labeling.models.answers import TRUSTED
from labeling.question_state import ROUNDING

CONFIDENT = 0.8  # probability from which on a question counts as a yes, or as a no
MIN_CONFIDENT = 5  # questions of either side without which no probe is fitted
MAX_FITTED = 10_000  # questions that a probe is fitted on
KNOWN = 14.0  # log-odds of a known truth

_QUESTIONS = """
SELECT id, tile_id, coalesce(stated, 'NaN'),
    CASE verdict WHEN true THEN 1::int2 WHEN false THEN 0::int2 ELSE -1::int2 END
FROM labeling_question
WHERE kind = 'concept' AND concept_id = {concept} AND (answers_count > 0 OR verdict IS NOT NULL)
"""
_ANSWERS = f"""
SELECT question_id, annotator_id, value, weight, answer.reason = 'imported'
FROM labeling_answer AS answer
JOIN labeling_question AS question ON question.id = question_id
JOIN labeling_annotator AS annotator ON annotator.id = annotator_id
WHERE kind = 'concept' AND concept_id = {{concept}} AND verdict IS NULL AND {TRUSTED}
"""

# Whole pictures on which a concept that rules this one out is settled as true; the surest of them.
_EXCLUDED = """
SELECT tile_id, min(overlap + (1 - overlap) * (1 - question.probability))
FROM labeling_concept AS own
JOIN labeling_exclusivegroup_concepts AS membership ON membership.concept_id = own.id
JOIN labeling_exclusivegroup AS exclusive ON exclusive.id = membership.exclusivegroup_id
JOIN labeling_exclusivegroup_concepts AS other
    ON other.exclusivegroup_id = exclusive.id AND other.concept_id <> own.id
JOIN labeling_question AS question ON question.concept_id = other.concept_id
WHERE own.id = {concept} AND kind = 'concept' AND grid = 1 AND source <> 'model'
    AND state IN ('settled', 'gold') AND question.probability >= 0.5
GROUP BY tile_id
"""
RULED_OUT = -1  # id of what nobody was asked

OnProgress = Callable[[], None]


@dataclass(frozen=True)
class KnownQuestions:
    """The n questions of a concept that people say something of, by id.

    They are followed by the pairs that other concepts of the picture rule out.
    """

    id: Ids  # RULED_OUT: nobody was asked
    tile: Ids
    base: Floats  # log-odds before model and people
    evidence: Floats  # log-odds that people's answers or a known truth add


@dataclass(frozen=True)
class ConceptProbe:
    """A probe as one linear function of a tile's embedding, and what it says of its own rows."""

    weights: Singles  # (E,)
    constant: float
    rows: Index  # (n,) of the features that it was fitted to
    out_of_fold: Floats  # (n,) log-odds of these by folds that were not fitted to them


def read(concept: Concept, *, strength: float) -> KnownQuestions:
    """Read a concept's questions with an answer that weighs anything, or with a known truth.

    `strength` weighs one answer's evidence (`online.Tempering`).
    """
    ids, tiles, stated, verdict = columns(
        _QUESTIONS.format(concept=concept.pk), "int8", "int8", "float8", "int2"
    )
    order = np.argsort(ids)
    ids, tiles, stated, verdict = ids[order], tiles[order], stated[order], verdict[order]
    evidence = np.where(verdict < 0, 0, KNOWN * (2.0 * verdict - 1))
    known = verdict >= 0
    question, ratios = _evidence(concept)
    place = np.searchsorted(ids, question).clip(max=max(len(ids) - 1, 0))
    usable = (ids[place] == question) & (verdict[place] < 0) if len(ids) else question < 0
    place, ratios = place[usable], ratios[usable]
    count = np.bincount(place, np.minimum((ratios / WHOLE_ANSWER) ** 2, 1.0), len(ids))
    total = np.bincount(place, ratios, len(ids))
    answered = count >= ROUNDING
    weight = strength / (1 + ANSWER_CORRELATION * (count - 1).clip(0))
    evidence = np.where(answered & ~known, weight * total, evidence)
    known |= answered
    base = log_odds(np.where(np.isnan(stated), concept.prevalence, stated))
    asked = KnownQuestions(ids[known], tiles[known], base[known], evidence[known])
    return _with_excluded(asked, concept)


def _with_excluded(asked: KnownQuestions, concept: Concept) -> KnownQuestions:
    """Add the pairs that other concepts rule out: whoever sees a cat was not asked for a dog."""
    tiles, left = columns(_EXCLUDED.format(concept=concept.pk), "int8", "float8")
    new = ~np.isin(tiles, asked.tile)
    tiles, evidence = tiles[new], np.log(left[new].clip(EDGE))
    return KnownQuestions(
        np.concatenate([asked.id, np.full(len(tiles), RULED_OUT)]),
        np.concatenate([asked.tile, tiles]),
        np.concatenate([asked.base, np.full(len(tiles), log_odds(np.array(concept.prevalence)))]),
        np.concatenate([asked.evidence, evidence]),
    )


def _evidence(concept: Concept) -> tuple[Ids, Floats]:
    """Return the question and the evidence of each trusted answer (`labeling.evidence`)."""
    question, annotator, value, weight, imported = columns(
        _ANSWERS.format(concept=concept.pk), "int8", "int8", "bool", "float8", "bool"
    )
    annotators, index = np.unique(annotator, return_inverse=True)
    rows = Annotator.objects.in_bulk(annotators.tolist())
    priors = earnest_priors(list(rows), concept.project)
    table = np.zeros((len(annotators), 2, 2))  # by annotator, value, and whether it was imported
    reasons = Answer.Reason.WANTED, Answer.Reason.IMPORTED
    for place, pk in enumerate(annotators.tolist()):
        if pk in rows:
            counts = rows[pk].confusion_counts
            table[place] = [
                [of_answer(counts, each, reason, priors[pk]) for reason in reasons]
                for each in (False, True)
            ]
    return question, weight * table[index, value.astype(np.intp), imported.astype(np.intp)]


def fit(questions: KnownQuestions, concept: Concept, features: Features) -> ConceptProbe | None:
    """Fit a concept's probe; None where people are confident of too few questions."""
    rows = features.rows_of(questions.tile)  # (n,) -1 where the tile has no features
    learnable = np.flatnonzero(rows >= 0)
    fitted = np.sort(np.random.default_rng(0).permutation(learnable)[:MAX_FITTED])
    text = features.texts.get(concept.pk)
    inputs = features.rows(rows[fitted])
    if text is not None:  # the similarity to the concept's phrase as the last column
        inputs = np.column_stack([inputs, inputs @ text])
    finite = np.isfinite(inputs).all(1)
    fitted, inputs = fitted[finite], inputs[finite]
    base, evidence = questions.base[fitted], questions.evidence[fitted]
    posterior = expit(base + evidence)
    sides = (posterior >= CONFIDENT).sum(), (posterior <= 1 - CONFIDENT).sum()
    if min(sides) < MIN_CONFIDENT:
        return None
    likelihood = expit(np.stack([-evidence, evidence], 1))  # of the answers, by no and yes
    probe = AnswerProbe(inputs, likelihood, hints=int(text is not None))
    weights, constant = _linear(probe, text)
    return ConceptProbe(weights, constant, rows[fitted], _log_odds(probe.out_of_fold))


def _linear(probe: Probe, text: Singles | None) -> tuple[Singles, float]:
    """Return the probe's log-odds as weights (E,) on an embedding and a constant."""
    by_class = probe.linear_weights()  # (E + 1, 2), or (E + 2, 2) with the text
    *weights, constant = by_class[:, 1] - by_class[:, 0]
    if text is not None:
        *weights, of_text = weights
        weights = np.array(weights) + of_text * text
    return np.array(weights, np.float32), float(constant)


def _log_odds(probabilities: npt.NDArray[np.float64]) -> Floats:
    """Return the log-odds of yes (n,) of probabilities (n, 2) of no and yes."""
    return log_odds(probabilities[:, 1])
