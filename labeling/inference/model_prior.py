"""Move the priors of questions by a model's probabilities, as far as the model deserves it.

A prediction shifts the log-odds of a question's prior by what it says beyond the concept's
prevalence, times the concept's model weight: a factor in [0, 1] that is fitted to people's answers
to questions which the model was not trained on. So a bad model moves nothing, and without a model
nothing here changes anything. Captions have a prevalence of one half, and a project's captions one
weight together, which `labeling.inference.caption_trust` fits.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Count, Q

from labeling import beliefs, features, predictions, question_state
from labeling.aggregation.model_weight import DEFAULT_WEIGHT, fit_model_weight
from labeling.aggregation.online import log_odds
from labeling.batches import batched
from labeling.beliefs import MAX_SHIFT
from labeling.features import Features
from labeling.inference import probes, scores
from labeling.inference.arrays import Floats
from labeling.inference.probes import RULED_OUT, ConceptProbe, KnownQuestions
from labeling.inference.scores import Scores
from labeling.models import Concept, Project, Question, Recomputation

BATCH = 500  # questions that are locked together
GROWTH = 1.2  # of the known questions, from which on a concept is fitted again


def store(probabilities: Mapping[int, float]) -> int:
    """Store a model's probabilities of captions by question id, and move what is asked next.

    1. Refuse what is no probability.
    2. Lock the questions, a batch at a time; ids that are gone are left out.
    3. Turn each probability into a shift of the prior's log-odds, clipped, so that it never settles
       a question without as many answers as the project asks for.
    4. Put it in the place of the last one: in the prior and in the posterior, state and priority.
    5. Write the batch.

    Return how many were stored. Raises ValueError.
    """
    if bad := next((p for p in probabilities.values() if not 0 <= p <= 1), None):
        raise ValueError(f"A prediction is a probability between 0 and 1, not {bad}.")
    captions = Question.objects.filter(pk__in=list(probabilities), kind=Question.Kind.CAPTION)
    of_projects = Recomputation.objects.filter(project__in=captions.order_by().values("project"))
    weights = dict(of_projects.values_list("project", "caption_model_weight"))
    stored = 0
    for ids in batched(sorted(captions.values_list("pk", flat=True)), BATCH):
        with transaction.atomic():
            questions = question_state.lock(ids)
            for question in questions:
                predicted = probabilities[question.pk]
                weight = weights.get(question.project_id, DEFAULT_WEIGHT)
                shift = weight * min(max(log_odds(predicted), -MAX_SHIFT), MAX_SHIFT)
                change = shift - question.prior_shift
                question.model_probability, question.prior_shift = predicted, shift
                question_state.shift_prior(question, change)
            stored += question_state.save(questions)
    return stored


def withdraw(project: Project) -> int:
    """Take back what a model predicted of a project's captions; return how many there were."""
    captions = Question.objects.filter(
        project=project, kind=Question.Kind.CAPTION, model_probability__isnull=False
    )
    withdrawn = 0
    for ids in batched(sorted(captions.values_list("pk", flat=True)), BATCH):
        with transaction.atomic():
            questions = question_state.lock(ids)
            for question in questions:
                change, question.prior_shift = -question.prior_shift, 0.0
                question.model_probability = None
                question_state.shift_prior(question, change)
            withdrawn += question_state.save(questions)
    return withdrawn


def refresh(recomputation: Recomputation) -> int:
    """Predict a project's tiles from their features, and refit its concepts' model weights.

    For the concepts that are due (`_due`):

    1. Read what people say of their questions (`probes.read`), and fit a probe to each.
    2. Score all tiles by all probes, in one pass over the features (`scores.scored`). A concept of
       which too little is known for a probe keeps the predictions that it has.
    3. Fit each model weight to the questions that people have answered and the model was not
       trained on.
    4. Store predictions and weight, mark the concept's priors as stale, and note how many questions
       were known.

    Return how many concepts were fitted. Features that cannot be read are logged and left out;
    features that were replaced meanwhile leave the concepts due.
    """
    project = recomputation.project
    project.refresh_from_db(fields=["features"])
    due = list(_due(project)) if project.features.name else []
    current = features.load(project) if due else None
    if current is None:
        return 0
    fits = [_fit(concept, known, current, recomputation) for concept, known in due]
    probed = [fit for fit in fits if fit.probe is not None]
    every = [fit.probe for fit in probed if fit.probe is not None]
    with scores.scored(every, current, recomputation.renew) as scored:
        for fit, of_concept in zip(probed, scored, strict=True):
            predicted = scores.match(of_concept, fit.concept.prevalence)
            _store(fit, predicted, current, recomputation, new=True)
    for fit in fits:
        if fit.probe is None:
            earlier = predictions.load(fit.concept, project)
            _store(fit, earlier, current, recomputation, new=False)
    return len(fits)


@dataclass(frozen=True)
class _Fit:
    """What is known of a concept, and the probe that was fitted to it."""

    concept: Concept
    known: int
    questions: KnownQuestions
    probe: ConceptProbe | None


def _due(project: Project) -> Iterator[tuple[Concept, int]]:
    """Yield concepts of which more is known by GROWTH than when they were fitted, and how much.

    Those of a project with new features have never been fitted.
    """
    known = Q(answers_count__gt=0) | Q(verdict__isnull=False)
    rows = Question.objects.filter(known, project=project, kind=Question.Kind.CONCEPT).order_by()
    counts = dict(rows.values_list("concept").annotate(known=Count("pk")))
    for concept in project.concepts.order_by("pk"):
        count = counts.get(concept.pk, 0)
        if not concept.known_when_fitted or count > GROWTH * concept.known_when_fitted:
            yield concept, count


def _fit(concept: Concept, known: int, features: Features, recomputation: Recomputation) -> _Fit:
    questions = probes.read(concept, strength=recomputation.strength)
    probe = probes.fit(questions, concept, features)
    recomputation.renew()
    return _Fit(concept, known, questions, probe)


def _store(
    fit: _Fit,
    predicted: Scores | None,
    features: Features,
    recomputation: Recomputation,
    *,
    new: bool,
) -> None:
    """Store what was learned of a concept. predicted: (T,) log-odds; None: there are none."""
    weight = _fit_weight(fit, predicted, features)
    changes: dict[str, Any] = {"model_weight": weight, "known_when_fitted": max(fit.known, 1)}
    name = str(fit.concept.predictions.name or "")
    if predicted is not None and new:
        name = predictions.save(predicted, concept=fit.concept.pk, features=features.name)
        changes |= {"predictions": name}
    stale = new or weight != fit.concept.model_weight
    with transaction.atomic():  # whoever lost the lease writes nothing
        unchanged = predictions.lock_unchanged(fit.concept, features=features.name)
        stored = unchanged.update(**changes | ({"priors_stale": True} if stale else {}))
        recomputation.renew()
    if new:
        predictions.delete(str(fit.concept.predictions.name or "") if stored else name)


def _fit_weight(fit: _Fit, predicted: Scores | None, features: Features) -> float:
    """Fit the model weight where people have answered what the model was not trained on."""
    questions, row = fit.questions, features.rows_of(fit.questions.tile)
    log_odds = np.full(len(row), np.nan)
    if predicted is not None:
        log_odds[row >= 0] = predicted[row[row >= 0]]
    fresh = np.isfinite(log_odds) & ~np.isin(questions.id, features.learned)
    fresh &= questions.id != RULED_OUT
    if not fresh.any():
        return DEFAULT_WEIGHT
    prevalence = np.array(fit.concept.prevalence)
    added: Floats = beliefs.shift(log_odds[fresh], prevalence, np.array(1.0))
    return fit_model_weight(added, questions.base[fresh], questions.evidence[fresh])
