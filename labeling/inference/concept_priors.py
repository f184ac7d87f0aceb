"""The priors of stored questions, by their concept and its predictions as they are now."""

from dataclasses import dataclass, replace

import numpy as np
from django.db import connection
from scipy.special import expit  # type: ignore[import-untyped]

from labeling import beliefs, predictions
from labeling.inference.arrays import Bools, Floats, Ids, QuestionArrays
from labeling.models import Concept

SAME = 1e-9  # difference of probabilities that is one of rounding

_CONCEPT = """
SELECT prevalence, model_weight, predictions, features FROM labeling_concept AS concept
JOIN labeling_project AS project ON project.id = project_id
WHERE concept.id = %s FOR SHARE OF concept
"""


class ConceptChanged(Exception):
    """Somebody has changed the concept since it was read."""


@dataclass(frozen=True)
class Priors:
    """The priors of n questions, in their order."""

    predicted: Floats  # (n,) probability; NaN: none
    shift: Floats  # (n,) log-odds that the prediction adds
    prior: Floats  # (n,) probability

    def are(self, prior: Floats, shift: Floats, predicted: Floats) -> Bools:
        """Return (n,) whether they are those that are stored."""
        same = _close(prior, self.prior) & _close(shift, self.shift)
        return same & _close(predicted, self.predicted)


class ConceptPriors:
    """What follows from one concept for questions about it. It is read with its project."""

    def __init__(self, concept: Concept) -> None:
        self.concept = concept
        self._tile_ids = predictions.tile_ids(concept.project)
        self._predictions = predictions.load(concept, concept.project)

    def hold(self) -> None:
        """Keep the concept as it is until the transaction ends. Raises ConceptChanged."""
        with connection.cursor() as cursor:
            cursor.execute(_CONCEPT, [self.concept.pk])
            now = cursor.fetchone()
        concept = self.concept
        files = str(concept.predictions.name or ""), str(concept.project.features.name or "")
        if now != (concept.prevalence, concept.model_weight, *files):
            raise ConceptChanged

    def of(self, tiles: Ids, stated: Floats, exclusion: Floats) -> Priors:
        """Return the priors of questions about these tiles (n,).

        stated: (n,), NaN: nothing. exclusion: (n,) log-odds, as they are stored.
        """
        predicted = self._log_odds(tiles)
        prevalence, weight = np.array(self.concept.prevalence), np.array(self.concept.model_weight)
        shift = beliefs.shift(predicted, prevalence, weight)
        prior = of_stored(stated, prevalence, shift, exclusion)
        return Priors(expit(predicted), shift, prior)

    def _log_odds(self, tiles: Ids) -> Floats:
        """Return the predicted log-odds (n,), NaN without a prediction."""
        log_odds = np.full(len(tiles), np.nan)
        if self._predictions is not None:
            rows = predictions.rows_of(self._tile_ids, tiles)
            log_odds[rows >= 0] = self._predictions[rows[rows >= 0]]
        return log_odds


def stale(project: int) -> list[Concept]:
    """Return the concepts of a project whose questions are to follow, each with the project."""
    rows = Concept.objects.filter(project=project, priors_stale=True)
    return list(rows.select_related("project").order_by("pk"))


@dataclass(frozen=True)
class Followed:
    """What follows for Q questions from those of their concepts whose priors are stale."""

    changed: Bools  # (Q,) whether anything of it is to be written
    prevalence: Floats  # (Q,) of the concept; NaN: its priors are not stale, all stays as stored
    shift: Floats  # (Q,) log-odds that the prediction adds


def follow(questions: QuestionArrays, project: int) -> tuple[QuestionArrays, Followed]:
    """Return the questions as they are to be, their posteriors moved by as much as their priors."""
    prior, predicted = questions.prior.copy(), questions.predicted.copy()
    shift, prevalence = questions.shift.copy(), np.full(len(prior), np.nan)
    changed = np.zeros(len(prior), bool)
    for concept in stale(project):
        (rows,) = np.nonzero(questions.concept == concept.pk)
        new = ConceptPriors(concept).of(
            questions.tile[rows], questions.stated[rows], questions.exclusion[rows]
        )
        changed[rows] = ~new.are(prior[rows], shift[rows], predicted[rows])
        prior[rows], shift[rows], predicted[rows] = new.prior, new.shift, new.predicted
        prevalence[rows] = concept.prevalence
    moved = beliefs.log_odds(prior) - beliefs.log_odds(questions.prior)
    asked = changed & (questions.verdict < 0) & (questions.answers_count > 0)
    probability = beliefs.shifted(questions.probability, np.where(asked, moved, 0.0))
    probability = np.where(asked, probability, questions.probability)
    followed = replace(questions, prior=prior, predicted=predicted, probability=probability)
    return followed, Followed(changed, prevalence, shift)


def of_stored(stated: Floats, prevalence: Floats, shift: Floats, exclusion: Floats) -> Floats:
    """Return priors (n,): of what is stated, NaN: nothing, or else the prevalence, shifted."""
    return beliefs.shifted(np.where(np.isnan(stated), prevalence, stated), shift + exclusion)


def _close(old: Floats, new: Floats) -> Bools:
    return np.isclose(old, new, rtol=0, atol=SAME, equal_nan=True)
