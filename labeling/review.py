"""A reviewer decides: what is true of a question, and whose answers count."""

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Model

from labeling import answers, question_state
from labeling.inference import schedule
from labeling.models import Annotator, Answer, Question

State = Question.State
AT_ONCE = 1_000  # answers of somebody blocked or unblocked whose questions do not have to wait


def decide(*, question: Question, value: bool, by: User) -> Question:
    """A reviewer says what is true: accept what is believed, or override it."""
    with transaction.atomic():
        (question,) = question_state.locked([question.pk])
        question.verdict, question.decided_by, question.answers_wanted = value, by, 0
        question_state.update_state(question)
        question.save()
        _log(question, by, f"Decided: {'yes' if value else 'no'}.")
    return question


def reopen(*, question: Question, by: User) -> Question:
    """A reviewer wants more answers: any verdict is withdrawn, gold is gold no longer."""
    with transaction.atomic():
        (question,) = question_state.locked([question.pk])
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


def _set_blocked(annotator: Annotator, blocked: bool, by: User) -> int:
    """The newest answers lose or gain their weight at once, all others when all is recomputed."""
    with transaction.atomic():
        annotator_now = Annotator.objects.select_for_update(no_key=True).get(pk=annotator.pk)
        annotator.blocked = annotator_now.blocked = blocked
        if not blocked:
            _trust_again(annotator_now)
        annotator_now.save()
        _log(annotator_now, by, "Blocked." if blocked else "Unblocked.")
    theirs = Answer.objects.filter(annotator=annotator).order_by("-created_at")
    newest = list(theirs.values_list("question_id", flat=True)[: AT_ONCE + 1])
    if len(newest) > AT_ONCE:
        schedule.request_all()
    return answers.reconsider(questions=newest[:AT_ONCE])


def _trust_again(annotator: Annotator) -> None:
    """Whoever is unblocked is no longer suspect for what they did."""
    annotator.drift_score, annotator.suspect_since = 0.0, None
    if annotator.suspect_from is not None:
        last = annotator.answers.order_by("-created_at").values_list("pk", flat=True).first()
        annotator.suspect_to = annotator.suspect_to or (last or 0) + 1


def _log(row: Model, by: User, message: str) -> None:
    LogEntry.objects.log_actions(by.pk, [row], CHANGE, change_message=message, single_object=True)
