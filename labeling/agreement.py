"""Inter-annotator agreement, by concept and in a project as a whole.

Alpha, percent agreement and prevalence need only the counts of yes and no that questions hold: no
answer is read. Blocked annotators are left out of these counts.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from django.db.models import Count

from labeling.aggregation import Agreement, agreement_of_votes
from labeling.models import Concept, Project, Question

State = Question.State
Tallies = npt.NDArray[np.int64]  # (n, 3) rows: answers, yes, questions with so many of both


@dataclass(frozen=True)
class ConceptAgreement:
    """Agreement on one concept, or on all of them; blocked annotators are left out."""

    concept: Concept | None  # None: all of the project's
    questions: int  # asked so far, gold among them
    compared: int  # those with two answers or more, on which alpha and percent rest
    answers: int
    alpha: float | None  # Krippendorff's; None where it is not defined
    low: float | None  # of its 95 % interval; None where there are too few questions for one
    high: float | None
    percent: float | None  # agreeing pairs of answers, 0 … 1
    prevalence: float | None  # share of yes in all answers
    settled: int
    open: int
    ambiguous: int


@dataclass(frozen=True)
class ProjectAgreement:
    """Agreement on all concepts together, and on each by itself, in the order of their names."""

    whole: ConceptAgreement
    concepts: list[ConceptAgreement]


def measure(*, project: Project) -> ProjectAgreement:
    """Measure the agreement on a project's concepts, in time linear in its questions."""
    asked = Question.objects.filter(project=project, kind=Question.Kind.CONCEPT).order_by()
    states = Counter[tuple[int | None, str]]()
    for pk, state, count in asked.values_list("concept_id", "state").annotate(Count("pk")):
        states[pk, state] = count
        states[None, state] += count
    tallies = np.array(
        asked.filter(answers_count__gt=0)
        .values_list("concept_id", "answers_count", "yes_count")
        .annotate(Count("pk")),
        np.int64,
    ).reshape(-1, 4)
    return ProjectAgreement(
        whole=_concept_agreement(None, tallies[:, 1:], states),
        concepts=[
            _concept_agreement(concept, tallies[tallies[:, 0] == concept.pk, 1:], states)
            for concept in project.concepts.filter(merged_into=None)
        ],
    )


def _concept_agreement(
    concept: Concept | None, tallies: Tallies, states: Counter[tuple[int | None, str]]
) -> ConceptAgreement:
    answers, yes, counts = tallies.T
    agreement: Agreement | None = None
    if len(tallies):
        agreement = agreement_of_votes(np.stack([answers - yes, yes], 1), counts)
    pk = concept.pk if concept else None
    return ConceptAgreement(
        concept=concept,
        questions=int(counts.sum()),
        compared=agreement.tasks if agreement else 0,
        answers=int(answers @ counts),
        alpha=agreement.alpha if agreement else None,
        low=agreement.low if agreement else None,
        high=agreement.high if agreement else None,
        percent=agreement.percent if agreement else None,
        prevalence=agreement.prevalence[1] if agreement else None,
        settled=states[pk, State.SETTLED],
        open=states[pk, State.OPEN],
        ambiguous=states[pk, State.AMBIGUOUS],
    )
