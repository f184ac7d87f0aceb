"""What a model thinks of questions, and how far it is trusted, concept by concept.

An opinion is a probability. It moves a question's prior by what it says beyond the concept's base
rate, times the concept's trust: a factor in 0 … 1 that is learned from people's answers to
questions which the model was not trained on. So a bad model moves nothing. Without an opinion, and
without features, nothing here changes anything.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from django.db import transaction
from django.db.models import Count, Q
from safetensors import SafetensorError
from scipy.special import expit, logit  # type: ignore[import-untyped]

from labeling import question_state
from labeling.aggregation.model_weight import DEFAULT_WEIGHT, fit_model_weight, match_prevalence
from labeling.aggregation.online import (
    ANSWER_CORRELATION,
    MAX_EVIDENCE,
    MAX_REVERSED_EVIDENCE,
    PRIOR_RIGHT,
    PRIOR_WRONG,
    log_odds,
    probability,
)
from labeling.aggregation.probe import Probe
from labeling.batches import batched
from labeling.inference import features
from labeling.inference.arrays import Floats, Ids, columns
from labeling.inference.features import Features, Index, Singles
from labeling.models import Concept, Project, Question, Recomputation
from labeling.models.answers import TRUSTED

BATCH = 500  # questions that are held at once
LARGEST = 3.0  # log-odds: before trust, an opinion counts at most as one answer may
ENOUGH = 5  # questions believed to be yes, and as many no, that a probe needs
SURE = 0.8  # from which probability on a question is believed, either way
MOST = 10_000  # questions that a probe is fitted on
ROUNDS = 2  # of probe and belief
GROWTH = 1.2  # once so many times as many questions are known, all is learned anew
NOTICEABLE = 0.2  # log-odds: smaller moves are not written
KNOWN = 14.0  # log-odds of a truth that is known
EDGE = 1e-6

logger = logging.getLogger(__name__)

_ASKED = """
SELECT id, tile_id, prior, prior_shift, coalesce(model_probability, 'NaN'),
    CASE verdict WHEN true THEN 1::int2 WHEN false THEN 0::int2 ELSE -1::int2 END
FROM labeling_question WHERE kind = 'concept' AND concept_id = {concept}
"""
# By question: answers that count, and what they are worth together (`online.evidence`).
_SAID = f"""
SELECT question_id, count(*), sum(
    CASE WHEN value THEN 1 ELSE -1 END * least(greatest(
        CASE WHEN value THEN ln(yes / (1 - no)) ELSE ln(no / (1 - yes)) END,
        -{MAX_REVERSED_EVIDENCE}), {MAX_EVIDENCE}))
FROM labeling_answer AS answer
JOIN labeling_question AS question ON question.id = question_id
JOIN (
    SELECT id, blocked,
        (true_positives + {PRIOR_RIGHT})
            / (true_positives + false_negatives + {PRIOR_RIGHT + PRIOR_WRONG}) AS yes,
        (true_negatives + {PRIOR_RIGHT})
            / (true_negatives + false_positives + {PRIOR_RIGHT + PRIOR_WRONG}) AS no
    FROM labeling_annotator
) AS annotator ON annotator.id = annotator_id
WHERE kind = 'concept' AND concept_id = {{concept}} AND {TRUSTED}
GROUP BY question_id
"""


def store(opinions: Mapping[int, float]) -> int:
    """Store a model's probability by question id, and let it move what is asked next.

    The prior and the belief of open questions move; what an earlier opinion had moved is taken
    back first. Ids that are gone are left out. Gives how many were stored.
    """
    if bad := next((p for p in opinions.values() if not 0 <= p <= 1), None):
        raise ValueError(f"An opinion is a probability between 0 and 1, not {bad}.")
    stored = 0
    for ids in batched(sorted(opinions), BATCH):
        with transaction.atomic():
            questions = question_state.lock(ids)
            for question in questions:
                opinion = opinions[question.pk]
                hear(question, opinion, shift(opinion, question.concept))
            stored += question_state.save(questions)
    return stored


def shift(opinion: float, concept: Concept | None) -> float:
    """What a model's opinion adds to a question's log-odds; of a caption, if there is no concept.

    It never settles a question without as many answers as the project asks for.
    """
    base, factor = (concept.prevalence, concept.model_weight) if concept else (0.5, DEFAULT_WEIGHT)
    gain = log_odds(opinion) - log_odds(base)
    return factor * min(max(gain, -LARGEST), LARGEST)


def hear(question: Question, opinion: float, told: float) -> None:
    """Put an opinion, and the move of the log-odds that it means, in the place of the last one."""
    move = told - question.prior_shift
    question.model_probability, question.prior_shift = opinion, told
    question.prior = probability(log_odds(question.prior) + move)
    if question.state == Question.State.OPEN:
        question.probability = probability(log_odds(question.probability) + move)
        question_state.update_state(question)


def refresh(recomputation: Recomputation) -> int:
    """Learn anew what the project's features tell of its concepts, and how far to trust it.

    Only concepts of which a fifth more is known than the last time, or all that is known where the
    features are new. A concept with enough believed questions on both sides gets the opinions of a
    probe, out of fold where people have spoken; others keep those that they have. Gives how many
    questions changed.
    """
    due = list(_due(recomputation.project)) if recomputation.project.features.name else []
    seen = features.of(recomputation.project) if due else None
    if seen is None:
        return 0
    changed = 0
    try:
        for concept, known in due:
            changed += _listen(concept, seen, recomputation)
            Concept.objects.filter(pk=concept.pk).update(known_when_fitted=max(known, 1))
    except (OSError, SafetensorError) as error:  # the rest goes on without them
        logger.warning("The features of %s cannot be read: %s", recomputation.project, error)
    return changed


@dataclass(frozen=True)
class _Asked:
    """n questions of one concept, as they are stored; log-odds but for the opinion."""

    id: Ids
    tile: Ids
    told: Floats  # what the last opinion added
    opinion: Floats  # NaN: none
    before: Floats  # before model and people spoke
    said: Floats  # what people's answers add; 0 without
    known: npt.NDArray[np.bool_]  # whether anybody has spoken


def _due(project: Project) -> Iterator[tuple[Concept, int]]:
    """Concepts of which much more is known than when they were last learned, and how much."""
    known = Q(questions__answers_count__gt=0) | Q(questions__verdict__isnull=False)
    counted = project.concepts.annotate(known=Count("questions", filter=known))
    for concept in counted.order_by("pk"):
        if not concept.known_when_fitted or concept.known > GROWTH * concept.known_when_fitted:
            yield concept, concept.known


def _listen(concept: Concept, seen: Features, recomputation: Recomputation) -> int:
    asked = _read(concept, recomputation.strength)
    opinion = _probed(asked, concept, seen, recomputation)
    if opinion is None:
        opinion = asked.opinion
    gain = _gain(opinion, concept)
    fresh = asked.known & np.isfinite(opinion) & ~np.isin(asked.id, seen.learned)
    factor = fit_model_weight(gain[fresh], asked.before[fresh], asked.said[fresh])
    Concept.objects.filter(pk=concept.pk).update(model_weight=factor)
    return _write(asked, opinion, factor * gain, recomputation)


def _read(concept: Concept, strength: float) -> _Asked:
    ids, tiles, prior, told, opinion, verdict = columns(
        _ASKED.format(concept=concept.pk), "int8", "int8", "float8", "float8", "float8", "int2"
    )
    order = np.argsort(ids)
    ids, tiles, prior, told, opinion, verdict = (
        column[order] for column in (ids, tiles, prior, told, opinion, verdict)
    )
    said = np.where(verdict < 0, 0, KNOWN * (2.0 * verdict - 1))
    spoken = verdict >= 0
    answered, count, evidence = columns(_SAID.format(concept=concept.pk), "int8", "int8", "float8")
    place = np.searchsorted(ids, answered).clip(max=max(len(ids) - 1, 0))
    there = (ids[place] == answered) & (verdict[place] < 0) if len(ids) else answered < 0
    worth = strength / (1 + ANSWER_CORRELATION * (count - 1))
    said[place[there]] = (worth * evidence)[there]
    spoken[place[there]] = True
    start = logit(prior.clip(EDGE, 1 - EDGE)) - told
    return _Asked(ids, tiles, told, opinion, start, said, spoken)


def _gain(opinion: Floats, concept: Concept) -> Floats:
    """What the opinions say beyond the base rate, in log-odds; 0 where there is none."""
    gain = logit(opinion.clip(EDGE, 1 - EDGE)) - log_odds(concept.prevalence)
    clipped: Floats = np.nan_to_num(gain).clip(-LARGEST, LARGEST)
    return clipped


def _probed(
    asked: _Asked, concept: Concept, seen: Features, recomputation: Recomputation
) -> Floats | None:
    """The opinions of a probe on what people say, and those stored where it has none.

    None where too little is believed. The model's earlier opinions are no part of what it learns.
    """
    place = seen.places(asked.tile)
    learnable = np.flatnonzero(asked.known & (place >= 0))
    chosen = np.sort(np.random.default_rng(0).permutation(learnable)[:MOST])
    rows = _rows(seen, place[chosen], concept)
    finite = np.isfinite(rows).all(1)
    chosen, rows = chosen[finite], rows[finite]
    belief = expit(asked.before + asked.said)[chosen]
    if min((belief >= SURE).sum(), (belief <= 1 - SURE).sum()) < ENOUGH:
        return None
    probe = _fitted(rows, asked.before[chosen], asked.said[chosen], int(concept.pk in seen.texts))
    recomputation.renew()
    score = np.full(len(asked.id), np.nan)
    score[chosen] = _yes(probe.out_of_fold)
    others = np.setdiff1d(np.flatnonzero(place >= 0), chosen)
    for which, block in seen.blocks(place[others]):
        score[others[which]] = _yes(probe.predict_proba(_with_hint(block, seen, concept)))
        recomputation.renew()
    opinion = asked.opinion.copy()
    there = np.isfinite(score)
    opinion[there] = expit(match_prevalence(score[there], concept.prevalence))
    return opinion


def _fitted(rows: Singles, before: Floats, said: Floats, hints: int) -> Probe:
    """A probe on what people say, and again on that with its own out-of-fold opinion heard."""
    belief = expit(before + said)
    for final in [False] * (ROUNDS - 1) + [True]:
        probe = Probe(rows, np.stack([1 - belief, belief], 1), np.ones(len(rows)), hints=hints)
        if not final:
            base = logit(belief.mean().clip(EDGE, 1 - EDGE))
            gain = (_yes(probe.out_of_fold) - base).clip(-LARGEST, LARGEST)
            belief = expit(before + fit_model_weight(gain, before, said) * gain + said)
    return probe


def _yes(chances: Floats) -> Floats:
    """(n,) log-odds of yes, of rows (no, yes)."""
    odds: Floats = logit(chances[:, 1].clip(EDGE, 1 - EDGE))
    return odds


def _rows(seen: Features, places: Index, concept: Concept) -> Singles:
    """What is seen at the places, in their order; NaN in a row that cannot be used."""
    rows = np.full((len(places), seen.width + (concept.pk in seen.texts)), np.nan, np.float32)
    for which, block in seen.blocks(places):
        rows[which] = _with_hint(block, seen, concept)
    return rows


def _with_hint(rows: Singles, seen: Features, concept: Concept) -> Singles:
    """The rows, and how well the concept's phrase fits them as the last column, if it is known."""
    text = seen.texts.get(concept.pk)
    return rows if text is None else np.column_stack([rows, rows @ text])


def _write(asked: _Asked, opinion: Floats, told: Floats, recomputation: Recomputation) -> int:
    """Put the opinions in place where they move something, a batch at a time."""
    moved = np.isfinite(opinion) & (
        (np.abs(told - asked.told) > NOTICEABLE) | np.isnan(asked.opinion)
    )
    places = np.flatnonzero(moved)
    where = dict(zip(asked.id[places].tolist(), places.tolist(), strict=True))
    for ids in batched(sorted(where), BATCH):
        with transaction.atomic():
            questions = question_state.lock(ids)
            for question in questions:
                at = where[question.pk]
                hear(question, float(opinion[at]), float(told[at]))
            question_state.save(questions)
        recomputation.renew()
    return len(where)
