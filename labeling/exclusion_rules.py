"""What owners say of two concepts: one picture can show both, or never does.

It comes before what answers have shown (`labeling.exclusions`). The next recomputation learns the
groups anew, and brings along every question that was settled, or shifted, through what was held of
the two before.
"""

from collections.abc import Iterable
from typing import NamedTuple

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Q, QuerySet

from labeling import audit, excluding, exclusions
from labeling.concepts import ConceptError, Conflict
from labeling.models import Concept, Event, ExclusionRule, Project, Recomputation


class Stated(NamedTuple):
    """Another concept, and what is held of it on pictures of the first."""

    concept: Concept
    together: bool  # whether one picture can show both
    rule: ExclusionRule | None  # None: answers have shown it


def state(
    *, concept: Concept, other: Concept, together: bool, by: AbstractBaseUser | None
) -> ExclusionRule:
    """Say whether one picture can show two concepts; it takes the place of what was said before.

    Raises ConceptError.
    """
    with transaction.atomic():
        first, second = _locked(concept, other)
        rule, created = ExclusionRule.objects.get_or_create(
            first=first,
            second=second,
            defaults={
                "project": first.project,
                "together": together,
                "user_id": by.pk if by else None,
            },
        )
        if not created and rule.together == together:
            return rule
        if not created:
            rule.together, rule.user_id = together, by.pk if by else None
            rule.save(update_fields=["together", "user"])
        _changed(rule, f"Said that {rule}, whatever answers show.", by)
    return rule


def take_back(*, concept: Concept, other: Concept, by: AbstractBaseUser | None) -> None:
    """Let answers show again whether one picture can show both. Raises ConceptError."""
    with transaction.atomic():
        first, second = _locked(concept, other)
        rule = ExclusionRule.objects.filter(first=first, second=second).first()
        if rule is None:
            raise Conflict(
                f"Nobody has said anything of “{first}” and “{second}” (any more): nothing was "
                "changed."
            )
        message = f"Took back that {rule}: answers show it again."
        rule.delete()
        _changed(rule, message, by)


def stated(concept: Concept) -> list[Stated]:
    """Return what is held of a concept and others, by name: by owners, and by answers."""
    rules = rules_of(concept.project).filter(Q(first=concept) | Q(second=concept))
    found = {}
    for rule in rules:
        other = rule.second if rule.first_id == concept.pk else rule.first
        found[other.pk] = Stated(other, rule.together, rule)
    learned = {each.pk: Stated(each, False, None) for each in exclusions.ruled_out(concept)}
    by_hand = exclusions.by_hand(concept)
    learned = {pk: each for pk, each in learned.items() if pk not in by_hand}
    return sorted((learned | found).values(), key=lambda each: (each.together, each.concept.name))


def rules_of(project: Project) -> QuerySet[ExclusionRule]:
    """Return what owners say of a project's concepts that are there."""
    rules = ExclusionRule.objects.filter(
        project=project, first__merged_into=None, second__merged_into=None
    )
    return rules.select_related("first", "second", "user")


def pairs(project: Project) -> Iterable[tuple[int, int, bool]]:
    """Yield the ids of two concepts, the lower one first, and whether one picture can show both."""
    yield from rules_of(project).values_list("first", "second", "together")


def _locked(concept: Concept, other: Concept) -> tuple[Concept, Concept]:
    """Return both as they are stored, the lower id first. Raises ConceptError."""
    if concept.pk == other.pk:
        raise ConceptError("Choose another concept: a concept is always with itself.")
    Project.objects.select_for_update(no_key=True).get(pk=concept.project_id)
    rows = Concept.objects.filter(
        pk__in=[concept.pk, other.pk], project=concept.project_id, merged_into=None
    )
    found = list(rows.select_related("project").order_by("pk"))
    if len(found) < 2:
        raise Conflict(
            "One of the two concepts is gone, was merged, or is of another project: nothing was "
            "changed."
        )
    return found[0], found[1]


def _changed(rule: ExclusionRule, message: str, by: AbstractBaseUser | None) -> None:
    """Write it down, and have the groups learned anew soon, and all that follows."""
    audit.record(
        project=rule.project, kind=Event.Kind.CONCEPT, message=message, by=by, row=rule.first
    )
    Recomputation.objects.get_or_create(project=rule.project)
    excluding.request_all(rule.project, learn=True)
