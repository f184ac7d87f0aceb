"""What people say of a picture's other concepts: a cat is no dog.

Which concepts rule each other out is learned from answers (`ExclusiveGroup`, by
`labeling.inference.exclusions`), and holds for whole pictures that no model generated. What answers
say of one of them shifts the log-odds of the others' priors (`labeling.aggregation.exclusions`),
stored or not. A concept is *excluded* where another one of its group is settled as true: its
question then settles as false without an answer (`question_state.is_ruled_out`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from django.db.models import Q, QuerySet

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
        self,
        concepts: Sequence[int],
        partners: Sequence[Concept],
        members: Mapping[ExclusiveGroup, Sequence[int]],
    ) -> None:
        """members: the ids of each group's concepts, that are among these and the partners."""
        self.partners = partners  # the groups' other concepts
        self._concepts = len(concepts)
        everything = [*concepts, *(partner.pk for partner in partners)]
        place = {pk: column for column, pk in enumerate(everything)}
        self._column = {pk: place[pk] for own in members.values() for pk in own}
        self._groups = [
            _Group([place[pk] for pk in own], group.overlap) for group, own in members.items()
        ]

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
                shift[at] += exclusions.shifts(prior[at], evidence[at], overlap)
                excluded[at] |= settled[at].sum(1, keepdims=True) > settled[at]
        shift = shift.clip(-exclusions.MOST, exclusions.MOST)
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
    rows = Concept.objects.filter(project=project, exclusive=True, merged_into=None).order_by("pk")
    row_of = {row.pk: row for row in rows}
    found: dict[ExclusiveGroup, list[int]] = {}
    groups = ExclusiveGroup.objects.filter(project=project) if row_of.keys() & set(ids) else ()
    for group, members in members_of(groups).items():
        own = [pk for pk in members if pk in row_of]
        if not set(own).isdisjoint(ids):
            found[group] = own
    wanted = {pk for own in found.values() for pk in own}
    partners = [row for pk, row in row_of.items() if pk in wanted and pk not in ids]
    return Groups(ids, partners, found)


def members_of(groups: Iterable[ExclusiveGroup]) -> dict[ExclusiveGroup, list[int]]:
    """Return the ids of the groups' concepts, sorted, for each group in their order."""
    rows = {group.pk: group for group in groups}
    through = ExclusiveGroup.concepts.through.objects.filter(exclusivegroup__in=rows)
    members: dict[ExclusiveGroup, list[int]] = {group: [] for group in rows.values()}
    for group, concept in through.values_list("exclusivegroup_id", "concept_id") if rows else ():
        members[rows[group]].append(concept)
    return {group: sorted(own) for group, own in members.items()}


def ruled_out_by(question: Question) -> list[Question]:
    """Return the settled questions, with their concepts, for which a question is excluded."""
    if not question.excluded or question.concept is None:
        return []
    others = Question.objects.filter(TELLING, tile=question.tile_id, probability__gte=0.5)
    others = others.filter(state__in=[State.SETTLED, State.GOLD]).exclude(pk=question.pk)
    grouped = others.filter(concept__in=partners(question.concept))
    return list(grouped.select_related("concept").order_by("-probability", "pk"))


def ruled_out(concept: Concept) -> list[Concept]:
    """Return the concepts that rule a concept out, and that it rules out, by name."""
    return list(partners(concept)) if concept.exclusive else []


def partners(concept: Concept) -> QuerySet[Concept]:
    """Return the concepts that are in a group with a concept."""
    groups = ExclusiveGroup.objects.filter(concepts=concept)
    others = Concept.objects.filter(exclusive_groups__in=groups, merged_into=None)
    return others.exclude(pk=concept.pk).distinct()


def by_hand(concept: Concept) -> set[int]:
    """Return the ids of those that rule a concept out because an owner said so, and no answers."""
    groups = ExclusiveGroup.objects.filter(concepts=concept, by_hand=True)
    others = Concept.objects.filter(exclusive_groups__in=groups)
    return set(others.exclude(pk=concept.pk).values_list("pk", flat=True))


def own_evidence(prior: float, probability: float, verdict: bool | None) -> float:
    """Return the log-odds that a question's own answers, or its known truth, add to its prior."""
    if verdict is not None:
        return KNOWN if verdict else -KNOWN
    return online.log_odds(probability) - online.log_odds(prior)
