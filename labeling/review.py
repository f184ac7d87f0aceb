"""A reviewer decides: what is true of a question, and whose answers count."""

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from labeling import (
    audit,
    comments,
    excluding,
    gold,
    presence,
    question_posteriors,
    question_state,
    snapshot_marks,
)
from labeling.inference import schedule
from labeling.models import Annotator, Answer, Comment, Concept, Event, Question, Tile
from labeling.questions import ask_pairs

State = Question.State
AT_ONCE = 1_000  # newest answers of a blocked annotator whose questions are recomputed at once


class PairError(ValueError):
    """A pair cannot be decided; the message says why and what to do."""


class Changed(ValueError):
    """Somebody else decided in the meantime; the message says who and what."""


def decide(
    *, question: Question, value: bool, by: User, note: str = "", seen: str | None = None
) -> Question:
    """Set what is true, as a reviewer accepts or overrides the posterior. Gold stays gold.

    note: why; it is kept with what else was said about the question. seen: the question's
    `standing` as the reviewer saw it; raises Changed if it is another by now. Raises PictureGone.
    """
    with transaction.atomic():
        _check(question, seen)
        if Question.objects.filter(pk=question.pk, state=State.GOLD).exists():
            question = _mark_gold(question, value, by)
        else:
            question = _lock(question)
            question.verdict, question.decided_by, question.answers_wanted = value, by, 0
            question_state.update_state(question)
            question_state.save_decided([question])
            excluding.follow([question])
            _record(question, by, f"Decided “{question.wording}”: {'yes' if value else 'no'}.")
        _keep(note, question, by)
    return question


def decide_pair(*, tile: Tile, concept: Concept, value: bool, by: User) -> tuple[Question, bool]:
    """Decide whether a tile shows a concept; the question is stored if it was implicit.

    Return the question, and whether it is new. What was decided so already stays as it is. Raises
    PairError for a concept that is gone, was merged, or belongs to another project, and
    PictureGone.
    """
    with transaction.atomic():
        locked = Concept.objects.select_for_update(of=("self",), no_key=True)
        stored = locked.select_related("project", "merged_into").filter(pk=concept.pk).first()
        if stored is None or stored.project_id != tile.image.project_id:
            raise PairError(f"The picture's project has no concept “{concept}”.")
        if stored.merged_into is not None:
            raise PairError(
                f"“{stored}” was merged into “{stored.merged_into}”: decide about that."
            )
        if not Tile.objects.filter(pk=tile.pk).exists():  # no removal begins from here on
            raise presence.PictureGone
        pair = tile.pk, stored.pk
        new = ask_pairs(project=stored.project, pairs=[pair], reason=Question.Reason.DECIDED)
        question = Question.objects.get(tile=tile, concept=stored)
        if question.decided_by_id is None or question.verdict != value:
            question = decide(question=question, value=value, by=by)
    return question, bool(new)


def reopen(*, question: Question, by: User, note: str = "", seen: str | None = None) -> Question:
    """Ask for more answers: withdraw any verdict; gold is gold no longer.

    note, seen: as of `decide`.
    """
    with transaction.atomic():
        _check(question, seen)
        question = _lock(question)
        if question.state == State.GOLD:
            gold.unmark(question=question, by=by, settle=False, record=False)
        question.verdict, question.decided_by, question.state = None, None, State.OPEN
        question.answers_wanted = question.answers_count + question.project.answers_min
        question_posteriors.recompute_locked([question])
        question_state.save_decided([question])
        excluding.follow([question])
        _record(question, by, f"Reopened “{question.wording}”.")
        _keep(note, question, by)
    return question


def describe_change(question: Question) -> str:
    """Say what somebody did to a question since it was seen otherwise: "decided yes by ada …"."""
    by = question.decided_by_id or 0
    name = User.objects.filter(pk=by).values_list("username", flat=True).first()
    done = {"": "reopened", "yes": "decided yes", "no": "decided no"}.get(
        question.standing, "made gold"
    )
    return f"{done} by {name} since you looked" if name else f"{done} since you looked"


def block(*, annotator: Annotator, by: User) -> int:
    """Let an annotator's answers weigh nothing; return how many labels or states changed."""
    return _set_blocked(annotator, True, by)


def unblock(*, annotator: Annotator, by: User) -> int:
    """Let an annotator's answers count again; return how many labels or states changed."""
    return _set_blocked(annotator, False, by)


def _set_blocked(annotator: Annotator, blocked: bool, by: User) -> int:
    """Set it, and request the recomputation that it calls for, in one transaction.

    The questions of the newest answers are recomputed at once besides, for the reviewer to see.
    """
    with transaction.atomic():
        stored = Annotator.objects.lock(annotator.pk)
        annotator.blocked = stored.blocked = blocked
        if not blocked:
            _trust_again(stored)
        stored.save()
        (snapshot_marks.mark_blocked if blocked else snapshot_marks.unmark_blocked)(stored)
        schedule.request_all()
        audit.record(
            project=None,
            kind=Event.Kind.ANNOTATOR,
            message=f"{'Blocked' if blocked else 'Unblocked'} {stored}.",
            by=by,
            row=stored,
        )
    newest = Answer.objects.filter(annotator=annotator).order_by("-created_at")
    return question_posteriors.recompute(newest.values_list("question_id", flat=True)[:AT_ONCE])


def _trust_again(annotator: Annotator) -> None:
    """Count the answers to come of an annotator who is unblocked, whatever they did before."""
    annotator.drift_score = 0.0
    if annotator.suspect:
        last = annotator.answers.order_by("-pk").values_list("pk", flat=True).first()
        annotator.end_suspect_spell(stop=(last or 0) + 1, now=timezone.now())


def _lock(question: Question) -> Question:
    """Return a question as it is now, locked. Raises PictureGone."""
    for locked in question_state.lock([question.pk]):
        return locked
    raise presence.PictureGone


def _check(question: Question, seen: str | None) -> None:
    """Lock a question, and raise Changed if it is not as it was seen."""
    if seen is None:
        return
    for locked in Question.objects.select_for_update(no_key=True).filter(pk=question.pk):
        if locked.standing != seen:
            raise Changed(
                f"“{question.wording}” was {describe_change(locked)}: nothing was changed."
            )


def _mark_gold(question: Question, value: bool, by: User) -> Question:
    if question.concept is None:
        return gold.mark_caption(question=question, value=value, by=by)
    return gold.mark(tile=question.tile, concept=question.concept, value=value, by=by)


def _record(question: Question, by: User, message: str) -> None:
    audit.record(
        project=question.project,
        kind=Event.Kind.DECISION,
        message=message,
        by=by,
        row=question,
    )


def _keep(note: str, question: Question, by: User) -> None:
    """Keep the note on a decision, if there is any text in it."""
    if comments.clean(note):
        comments.remark(question=question, text=note, by=by, kind=Comment.Kind.DECISION)
