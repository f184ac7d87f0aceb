"""Decide many questions at once, tell what was left alone and why, and undo it.

Two reviewers may look at the same questions: whoever decides says what they saw of each, and a
question that somebody decided otherwise in the meantime is left as it is.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, User
from django.db import transaction
from django.utils import timezone

from labeling import audit, excluding, gold, question_posteriors, question_state, review
from labeling.models import DecisionBatch, Event, GoldMark, Project, Question
from labeling.numbers import count

Choice = DecisionBatch.Choice
State = Question.State

AT_ONCE = 500  # questions in a batch
DONE = {  # how sentences about a batch begin
    Choice.YES: "Decided yes:",
    Choice.NO: "Decided no:",
    Choice.REOPEN: "Reopened",
    Choice.GOLD: "Used as gold:",
}
UNDO_TIME = timedelta(hours=24)  # for which a batch can be undone

GONE = "no longer there"
MERGED = "of a concept that was merged into another"
GOLD = "gold: change that on its own page"
UNDECIDED = "neither decided nor settled: say yes or no first"
UNDONE_BEFORE = "changed since by somebody"


class DecisionError(ValueError):
    """Nothing was decided; the message says why and what to do."""


@dataclass
class Outcome:
    """What became of a batch; `changed`, `unchanged` and `refused` add up to its size."""

    changed: int = 0
    unchanged: int = 0  # that were so before
    refused: dict[int, str] = field(default_factory=dict)  # by question id: why
    batch: DecisionBatch | None = None  # to undo; None where nothing changed

    def reasons(self) -> list[tuple[str, int]]:
        """Return why questions were refused, the most frequent first."""
        return Counter(self.refused.values()).most_common()


def decide_many(
    *, project: Project, choice: str, seen: Mapping[int, str | None], by: AbstractBaseUser
) -> Outcome:
    """Decide questions in one transaction; return what was changed, and what refused and why.

    seen: by question id, its `standing` when the reviewer saw it; None: decide it in any case.

    Refused are questions that are gone, whose concept was merged, that are gold, or that somebody
    decided since. Raises DecisionError for more than AT_ONCE, for none, and for another choice.
    """
    if choice not in Choice.values:
        raise DecisionError("Choose yes, no, reopen or use as gold: nothing was changed.")
    if not 0 < len(seen) <= AT_ONCE:
        raise DecisionError(f"Select from 1 to {AT_ONCE} questions: nothing was changed.")
    with transaction.atomic():
        # Marking gold locks concepts before their questions: nothing may be locked before it.
        rows = _read(project, seen) if choice == Choice.GOLD else _lock(project, seen)
        outcome = Outcome(refused=dict.fromkeys(seen.keys() - {each.pk for each in rows}, GONE))
        chosen = _acceptable(rows, seen, choice, outcome)
        before = [_state_of(question) for question in chosen]
        changed = (_mark_gold if choice == Choice.GOLD else _decide)(chosen, choice, by, outcome)
        outcome.unchanged = len(seen) - len(changed) - len(outcome.refused)
        outcome.changed = len(changed)
        if changed:
            kept = {question.pk for question in changed}
            outcome.batch = _record(
                project, choice, [row for row in before if row["question"] in kept], changed, by
            )
    return outcome


def undoable(*, project: Project, by: AbstractBaseUser) -> DecisionBatch | None:
    """Return the user's newest batch in a project if it can be undone, else None."""
    batch = DecisionBatch.objects.filter(project=project, user=by.pk).first()
    if batch is None or batch.undone_at or batch.created_at < timezone.now() - UNDO_TIME:
        return None
    return batch


def undo(*, batch: DecisionBatch, by: AbstractBaseUser) -> Outcome:
    """Put back what held before a batch, but for questions that somebody changed since.

    Raises DecisionError unless it is `undoable`.
    """
    with transaction.atomic():
        claimed = DecisionBatch.objects.filter(pk=batch.pk, undone_at=None)
        is_last = batch == undoable(project=batch.project, by=by)
        if not is_last or not claimed.update(undone_at=timezone.now()):
            raise DecisionError("That cannot be undone any more: nothing was changed.")
        before = {row["question"]: row for row in batch.questions}
        locked = _lock(batch.project, before)
        outcome = Outcome(refused=dict.fromkeys(before.keys() - {each.pk for each in locked}, GONE))
        restored = []
        for question in locked:
            if _is_as_decided(question, batch):
                restored.append(question)
            else:
                outcome.refused[question.pk] = UNDONE_BEFORE
        if batch.choice == Choice.GOLD:
            for question in restored:
                gold.unmark(question=question, by=by, settle=False, record=False)
        _restore(restored, before)
        outcome.changed = len(restored)
        undone = f"Undid: {DONE[Choice(batch.choice)].lower()}"
        audit.record(
            project=batch.project,
            kind=Event.Kind.DECISION,
            message=f"{undone} {count(len(restored), 'question')}.",
            by=by,
        )
        audit.log(restored, by=by, message=undone)
    return outcome


def _lock(project: Project, ids: Mapping[int, Any]) -> list[Question]:
    return [each for each in question_state.lock(ids) if each.project_id == project.pk]


def _read(project: Project, ids: Mapping[int, Any]) -> list[Question]:
    rows = Question.objects.filter(project=project, pk__in=ids).order_by("pk")
    return list(rows.select_related("concept", "project", "tile"))


def _acceptable(
    rows: Sequence[Question], seen: Mapping[int, str | None], choice: str, outcome: Outcome
) -> list[Question]:
    """Return the questions that may be decided so; say of the others why not."""
    chosen = []
    for question in rows:
        expected = seen[question.pk]
        if question.concept is not None and question.concept.merged_into_id is not None:
            outcome.refused[question.pk] = MERGED
        elif expected is not None and expected != question.standing:
            outcome.refused[question.pk] = review.describe_change(question)
        elif question.state == State.GOLD and choice != Choice.GOLD:
            outcome.refused[question.pk] = GOLD
        elif choice == Choice.GOLD and question.state in {State.OPEN, State.AMBIGUOUS}:
            outcome.refused[question.pk] = UNDECIDED
        else:
            chosen.append(question)
    return chosen


def _decide(
    chosen: Sequence[Question], choice: str, by: AbstractBaseUser, outcome: Outcome
) -> list[Question]:
    """Decide or reopen locked questions, and write those that change; return these."""
    if choice == Choice.REOPEN:
        changed = list(chosen)
        for question in changed:
            question.verdict, question.decided_by_id, question.state = None, None, State.OPEN
            question.answers_wanted = question.answers_count + question.project.answers_min
        question_posteriors.recompute_locked(changed)
    else:
        value = choice == Choice.YES
        changed = [
            each for each in chosen if each.verdict is not value or each.decided_by_id is None
        ]
        for question in changed:
            question.verdict, question.decided_by_id, question.answers_wanted = value, by.pk, 0
            question_state.update_state(question)
    question_state.save_decided(changed)
    excluding.follow(changed)
    return changed


def _mark_gold(
    chosen: Sequence[Question], choice: str, by: AbstractBaseUser, outcome: Outcome
) -> list[Question]:
    """Use questions as gold, with the truth that they have; return those that were none before."""
    origin = GoldMark.Origin.QUESTION
    new = [question for question in chosen if question.state != State.GOLD]
    pairs = {(each.tile_id, each.concept_id): each for each in new if each.concept_id is not None}
    if pairs:
        marked = gold.mark_pairs(
            project=new[0].project,
            values={pair: question.label for pair, question in pairs.items()},
            by=by,
            origin=origin,
            record=False,
        )
        outcome.refused |= {pairs[pair].pk: why for pair, why in marked.refused.items()}
    for question in new:
        if question.concept_id is None:
            try:
                gold.mark_caption(question=question, value=question.label, by=by, origin=origin)
            except gold.GoldError as error:
                outcome.refused[question.pk] = str(error)
    return [question for question in new if question.pk not in outcome.refused]


def _state_of(question: Question) -> dict[str, Any]:
    """Return what undoing puts back, as JSON."""
    return {
        "question": question.pk,
        "verdict": question.verdict,
        "decided_by": question.decided_by_id,
        "state": question.state,
        "answers_wanted": question.answers_wanted,
    }


def _is_as_decided(question: Question, batch: DecisionBatch) -> bool:
    """Return whether a question still is as the batch left it."""
    if batch.choice == Choice.REOPEN:
        return question.verdict is None
    if batch.choice == Choice.GOLD:
        return question.state == State.GOLD and question.decided_by_id == batch.user_id
    return question.standing == batch.choice and question.decided_by_id == batch.user_id


def _restore(questions: Sequence[Question], before: Mapping[int, Mapping[str, Any]]) -> None:
    """Put locked questions back as they were, and write them; answers since then count."""
    existing = set(
        User.objects.filter(pk__in={row["decided_by"] for row in before.values()}).values_list(
            "pk", flat=True
        )
    )
    for question in questions:
        row = before[question.pk]
        question.verdict, question.state = row["verdict"], State(row["state"])
        question.decided_by_id = row["decided_by"] if row["decided_by"] in existing else None
        question.answers_wanted = row["answers_wanted"]
    question_posteriors.recompute_locked(questions)
    question_state.save_decided(questions)
    excluding.follow(questions)


def _record(
    project: Project,
    choice: str,
    before: list[dict[str, Any]],
    changed: Sequence[Question],
    by: AbstractBaseUser,
) -> DecisionBatch:
    """Keep the batch, write one event, and a line into the admin's history of each question."""
    done = DONE[Choice(choice)]
    audit.record(
        project=project,
        kind=Event.Kind.GOLD if choice == Choice.GOLD else Event.Kind.DECISION,
        message=f"{done} {count(len(changed), 'question')}.",
        by=by,
    )
    audit.log(changed, by=by, message=f"{done} (with {len(changed) - 1} others)")
    return DecisionBatch.objects.create(
        project=project, user_id=by.pk, choice=choice, questions=before
    )
