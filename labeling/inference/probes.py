"""Probe a concept: predict its questions from features, by what people say of some of them.

All questions of one concept are read as arrays; log-odds are natural. A probe is the linear one of
`labeling.aggregation.probe`, fitted to people's answers, never to the model's own predictions.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit  # type: ignore[import-untyped]

from labeling.aggregation.model_weight import fit_model_weight, match_prevalence
from labeling.aggregation.online import (
    ANSWER_CORRELATION,
    EDGE,
    MAX_EVIDENCE,
    MAX_REVERSED_EVIDENCE,
    PRIOR_RIGHT,
    PRIOR_WRONG,
    log_odds,
)
from labeling.aggregation.probe import Probe
from labeling.beliefs import MAX_SHIFT
from labeling.features import Features, Index, Singles
from labeling.inference.arrays import Floats, Ids, columns
from labeling.models import Concept
from labeling.models.answers import TRUSTED

CONFIDENT = 0.8  # probability from which on a question counts as a yes, or as a no
MIN_CONFIDENT = 5  # questions of either side without which no probe is fitted
MAX_FITTED = 10_000  # questions that a probe is fitted on
ROUNDS = 2  # of fitting a probe, the later ones to posteriors that hold its predictions
KNOWN = 14.0  # log-odds of a known truth

_QUESTIONS = """
SELECT id, tile_id, prior, prior_shift, coalesce(model_probability, 'NaN'),
    CASE verdict WHEN true THEN 1::int2 WHEN false THEN 0::int2 ELSE -1::int2 END
FROM labeling_question WHERE kind = 'concept' AND concept_id = {concept}
"""
# By question: the trusted answers, and the sum of their evidence (`online.evidence`).
_EVIDENCE = f"""
SELECT question_id, count(*), sum(
    CASE WHEN value THEN 1 ELSE -1 END * least(greatest(
        CASE WHEN value THEN ln(sensitivity / (1 - specificity))
            ELSE ln(specificity / (1 - sensitivity)) END,
        -{MAX_REVERSED_EVIDENCE}), {MAX_EVIDENCE}))
FROM labeling_answer AS answer
JOIN labeling_question AS question ON question.id = question_id
JOIN (
    SELECT id, blocked,
        (true_positives + {PRIOR_RIGHT})
            / (true_positives + false_negatives + {PRIOR_RIGHT + PRIOR_WRONG}) AS sensitivity,
        (true_negatives + {PRIOR_RIGHT})
            / (true_negatives + false_positives + {PRIOR_RIGHT + PRIOR_WRONG}) AS specificity
    FROM labeling_annotator
) AS annotator ON annotator.id = annotator_id
WHERE kind = 'concept' AND concept_id = {{concept}} AND {TRUSTED}
GROUP BY question_id
"""

OnProgress = Callable[[], None]


@dataclass(frozen=True)
class ConceptQuestions:
    """The n questions of a concept as they are stored, by id."""

    id: Ids
    tile: Ids
    prior_shift: Floats  # log-odds that the last prediction added to the prior
    model_probability: Floats  # NaN where there is none
    prior: Floats  # log-odds before model and people
    evidence: Floats  # log-odds that people's answers or a known truth add
    known: npt.NDArray[np.bool_]  # whether there are any


def read(concept: Concept, *, strength: float) -> ConceptQuestions:
    """Read a concept's questions. `strength` weighs one answer's evidence (`online.Tempering`)."""
    ids, tiles, prior, prior_shift, model_probability, verdict = columns(
        _QUESTIONS.format(concept=concept.pk), "int8", "int8", "float8", "float8", "float8", "int2"
    )
    order = np.argsort(ids)
    ids, verdict, prior_shift = ids[order], verdict[order], prior_shift[order]
    evidence = np.where(verdict < 0, 0, KNOWN * (2.0 * verdict - 1))
    known = verdict >= 0
    question, count, total = columns(_EVIDENCE.format(concept=concept.pk), "int8", "int8", "float8")
    place = np.searchsorted(ids, question).clip(max=max(len(ids) - 1, 0))
    usable = (ids[place] == question) & (verdict[place] < 0) if len(ids) else question < 0
    weight = strength / (1 + ANSWER_CORRELATION * (count - 1))
    evidence[place[usable]] = (weight * total)[usable]
    known[place[usable]] = True
    return ConceptQuestions(
        id=ids,
        tile=tiles[order],
        prior_shift=prior_shift,
        model_probability=model_probability[order],
        prior=logit(prior[order].clip(EDGE, 1 - EDGE)) - prior_shift,
        evidence=evidence,
        known=known,
    )


def information(model_probability: Floats, prevalence: float) -> Floats:
    """Return what predictions (n,) add to the prevalence, in log-odds; 0 where there is none."""
    added = logit(model_probability.clip(EDGE, 1 - EDGE)) - log_odds(prevalence)
    clipped: Floats = np.nan_to_num(added).clip(-MAX_SHIFT, MAX_SHIFT)
    return clipped


def predict(
    questions: ConceptQuestions, concept: Concept, features: Features, on_progress: OnProgress
) -> Floats | None:
    """Return a probe's probabilities (n,), out of fold where it was fitted.

    Questions whose tiles have no features keep the prediction that they have. Returns None where
    people are confident of too few questions to fit a probe.
    """
    row = features.rows_of(questions.tile)  # (n,) -1 where the tile has no features
    learnable = np.flatnonzero(questions.known & (row >= 0))
    fitted = np.sort(np.random.default_rng(0).permutation(learnable)[:MAX_FITTED])
    inputs = _inputs(features, row[fitted], concept)
    finite = np.isfinite(inputs).all(1)
    fitted, inputs = fitted[finite], inputs[finite]
    prior, evidence = questions.prior[fitted], questions.evidence[fitted]
    posterior = expit(prior + evidence)
    sides = (posterior >= CONFIDENT).sum(), (posterior <= 1 - CONFIDENT).sum()
    if min(sides) < MIN_CONFIDENT:
        return None
    probe = _fit(inputs, prior, evidence, hints=int(concept.pk in features.texts))
    on_progress()
    scores = np.full(len(questions.id), np.nan)  # log-odds
    scores[fitted] = _log_odds(probe.out_of_fold)
    others = np.setdiff1d(np.flatnonzero(row >= 0), fitted)
    for index, block in features.blocks(row[others]):
        scores[others[index]] = _log_odds(probe.predict_proba(_with_hint(block, features, concept)))
        on_progress()
    predicted = np.isfinite(scores)
    probabilities = questions.model_probability.copy()
    probabilities[predicted] = expit(match_prevalence(scores[predicted], concept.prevalence))
    return probabilities


def _fit(inputs: Singles, prior: Floats, evidence: Floats, *, hints: int) -> Probe:
    """Fit a probe to what people say, then to that with its own out-of-fold predictions."""
    posterior = expit(prior + evidence)
    for final in [False] * (ROUNDS - 1) + [True]:
        targets = np.stack([1 - posterior, posterior], 1)
        probe = Probe(inputs, targets, np.ones(len(inputs)), hints=hints)
        if not final:
            base = logit(posterior.mean().clip(EDGE, 1 - EDGE))
            added = (_log_odds(probe.out_of_fold) - base).clip(-MAX_SHIFT, MAX_SHIFT)
            weight = fit_model_weight(added, prior, evidence)
            posterior = expit(prior + weight * added + evidence)
    return probe


def _log_odds(probabilities: Floats) -> Floats:
    """Return the log-odds of yes (n,) of probabilities (n, 2) of no and yes."""
    odds: Floats = logit(probabilities[:, 1].clip(EDGE, 1 - EDGE))
    return odds


def _inputs(features: Features, rows: Index, concept: Concept) -> Singles:
    """Return the features in `rows` (n,), with the hint; NaN in a row that is not finite."""
    width = features.width + (concept.pk in features.texts)
    inputs = np.full((len(rows), width), np.nan, np.float32)
    for index, block in features.blocks(rows):
        inputs[index] = _with_hint(block, features, concept)
    return inputs


def _with_hint(rows: Singles, features: Features, concept: Concept) -> Singles:
    """Return the rows, with their similarity to the concept's phrase as the last column."""
    text = features.texts.get(concept.pk)
    return rows if text is None else np.column_stack([rows, rows @ text])
