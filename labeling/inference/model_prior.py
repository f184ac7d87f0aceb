"""Move the priors of questions by a model's probabilities, as far as the model deserves it.

A prediction shifts the log-odds of a question's prior by what it says beyond the concept's
prevalence, times the concept's model weight: a factor in [0, 1] that is fitted to people's answers
to questions which the model was not trained on. So a bad model moves nothing, and without a model
nothing here changes anything.
"""

import logging
from collections.abc import Iterator, Mapping

import numpy as np
from django.db import transaction
from django.db.models import Count, Q
from safetensors import SafetensorError

from labeling import features, question_state
from labeling.aggregation.model_weight import DEFAULT_WEIGHT, fit_model_weight
from labeling.aggregation.online import log_odds, probability
from labeling.batches import batched
from labeling.beliefs import MAX_SHIFT
from labeling.features import Features
from labeling.inference import probes
from labeling.inference.arrays import Floats
from labeling.inference.probes import ConceptQuestions
from labeling.models import Concept, Project, Question, Recomputation

BATCH = 500  # questions that are locked together
GROWTH = 1.2  # of the known questions, from which on a concept is fitted again
NOTICEABLE = 0.2  # log-odds; smaller changes of a shift are not written

logger = logging.getLogger(__name__)


def store(probabilities: Mapping[int, float]) -> int:
    """Store a model's probabilities of yes by question id, and move what is asked next.

    1. Refuse what is no probability.
    2. Lock the questions, a batch at a time; ids that are gone are left out.
    3. Turn each probability into a shift of the prior's log-odds (`prior_shift`).
    4. Put it in the place of the last one (`replace_shift`): in the prior and, while the question
       is open, in its probability, state and priority.
    5. Write the batch.

    Return how many were stored. Raises ValueError.
    """
    if bad := next((p for p in probabilities.values() if not 0 <= p <= 1), None):
        raise ValueError(f"A prediction is a probability between 0 and 1, not {bad}.")
    stored = 0
    for ids in batched(sorted(probabilities), BATCH):
        with transaction.atomic():
            questions = question_state.lock(ids)
            for question in questions:
                predicted = probabilities[question.pk]
                replace_shift(question, predicted, prior_shift(predicted, question.concept))
            stored += question_state.save(questions)
    return stored


def refresh(recomputation: Recomputation) -> int:
    """Predict a project's questions from its features, and refit its concepts' model weights.

    For each concept that is due (`_due`):

    1. Read its questions, and what people say of them (`probes.read`).
    2. Predict them by a probe; where too little is known for one, take the stored probabilities.
    3. Fit the model weight to the questions that people have answered and the model was not
       trained on.
    4. Turn each probability into a shift of the prior's log-odds.
    5. Put the shifts that changed noticeably in the place of the last ones, as `store` does.
    6. Note how many questions were known.

    Return how many questions changed. Features that cannot be read are logged and left out.
    """
    project = recomputation.project
    due = list(_due(project)) if project.features.name else []
    current = features.load(project) if due else None
    if current is None:
        return 0
    changed = 0
    try:
        for concept, known in due:
            questions = probes.read(concept, strength=recomputation.strength)
            probabilities = probes.predict(questions, concept, current, recomputation.renew)
            if probabilities is None:
                probabilities = questions.model_probability
            added = probes.information(probabilities, concept.prevalence)
            weight = _fit_weight(questions, probabilities, added, current)
            Concept.objects.filter(pk=concept.pk).update(model_weight=weight)
            changed += _replace_shifts(questions, probabilities, weight * added, recomputation)
            # Features that were replaced meanwhile leave the concept due.
            unchanged = Concept.objects.filter(pk=concept.pk, project__features=current.name)
            unchanged.update(known_when_fitted=max(known, 1))
    except (OSError, SafetensorError) as error:
        logger.warning("The features of %s cannot be read: %s", project, error)
    return changed


def prior_shift(predicted: float, concept: Concept | None) -> float:
    """Return what a prediction adds to a question's log-odds; of a caption without a concept.

    It is clipped, so that it never settles a question without as many answers as the project asks
    for.
    """
    prevalence, weight = (
        (concept.prevalence, concept.model_weight) if concept else (0.5, DEFAULT_WEIGHT)
    )
    added = log_odds(predicted) - log_odds(prevalence)
    return weight * min(max(added, -MAX_SHIFT), MAX_SHIFT)


def replace_shift(question: Question, predicted: float, shift: float) -> None:
    """Replace a locked question's prediction and prior shift; update what follows, unsaved."""
    change = shift - question.prior_shift
    question.model_probability, question.prior_shift = predicted, shift
    question.prior = probability(log_odds(question.prior) + change)
    if question.state == Question.State.OPEN:
        question.probability = probability(log_odds(question.probability) + change)
        question_state.update_state(question)


def _due(project: Project) -> Iterator[tuple[Concept, int]]:
    """Yield concepts of which more is known by GROWTH than when they were fitted, and how much.

    Those of a project with new features have never been fitted.
    """
    known = Q(questions__answers_count__gt=0) | Q(questions__verdict__isnull=False)
    counted = project.concepts.annotate(known=Count("questions", filter=known))
    for concept in counted.order_by("pk"):
        if not concept.known_when_fitted or concept.known > GROWTH * concept.known_when_fitted:
            yield concept, concept.known


def _fit_weight(
    questions: ConceptQuestions, probabilities: Floats, added: Floats, features: Features
) -> float:
    """Fit the model weight where people have answered what the model was not trained on."""
    fresh = questions.known & np.isfinite(probabilities) & ~np.isin(questions.id, features.learned)
    return fit_model_weight(added[fresh], questions.prior[fresh], questions.evidence[fresh])


def _replace_shifts(
    questions: ConceptQuestions,
    probabilities: Floats,
    shifts: Floats,
    recomputation: Recomputation,
) -> int:
    """Replace predictions and shifts that changed noticeably; return how many."""
    noticeable = np.abs(shifts - questions.prior_shift) > NOTICEABLE
    changed = np.isfinite(probabilities) & (noticeable | np.isnan(questions.model_probability))
    rows = np.flatnonzero(changed)
    row_of = dict(zip(questions.id[rows].tolist(), rows.tolist(), strict=True))
    for ids in batched(sorted(row_of), BATCH):
        with transaction.atomic():
            locked = question_state.lock(ids)
            for question in locked:
                row = row_of[question.pk]
                replace_shift(question, float(probabilities[row]), float(shifts[row]))
            question_state.save(locked)
        recomputation.renew()
    return len(row_of)
