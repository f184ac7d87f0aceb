"""What the answers add up to, and what reviewers decide."""

from dataclasses import dataclass

import numpy as np
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, Exists, Model, OuterRef, Q, Sum
from django.db.models.functions import Coalesce

from labeling import answers, beliefs, prevalence
from labeling.aggregation import aggregate
from labeling.models import Annotator, Answer, Project, Question

State = Question.State
Said = np.ndarray[tuple[int, int], np.dtype[np.int64]]  # rows (question, annotator, yes)
BATCH = 2_000


@dataclass(frozen=True)
class Summary:
    """How far a project is."""

    images: int
    questions: int
    open: int
    settled: int
    ambiguous: int
    gold: int
    answers: int  # but for blocked annotators'
    annotators: int


def recompute(*, project: Project) -> int:
    """Believe anew, from all answers at once, and rate all annotators. Gives how many changed.

    A question that is answered or decided meanwhile keeps what it has until the next time.
    """
    prevalence.update(project=project)
    newest = Answer.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    # The questions before their answers: one that arrives in between is then seen to be missing.
    questions = _answered(project)
    seen = {q.pk: (q.answers_count, q.verdict) for q in questions}
    said = np.array(
        Answer.objects.filter(question__project=project, annotator__blocked=False).values_list(
            "question_id", "annotator_id", "value"
        ),
        np.int64,
    ).reshape(-1, 3)
    said = said[np.isin(said[:, 0], list(seen))]
    changed = _forget(questions, said) + (_infer(questions, said) if len(said) else [])
    for start in range(0, len(changed), BATCH):
        batch = changed[start : start + BATCH]
        beliefs.save_unchanged(batch, seen=[seen[q.pk] for q in batch])
    answers.rate_annotators(project=project)
    Project.objects.filter(pk=project.pk).update(aggregated_to=newest)
    return len(changed)


def decide(*, question: Question, value: bool, by: User) -> Question:
    """A reviewer says what is true: accept what is believed, or override it."""
    with transaction.atomic():
        (question,) = beliefs.locked([question.pk])
        question.verdict, question.decided_by, question.answers_wanted = value, by, 0
        beliefs.judge(question)
        question.save()
        _log(question, by, f"Decided: {'yes' if value else 'no'}.")
    return question


def reopen(*, question: Question, by: User) -> Question:
    """A reviewer wants more answers: any verdict is withdrawn, gold is gold no longer."""
    with transaction.atomic():
        (question,) = beliefs.locked([question.pk])
        question.verdict, question.decided_by, question.state = None, None, State.OPEN
        question.answers_wanted = question.answers_count + question.project.answers_min
        question.save()
        answers.reconsider(questions=[question.pk])
        _log(question, by, "Reopened.")
    question.refresh_from_db()
    return question


def block(*, annotator: Annotator, by: User) -> int:
    """Let an annotator's answers weigh nothing. Gives how many labels changed."""
    return _set_blocked(annotator, True, by)


def unblock(*, annotator: Annotator, by: User) -> int:
    """Let an annotator's answers count again. Gives how many labels changed."""
    return _set_blocked(annotator, False, by)


def summary(*, project: Project) -> Summary:
    """How many questions are in each state, how many answers were given, by how many people."""
    by_state = {
        state: (count, given)
        for state, count, given in Question.objects.filter(project=project)
        .order_by()
        .values_list("state")
        .annotate(count=Count("pk"), given=Coalesce(Sum("answers_count"), 0))
    }
    theirs = Answer.objects.filter(annotator=OuterRef("pk"), question__project=project)
    counts = {str(state): by_state.get(state, (0, 0))[0] for state in State.values}
    return Summary(
        images=project.images.count(),
        questions=sum(counts.values()),
        answers=sum(given for _, given in by_state.values()),
        annotators=Annotator.objects.filter(Exists(theirs)).count(),
        **counts,
    )


def _answered(project: Project) -> list[Question]:
    concepts = {concept.pk: concept for concept in project.concepts.all()}
    rows = Question.objects.filter(Q(answers_count__gt=0) | Q(yes_count__gt=0), project=project)
    questions = list(rows.order_by("pk"))
    for question in questions:
        question.project = project
        if question.concept_id is not None:
            question.concept = concepts[question.concept_id]
    return questions


def _forget(questions: list[Question], said: Said) -> list[Question]:
    """Bring those back to their prior whose answers all were by people who are blocked now."""
    answered = set(said[:, 0].tolist())
    lost = [question for question in questions if question.pk not in answered]
    for question in lost:
        question.probability, question.answers_count, question.yes_count = question.prior, 0, 0
        beliefs.judge(question)
    return lost


def _infer(questions: list[Question], said: Said) -> list[Question]:
    """Set what is believed of each question that has answers; gives those that changed."""
    answered = set(said[:, 0].tolist())
    asked = [question for question in questions if question.pk in answered]
    prior = np.array([question.prior for question in asked]).clip(1e-6, 1 - 1e-6)
    result = aggregate(
        said[:, 0],
        said[:, 1],
        said[:, 2],
        classes=[0, 1],
        gold={q.pk: int(q.verdict) for q in asked if q.verdict is not None},
        prior=np.stack([1 - prior, prior], 1),
    )
    _, index = np.unique(said[:, 0], return_inverse=True)
    counts = np.bincount(index)
    yes = np.bincount(index, weights=said[:, 2]).astype(int)
    changed = []
    for i, question in enumerate(asked):
        before = _held(question)
        question.probability = float(result.posterior[i, 1])
        question.answers_count, question.yes_count = int(counts[i]), int(yes[i])
        beliefs.judge(question)
        if _held(question) != before:
            changed.append(question)
    return changed


def _held(question: Question) -> tuple[object, ...]:
    belief = round(question.probability, 4), round(question.priority, 4)
    return *belief, question.state, question.answers_count, question.yes_count


def _set_blocked(annotator: Annotator, blocked: bool, by: User) -> int:
    with transaction.atomic():
        annotator_now = Annotator.objects.select_for_update(no_key=True).get(pk=annotator.pk)
        annotator.blocked = annotator_now.blocked = blocked
        annotator_now.save(update_fields=["blocked"])
        _log(annotator_now, by, "Blocked." if blocked else "Unblocked.")
        theirs = Answer.objects.filter(annotator=annotator).values_list("question_id", flat=True)
        return answers.reconsider(questions=theirs)


def _log(row: Model, by: User, message: str) -> None:
    LogEntry.objects.log_actions(by.pk, [row], CHANGE, change_message=message, single_object=True)
