"""What the answers add up to, and what reviewers decide."""

from dataclasses import dataclass

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, Exists, Model, OuterRef, Sum
from django.db.models.functions import Coalesce

from labeling import answers, quality, question_state
from labeling.inference import lease, model_prior, posteriors, prevalence
from labeling.models import Annotator, Answer, Project, Question

State = Question.State
AT_ONCE = 1_000  # answers of somebody blocked or unblocked whose questions do not have to wait


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


def recompute(*, project: Project) -> int | None:
    """Believe anew, from all answers at once, and rate all annotators. Gives how many changed.

    None where somebody is at it. Nobody who answers or decides meanwhile waits for longer than a
    batch, and nothing that they say is lost.
    """
    with lease.at_work(project) as work:
        if work is None:
            return None
        newest, complete = lease.newest()
        prevalence.update(work=work)
        model_prior.refresh(work=work)
        changed, blind = posteriors.believe(work, newest=newest)
        work.beat(changed=changed)
        quality.take(project=project, blind=blind)
        if complete:
            Project.objects.filter(pk=project.pk).update(aggregated_to=newest)
    return changed


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
        lease.want()
    return answers.reconsider(questions=newest[:AT_ONCE])


def _trust_again(annotator: Annotator) -> None:
    """Whoever is unblocked is no longer suspect for what they did."""
    annotator.doubt, annotator.suspect_since = 0.0, None
    if annotator.suspect_from is not None:
        last = annotator.answers.order_by("-created_at").values_list("pk", flat=True).first()
        annotator.suspect_to = annotator.suspect_to or (last or 0) + 1


def _log(row: Model, by: User, message: str) -> None:
    LogEntry.objects.log_actions(by.pk, [row], CHANGE, change_message=message, single_object=True)
