"""Say in a sentence what would help a concept's labels most, by its agreement and its gold."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db.models import Sum

from labeling.models import Project, Question
from labeling.numbers import count

LEAST_COMPARED = 10  # questions with two answers or more, below which agreement says little
WIDE = 0.6  # of an interval of alpha, from which on more answers are asked for
TENTATIVE = 0.667  # alpha: below it, "not even tentative conclusions" (Krippendorff 2004, p. 241)
MISSED = 0.2  # share of wrong answers to gold that is surely exceeded
LEAST_GOLD = 5  # answers to gold of one truth
AMBIGUOUS = 0.2  # share of questions
Z = 1.645  # of a one-sided bound of 95 %


class Target(StrEnum):
    """Where what is advised is done."""

    CONCEPT = "concept"  # its page: priority, definition, examples
    GOLD = "gold"  # its gold
    LABELS = "labels"  # the wall
    PEOPLE = "people"  # invitations


@dataclass(frozen=True)
class Evidence:
    """What is known of the answers about one concept, or about all."""

    name: str | None  # None: all concepts together
    answers: int
    compared: int
    alpha: float | None
    low: float | None
    high: float | None
    annotators: int | None = None  # who answered in the project; None: not counted
    questions: int = 0  # asked so far
    ambiguous: int = 0
    has_definition: bool = False
    gold_yes: int = 0  # answers to gold that shows it
    gold_yes_missed: int = 0  # of them, no
    gold_no: int = 0
    gold_no_missed: int = 0


@dataclass(frozen=True)
class Advice:
    """A sentence, and where what it says is done; None: nowhere."""

    text: str
    target: Target | None = None


def advise(evidence: Evidence) -> Advice | None:
    """Return what would help most, or None where nothing needs help.

    In this order: nobody answered; one person alone; too little to say anything; missed gold;
    people who disagree; questions given up as ambiguous. Thresholds are those of this module.
    """
    rules = _unasked, _alone, _too_few, _missed, _disagreed, _given_up
    return next((advice for rule in rules if (advice := rule(evidence))), None)


def gold_answers(project: Project) -> dict[int, dict[str, int]]:
    """Return by concept the `gold_` numbers of its Evidence."""
    rows = (
        Question.objects.filter(project=project, kind=Question.Kind.CONCEPT)
        .filter(state=Question.State.GOLD, answers_count__gt=0)
        .order_by()
        .values_list("concept_id", "verdict")
        .annotate(Sum("answers_count"), Sum("yes_count"))
    )
    counts: dict[int, dict[str, int]] = {}
    for concept, verdict, answers, yes in rows:
        of_concept = counts.setdefault(concept or 0, {})
        name = "gold_yes" if verdict else "gold_no"
        of_concept[name], of_concept[f"{name}_missed"] = answers, answers - yes if verdict else yes
    return counts


def of_concepts(
    project: Project, rows: Sequence[dict[str, Any]], *, annotators: int | None = None
) -> dict[int, Advice | None]:
    """Return by concept what would help it; of one that is switched off nothing is asked.

    rows: those of `project_stats.agreement`. annotators: how many have answered in the project.
    """
    asked = project.concepts.filter(active=True)
    definitions = dict(asked.values_list("pk", "definition"))
    gold = gold_answers(project)
    advices: dict[int, Advice | None] = {}
    for row in rows:
        pk = row["concept"]["id"]
        more = {"has_definition": bool(definitions.get(pk)), **gold.get(pk, {})}
        of_concept = evidence(row, annotators=annotators, **more)
        advices[pk] = advise(of_concept) if pk in definitions else None
    return advices


def evidence(stats: dict[str, Any], **more: Any) -> Evidence:
    """Return the evidence of a row of `project_stats.agreement`; more: further fields."""
    names = "answers", "compared", "alpha", "low", "high", "questions", "ambiguous"
    name = stats["concept"]["name"] if stats["concept"] else None
    return Evidence(name=name, **{each: stats[each] for each in names}, **more)


def _unasked(evidence: Evidence) -> Advice | None:
    if evidence.answers:
        return None
    about = "" if evidence.name is None else f" about {_subject(evidence)}"
    return Advice(f"Nobody has answered{about} yet.", Target.CONCEPT)


def _alone(evidence: Evidence) -> Advice | None:
    if evidence.annotators != 1 or evidence.name is not None:
        return None
    return Advice("One person alone has answered: agreement needs two.", Target.PEOPLE)


def _too_few(evidence: Evidence) -> Advice | None:
    if evidence.annotators == 1:
        return None  # nobody else is there whom to ask
    common = f"{count(evidence.compared, 'question')} in common"
    if evidence.compared < LEAST_COMPARED:
        return Advice(f"Ask more on {_subject(evidence)}: only {common} so far.", Target.CONCEPT)
    if evidence.low is None or evidence.high is None:
        return None
    if evidence.high - evidence.low <= WIDE:
        return None
    return Advice(
        f"Ask more on {_subject(evidence)}: {common}, "
        f"agreement between {evidence.low:.1f} and {evidence.high:.1f}.",
        Target.CONCEPT,
    )


def _missed(evidence: Evidence) -> Advice | None:
    if evidence.name is None:
        return None
    missed, shown = evidence.gold_yes_missed, evidence.gold_yes
    if surely_above(missed, shown, MISSED):
        return Advice(
            f"Gold says that people miss {_subject(evidence)}: {missed:,} of {shown:,} answers to "
            "gold that shows it are no.",
            Target.GOLD,
        )
    missed, shown = evidence.gold_no_missed, evidence.gold_no
    if surely_above(missed, shown, MISSED):
        return Advice(
            f"Gold says that people see {_subject(evidence)} where it is not: {missed:,} of "
            f"{shown:,} answers to gold without it are yes.",
            Target.GOLD,
        )
    return None


def _disagreed(evidence: Evidence) -> Advice | None:
    if evidence.high is None or evidence.alpha is None or evidence.high >= TENTATIVE:
        return None
    if evidence.name is None:
        help_ = "look at the concepts with the lowest agreement first"
        return Advice(f"People disagree (alpha {evidence.alpha:.2f}): {help_}.", Target.LABELS)
    done = "sharpen its definition" if evidence.has_definition else "write a definition"
    return Advice(
        f"People disagree about {_subject(evidence)} (alpha {evidence.alpha:.2f}): "
        f"{done} or add hard examples.",
        Target.CONCEPT,
    )


def _given_up(evidence: Evidence) -> Advice | None:
    if evidence.ambiguous <= AMBIGUOUS * evidence.questions:
        return None
    return Advice(
        f"{evidence.ambiguous:,} of {evidence.questions:,} questions about {_subject(evidence)} "
        "were given up as ambiguous: decide them.",
        Target.LABELS,
    )


def surely_above(count: int, n: int, share: float) -> bool:
    """Return whether the share is exceeded by the lower bound of count / n.

    It is E. B. Wilson's (1927), one-sided, of 95 %; with fewer than LEAST_GOLD never.
    """
    if n < LEAST_GOLD:
        return False
    middle = count + Z**2 / 2
    spread = Z * math.sqrt(count * (n - count) / n + Z**2 / 4)
    return (middle - spread) / (n + Z**2) > share


def _subject(evidence: Evidence) -> str:
    return "all concepts" if evidence.name is None else f"“{evidence.name}”"
