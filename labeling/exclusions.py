"""What people say of a picture's other concepts: a cat is no dog.

Which concepts rule each other out is learned from answers (`ExclusiveGroup`, by
`labeling.inference.exclusions`), and holds for whole pictures that no model generated. What answers
say of one of them shifts the log-odds of the others' priors (`labeling.aggregation.exclusions`),
stored or not. A concept is *excluded* where another one of its group is settled as true: its
question then settles as false without an answer (`question_state.is_ruled_out`).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from django.db.models import Q

from labeling.aggregation import exclusions, online
from labeling.models import Concept, ExclusiveGroup, Project, Question

State = Question.State
KNOWN = exclusions.LARGEST  # log-odds of a known truth
TELLING = Q(answers_count__gt=0) | Q(verdict__isnull=False)

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_COLUMNS = "tile_id", "concept_id", "prior", "probability", "verdict", "state"


@dataclass(frozen=True)
class Exclusion:
    """What people say of the other concepts of n tiles: arrays (n, C)."""

    shift: Floats  # log-odds that this adds to a concept's prior
    excluded: Bools  # whether a concept that rules it out is settled


class _Group(NamedTuple):
    columns: list[int]
    overlap: float


class Groups:
    """The exclusive groups to which some concepts belong."""

    def __init__(
        self, concepts: Sequence[int], partners: Sequence[Concept], group_of: Mapping[int, int]
    ) -> None:
        self.partners = partners  # the groups' other concepts
        self._concepts = len(concepts)
        everything = [*concepts, *(partner.pk for partner in partners)]
        self._column = {pk: column for column, pk in enumerate(everything) if pk in group_of}
        members: dict[int, list[int]] = defaultdict(list)
        for pk, column in self._column.items():
            members[group_of[pk]].append(column)
        overlaps = ExclusiveGroup.objects.filter(pk__in=members) if members else []
        self._groups = [_Group(members[group.pk], group.overlap) for group in overlaps]

    def exclusion(self, tiles: Sequence[int], whole: Sequence[int], prior: Floats) -> Exclusion:
        """Return what follows for n tiles and the concepts, without their partners.

        whole: those of the tiles for which the groups hold. prior: (n, C + partners)
        probabilities before anybody has answered.
        """
        shift, excluded = np.zeros(prior.shape), np.zeros(prior.shape, bool)
        if self._groups and whole:
            row_of = {tile: row for row, tile in enumerate(tiles)}
            evidence, settled = self._told(row_of, whole, prior.shape)
            told = np.flatnonzero((evidence != 0).any(1))
            for columns, overlap in self._groups:
                at = np.ix_(told, np.array(columns))
                shift[at] = exclusions.shifts(prior[at], evidence[at], overlap)
                excluded[at] = settled[at].sum(1, keepdims=True) > settled[at]
        own = slice(0, self._concepts)
        return Exclusion(shift[:, own], excluded[:, own])

    def _told(
        self, row_of: dict[int, int], whole: Sequence[int], shape: tuple[int, ...]
    ) -> tuple[Floats, Bools]:
        """Return what people say of each tile and concept, and whether it is settled as true."""
        evidence, settled = np.zeros(shape), np.zeros(shape, bool)
        asked = Question.objects.filter(TELLING, tile__in=whole, concept__in=self._column)
        for tile, concept, *values in asked.order_by().values_list(*_COLUMNS):
            at = row_of[tile], self._column[concept]
            evidence[at] = own_evidence(*values[:3])
            settled[at] = values[1] >= 0.5 and values[3] in {State.SETTLED, State.GOLD}
        return evidence, settled


def groups_of(project: Project, concepts: Sequence[Concept]) -> Groups:
    """Return the groups to which concepts of a project belong; they are read here."""
    ids = [concept.pk for concept in concepts]
    grouped = Concept.objects.filter(project=project, exclusive_group__isnull=False)
    rows = list(grouped.filter(merged_into=None).order_by("pk"))
    group_of = {row.pk: row.exclusive_group_id for row in rows if row.exclusive_group_id}
    wanted = {group_of[pk] for pk in ids if pk in group_of}
    partners = [row for row in rows if group_of[row.pk] in wanted and row.pk not in ids]
    return Groups(ids, partners, group_of)


def ruled_out_by(question: Question) -> list[Question]:
    """Return the settled questions, with their concepts, for which a question is excluded."""
    if not question.excluded or question.concept is None:
        return []
    others = Question.objects.filter(TELLING, tile=question.tile_id, probability__gte=0.5)
    others = others.filter(state__in=[State.SETTLED, State.GOLD]).exclude(pk=question.pk)
    group = question.concept.exclusive_group_id
    grouped = others.filter(concept__exclusive_group=group, concept__exclusive_group__isnull=False)
    return list(grouped.select_related("concept").order_by("-probability", "pk"))


def ruled_out(concept: Concept) -> list[Concept]:
    """Return the concepts that rule a concept out, and that it rules out, by name."""
    if concept.exclusive_group_id is None:
        return []
    group = Concept.objects.filter(exclusive_group=concept.exclusive_group_id, merged_into=None)
    return list(group.exclude(pk=concept.pk))


def own_evidence(prior: float, probability: float, verdict: bool | None) -> float:
    """Return the log-odds that a question's own answers, or its known truth, add to its prior."""
    if verdict is not None:
        return KNOWN if verdict else -KNOWN
    return online.log_odds(probability) - online.log_odds(prior)
