"""Add many concepts at once, from a list that somebody pastes: one a line."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.contrib.auth.models import User
from django.db import transaction

from labeling import audit, pools
from labeling.concepts import names
from labeling.concepts.edits import ask_at_once, lock, set_prevalences, unsaved
from labeling.concepts.names import ConceptError
from labeling.models import Concept, Event, Project

LINES_MAX = 1_000
FINISHED_AT_ONCE = 5  # concepts that people are asked about without waiting for a worker
SHOWN = 3  # names in the history's sentence


@dataclass(frozen=True)
class Problem:
    """A line that named no new concept, and why."""

    number: int  # from 1
    line: str
    why: str


@dataclass(frozen=True)
class Added:
    """What became of a list."""

    concepts: list[Concept] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def rest(self) -> str:
        """Return the lines with a problem, to be corrected and added again."""
        return "\n".join(problem.line for problem in self.problems)


def add_lines(*, project: Project, text: str, by: User | None = None) -> Added:
    """Add a concept for each line, `bicycle` or `bicycle: a bicycle`; keep what fits.

    A line that names none, or one that is there, is reported; the others are added all the same.
    Empty lines and those that begin with # are passed over. What keywords state of more than the
    first `FINISHED_AT_ONCE` is left to a worker (`unfinished_from`). Raises ConceptError where
    there are too many lines or none.
    """
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1)]
    lines = [(number, line) for number, line in lines if line and not line.startswith("#")]
    if not lines:
        raise ConceptError("The list is empty: write a concept a line, like “bicycle”.")
    if len(lines) > LINES_MAX:
        raise ConceptError(f"{len(lines):,} lines are too many; {LINES_MAX:,} are the limit.")
    with transaction.atomic():
        lock(project)
        added = _parse(project, lines)
        set_prevalences(added.concepts)
        Concept.objects.bulk_create(added.concepts)
        pools.forget_priorities(project)
        if added.concepts:
            message = f"Added {_named(added.concepts)}."
            audit.record(project=project, kind=Event.Kind.CONCEPT, message=message, by=by)
    for concept in added.concepts[:FINISHED_AT_ONCE]:
        ask_at_once(concept)
    return added


def _parse(project: Project, lines: Iterable[tuple[int, str]]) -> Added:
    """Return what the lines name of a locked project, unsaved."""
    added, owners = Added(), names.by_key(project)
    line_of: dict[str, int] = {}
    for number, line in lines:
        name, _, phrase = line.partition(":")
        try:
            concept = unsaved(project, name, phrase=phrase)
            if (owner := owners.get(concept.key)) is not None:
                raise ConceptError(names.taken(concept.name, owner))
            if (first := line_of.get(concept.key)) is not None:
                raise ConceptError(f"Line {first} names it already.")
        except ConceptError as error:
            added.problems.append(Problem(number, line, str(error)))
        else:
            line_of[concept.key] = number
            added.concepts.append(concept)
    return added


def _named(concepts: list[Concept]) -> str:
    quoted = ", ".join(f"“{concept}”" for concept in concepts[:SHOWN])
    others = len(concepts) - SHOWN
    more = f" and {others:,} more" if others > 0 else ""
    return f"the concept{'s' if len(concepts) > 1 else ''} {quoted}{more}"
