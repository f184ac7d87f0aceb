"""How far people agree, on each concept and in the project as a whole.

Alpha, percent agreement and prevalence rest on how many said yes and no to each question, which
the questions hold: the answers themselves need not be read, and blocked annotators are left out.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from django.db.models import Count

from labeling.aggregation import Agreement, agreement_of_votes
from labeling.models import Concept, Project, Question

State = Question.State
Tally = npt.NDArray[np.int64]  # rows (answers, yes, questions with so many of both)


@dataclass(frozen=True)
class ConceptAgreement:
    """How far people agree on one concept, or on all; blocked annotators are left out."""

    concept: Concept | None  # None: all of the project's
    questions: int  # asked so far, gold among them
    compared: int  # those with two answers or more, on which alpha and percent rest
    answers: int
    alpha: float | None  # Krippendorff's, with its 95 % interval; None where it is not defined
    low: float | None
    high: float | None
    percent: float | None  # agreeing pairs of answers, 0 … 1
    prevalence: float | None  # share of yes in all answers
    settled: int
    open: int
    ambiguous: int


@dataclass(frozen=True)
class ProjectAgreement:
    """All concepts together, and each by itself, by name."""

    whole: ConceptAgreement
    concepts: list[ConceptAgreement]


def measure(*, project: Project) -> ProjectAgreement:
    """How far people agree now on the project's concepts. Takes time linear in its questions."""
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
        whole=_measured(None, tallies[:, 1:], states),
        concepts=[
            _measured(concept, tallies[tallies[:, 0] == concept.pk, 1:], states)
            for concept in project.concepts.all()
        ],
    )


def _measured(
    concept: Concept | None, tally: Tally, states: Counter[tuple[int | None, str]]
) -> ConceptAgreement:
    answers, yes, times = tally.T
    found: Agreement | None = None
    if len(tally):
        found = agreement_of_votes(np.stack([answers - yes, yes], 1), times)
    pk = concept.pk if concept else None
    return ConceptAgreement(
        concept=concept,
        questions=int(times.sum()),
        compared=found.tasks if found else 0,
        answers=int(answers @ times),
        alpha=found.alpha if found else None,
        low=found.low if found else None,
        high=found.high if found else None,
        percent=found.percent if found else None,
        prevalence=found.prevalence[1] if found else None,
        settled=states[pk, State.SETTLED],
        open=states[pk, State.OPEN],
        ambiguous=states[pk, State.AMBIGUOUS],
    )
