"""Withdraw answers at any time: one, one challenge's, or all of an annotator.

A batch is a transaction. Locks are taken in the order of an answer: challenges, the annotator, the
questions in the order of their ids; then snapshots and the project's recomputation. So a
recomputation, a snapshot that is frozen, and answers that come meanwhile are waited for or wait.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from labeling import audit, question_state, snapshot_marks, taken_back
from labeling.batches import batched
from labeling.models import (
    Annotator,
    Answer,
    Challenge,
    Event,
    Project,
    Question,
    RemovedAnswer,
    Withdrawal,
)
from labeling.numbers import count
from labeling.withdrawals import annotators, captions, questions

AT_ONCE = 1_000  # answers of one withdrawal whose questions are recomputed with it
BATCH = question_state.BATCH
MANY = 40  # answers withdrawn within `UNTOLD_TIME`: from then on nothing is told for as long
UNTOLD_TIME = timedelta(days=1)

Reason = Withdrawal.Reason


class AnswersDiffer(RuntimeError):
    """Answers that were to be withdrawn are not those that were: nothing is withdrawn."""


@dataclass(frozen=True)
class Withdrawn:
    """How much was withdrawn."""

    answers: int = 0
    captions: int = 0

    def plus(self, other: "Withdrawn") -> "Withdrawn":
        """Return both together."""
        return Withdrawn(self.answers + other.answers, self.captions + other.captions)

    def __str__(self) -> str:
        return f"{count(self.answers, 'answer')} and {count(self.captions, 'caption')}"


@dataclass(frozen=True)
class Ledger:
    """Where the answers of an annotator, or of a project, are: none is lost."""

    stored: int
    archived: int  # with pictures that were removed
    withdrawn: int

    @property
    def given(self) -> int:
        return self.stored + self.archived + self.withdrawn


def withdraw_answer(*, answer: Answer, reason: str = Reason.OWN, address: str = "") -> Withdrawn:
    """Withdraw one answer; one that is gone already is passed over.

    address: where the request comes from, as in `taken_back.note`.
    """
    rows = Answer.objects.filter(pk=answer.pk)
    written = Question.objects.none()
    return _withdraw(answer.annotator_id, rows, written, reason=reason, address=address)


def withdraw_caption(*, caption: Question, reason: str = Reason.OWN) -> Withdrawn:
    """Withdraw a caption that somebody wrote. Raises ValueError where nobody did."""
    if caption.author_id is None:
        raise ValueError("Only a caption that an annotator wrote can be withdrawn.")
    rows = Question.objects.filter(pk=caption.pk)
    return _withdraw(caption.author_id, Answer.objects.none(), rows, reason=reason)


def withdraw_challenge(
    *, challenge: Challenge, reason: str = Reason.OWN, address: str = ""
) -> Withdrawn:
    """Withdraw all answers to one challenge, or the caption that it asked for.

    address: as in `withdraw_answer`.
    """
    answers = Answer.objects.filter(challenge=challenge, annotator=challenge.annotator_id)
    written = Question.objects.filter(
        pk__in=challenge.questions, author=challenge.annotator_id, kind=Question.Kind.CAPTION
    )
    if challenge.kind != Challenge.Kind.WRITE or challenge.answered_at is None:
        written = written.none()
    else:
        written = written.filter(created_at__gte=challenge.answered_at)
    return _withdraw(challenge.annotator_id, answers, written, reason=reason, address=address)


def withdraw_all(
    *,
    annotator: Annotator,
    project: Project | None = None,
    reason: str = Reason.OWN,
    by: AbstractBaseUser | None = None,
    address: str = "",
) -> Withdrawn:
    """Withdraw all that an annotator answered and wrote, in one project or in all.

    by: the administrator who does it at the person's request. address: as in `withdraw_answer`.
    """
    answers = Answer.objects.filter(annotator=annotator)
    written = Question.objects.filter(author=annotator, source=Question.Source.ANNOTATOR)
    if project is not None:
        answers, written = (
            answers.filter(question__project=project),
            written.filter(project=project),
        )
    return _withdraw(annotator.pk, answers, written, reason=reason, by=by, address=address)


def ledger(*, annotator: Annotator | None = None, project: Project | None = None) -> Ledger:
    """Return where all answers of an annotator, in a project, or both, are now."""
    stored, archived = Answer.objects.order_by(), RemovedAnswer.objects.order_by()
    withdrawn = Withdrawal.objects.order_by()
    if annotator is not None:
        stored, archived = stored.filter(annotator=annotator), archived.filter(annotator=annotator)
        withdrawn = withdrawn.filter(annotator=annotator)
    if project is not None:
        stored = stored.filter(question__project=project)
        archived, withdrawn = archived.filter(project=project), withdrawn.filter(project=project)
    total = sum(withdrawn.values_list("answers", flat=True))
    return Ledger(stored.count(), archived.count(), total)


def _withdraw(
    annotator_id: int,
    answers: QuerySet[Answer],
    written: QuerySet[Question],
    *,
    reason: str,
    by: AbstractBaseUser | None = None,
    address: str = "",
) -> Withdrawn:
    """Withdraw answers and captions of one annotator, project by project."""
    by_project: dict[int, list[tuple[int, int]]] = {}
    columns = answers.order_by("question_id").values_list(
        "question__project_id", "pk", "question_id"
    )
    for project_id, pk, question_id in columns:
        by_project.setdefault(project_id, []).append((pk, question_id))
    captions_of: dict[int, list[int]] = {}
    for project_id, pk in written.order_by("pk").values_list("project_id", "pk"):
        captions_of.setdefault(project_id, []).append(pk)
    total = Withdrawn()
    concerned = by_project.keys() | captions_of.keys()
    for project in Project.objects.filter(pk__in=concerned).order_by("pk"):
        one = _Withdrawing(project, annotator_id, reason, by, address)
        one.answers(by_project.get(project.pk, []))
        one.captions(captions_of.get(project.pk, []))
        total = total.plus(one.finish())
    return total


class _Withdrawing:
    """Withdraws in one project, and keeps its account in one row."""

    def __init__(
        self,
        project: Project,
        annotator_id: int,
        reason: str,
        by: AbstractBaseUser | None,
        address: str,
    ) -> None:
        self.project, self.annotator_id = project, annotator_id
        self.reason, self.by, self.address = reason, by, address
        self.record: Withdrawal | None = None

    def answers(self, rows: Sequence[tuple[int, int]]) -> None:
        """Withdraw answers, given as (id, question id) in the order of their questions."""
        recompute = len(rows) <= AT_ONCE
        for batch in batched(rows, BATCH):
            with transaction.atomic():
                self._account(answers=self._delete(batch, recompute=recompute))

    def captions(self, ids: Sequence[int]) -> None:
        """Withdraw captions by the ids of their questions."""
        for batch in batched(ids, BATCH):
            with transaction.atomic():
                deleted, others = captions.delete(self.project, batch)
                snapshot_marks.mark(self.project.pk, captions=batch)
                self._account(captions=deleted, others=others)
                annotators.request_recomputation(self.project.pk)

    def finish(self) -> Withdrawn:
        """Write it into the project's history, without what was answered; return how much."""
        if self.record is None:
            return Withdrawn()
        self.record.refresh_from_db()
        withdrawn = Withdrawn(self.record.answers, self.record.captions)
        audit.record(
            project=self.project,
            kind=Event.Kind.ANNOTATOR,
            message=f"{withdrawn} of an annotator were withdrawn: "
            f"{self.record.get_reason_display()}.",
            by=self.by,
            row=self.record,
        )
        return withdrawn

    def _delete(self, batch: Sequence[tuple[int, int]], *, recompute: bool) -> int:
        """Delete a batch of answers; set questions and annotator by what remains."""
        ids = [pk for pk, _ in batch]
        rows = Answer.objects.filter(pk__in=ids, annotator=self.annotator_id)
        challenges = _lock_challenges(rows)
        annotator = Annotator.objects.lock(self.annotator_id)
        locked = question_state.lock([question for _, question in batch])
        given = {answer.question_id: answer for answer in rows}
        deleted, _ = rows.delete()
        if deleted != len(given):
            raise AnswersDiffer(f"Of {len(given):,} answers {deleted:,} were deleted.")
        concerned = [question for question in locked if question.pk in given]
        if self.reason != Reason.MERGED:  # where the account's own answer stands
            self._make_final(annotator, given)
        annotators.subtract(annotator, concerned, given=given, challenges=_emptied(challenges))
        if recompute:
            questions.recompute(concerned, given=given)
        gone = [(given[q.pk].pk, q.source == Question.Source.MODEL) for q in concerned]
        snapshot_marks.mark(self.project.pk, answers=gone)
        annotators.request_recomputation(self.project.pk)
        return deleted

    def _make_final(self, annotator: Annotator, questions: Collection[int]) -> None:
        """Ask these questions no more; tell who withdrew many nothing. It is still to be saved."""
        now = timezone.now()
        taken_back.note(
            annotator=annotator.pk,
            questions=questions,
            project=self.project.pk,
            address=self.address,
            now=now,
        )
        late = Withdrawal.objects.filter(annotator=annotator, created_at__gt=now - UNTOLD_TIME)
        if sum(late.values_list("answers", flat=True)) + len(questions) > MANY:
            annotator.untold_until = now + UNTOLD_TIME

    def _account(self, **counts: int) -> None:
        if not any(counts.values()):
            return
        if self.record is None:
            self.record = Withdrawal.objects.create(
                project=self.project,
                annotator_id=self.annotator_id,
                reason=self.reason,
                by_id=self.by.pk if self.by is not None else None,
            )
        added = {name: F(name) + number for name, number in counts.items()}
        Withdrawal.objects.filter(pk=self.record.pk).update(**added)


def _lock_challenges(answers: QuerySet[Answer]) -> list[Challenge]:
    """Lock the challenges of answers, and forget what would let them be undone as a whole."""
    ids = answers.filter(challenge__isnull=False).order_by().values_list("challenge", flat=True)
    rows = Challenge.objects.filter(pk__in=list(ids.distinct())).order_by("pk")
    locked = list(rows.select_for_update(of=("self",), no_key=True))
    Challenge.objects.filter(pk__in=[row.pk for row in locked]).update(
        states_before=[], posteriors_after=[]
    )
    return locked


def _emptied(challenges: Iterable[Challenge]) -> list[Challenge]:
    """Return those of locked challenges that have no answer left."""
    by_id = {challenge.pk: challenge for challenge in challenges}
    left = Answer.objects.filter(challenge__in=by_id).order_by().values_list("challenge", flat=True)
    return [by_id[pk] for pk in by_id.keys() - set(left)]
