"""What somebody answered and wrote, for their own eyes: a page at a time, in figures, or whole.

Nothing here tells gold in use from an open question: `labeling.results` says what is shown.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.http import Http404
from django.utils import timezone

from labeling import guides, languages, results, withdrawals
from labeling.models import (
    Annotator,
    Answer,
    Challenge,
    Comment,
    Practice,
    Project,
    Question,
    RemovedAnswer,
    Tile,
)
from labeling.results import Result

PAGE = 30  # answers, or captions, at a time
CHUNK = 2_000  # rows read at a time for the file with everything
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class NoSuchPage(ValueError):
    """A cursor names no place in the list."""


@dataclass(frozen=True)
class OwnAnswer:
    """An answer as its author sees it."""

    pk: int
    project: Project
    challenge: UUID | None
    subject: str  # what was asked about
    language: str  # tag of the subject
    direction: str  # in which it is written: "ltr" or "rtl", or "auto" for a sentence
    caption: bool  # whether the subject is a sentence about the picture
    value: bool
    answered_at: datetime
    result: Result

    @property
    def is_revealed(self) -> bool:
        """Whether it is long enough ago for its question's state to be shown, whichever it is."""
        return self.answered_at + results.REVEALED_AFTER <= timezone.now()


@dataclass(frozen=True)
class Page:
    """Some answers, the newest first."""

    answers: list[OwnAnswer]
    before: str  # the cursor of the next page; empty: there is none


@dataclass(frozen=True)
class InProject:
    """How much somebody gave to a project."""

    project: Project
    answers: int
    captions: int


@dataclass(frozen=True)
class Totals:
    """How much somebody gave: answers given = stored + about removed pictures + withdrawn."""

    projects: list[InProject]
    answers: int
    captions: int
    archived: int
    withdrawn: int


def page(
    annotator: Annotator,
    *,
    project: Project | None = None,
    before: str = "",
    wanted: Sequence[str] = (),
    count: int | None = None,
) -> Page:
    """Return a page of somebody's answers, by three queries at most. Raises NoSuchPage.

    before: the cursor that the page before gave. wanted: the languages that concepts are named in,
    the most wanted first; their phrases come from the cache. count: of answers at most.
    """
    count = count or PAGE
    rows = _newest(annotator, project)
    if before:
        moment, pk = _parse(before)
        rows = rows.filter(created_at__lte=moment).exclude(created_at=moment, pk__gte=pk)
    related = rows.select_related("question__concept__project", "question__project")
    given = list(related[: count + 1])  # one more than is shown: is there a next page?
    shown = given[:count]
    by_question = results.of_answers(shown)
    cursor = _cursor(shown[-1]) if len(given) > count else ""
    answers = [_own(answer, by_question[answer.question_id], wanted) for answer in shown]
    return Page(answers, cursor)


def captions(
    annotator: Annotator, *, project: Project | None = None, before: int | None = None
) -> list[Question]:
    """Return a page of the captions that somebody wrote, the newest first.

    before: the id of the last one of the page before.
    """
    rows = _written(annotator)
    if project is not None:
        rows = rows.filter(project=project)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return list(rows.select_related("project").order_by("-pk")[:PAGE])


def totals(annotator: Annotator) -> Totals:
    """Return how much somebody gave, by project."""
    answered = Answer.objects.filter(annotator=annotator).order_by()
    answers = dict(answered.values_list("question__project").annotate(Count("pk")))
    written = _written(annotator).order_by()
    sentences = dict(written.values_list("project").annotate(Count("pk")))
    projects = Project.objects.filter(pk__in=answers.keys() | sentences.keys())
    ledger = withdrawals.ledger(annotator=annotator)
    return Totals(
        [InProject(row, answers.get(row.pk, 0), sentences.get(row.pk, 0)) for row in projects],
        answers=ledger.stored,
        captions=sum(sentences.values()),
        archived=ledger.archived,
        withdrawn=ledger.withdrawn,
    )


def project_or_404(annotator: Annotator, slug: str | None) -> Project | None:
    """Return the project of a short name, to which somebody gave something; None without a name.

    Raises Http404 for any other: some are private.
    """
    if not slug:
        return None
    row = Project.objects.filter(slug=slug).first() if "\0" not in slug else None
    if row is None:
        raise Http404
    answered = Answer.objects.filter(annotator=annotator, question__project=row)
    if not answered.exists() and not _written(annotator).filter(project=row).exists():
        raise Http404
    return row


def answer(annotator: Annotator | None, pk: int) -> Answer | None:
    """Return one of somebody's own answers; None where it is not theirs, or gone."""
    if annotator is None:
        return None
    rows = Answer.objects.filter(annotator=annotator, pk=pk)
    return rows.select_related("question__tile__image", "question__project", "challenge").first()


def caption(annotator: Annotator | None, pk: int) -> Question | None:
    """Return a caption that somebody wrote; None where it is not theirs, or gone."""
    if annotator is None:
        return None
    return _written(annotator).filter(pk=pk).select_related("tile__image", "project").first()


def challenge(annotator: Annotator | None, pk: UUID) -> Challenge | None:
    """Return a challenge that was somebody's own; None where it is not theirs, or gone."""
    if annotator is None:
        return None
    return Challenge.objects.filter(annotator=annotator, pk=pk).first()


def tile(annotator: Annotator | None, pk: int, *, written: bool = False) -> Tile | None:
    """Return the tile of one of somebody's own answers, or of a caption that they wrote."""
    if written:
        own = caption(annotator, pk)
        return own.tile if own is not None else None
    given = answer(annotator, pk)
    return given.question.tile if given is not None else None


def export(annotator: Annotator) -> Iterator[str]:
    """Yield the parts of a JSON object with all that is kept of somebody's answers."""
    yield '{"name": ' + json.dumps(str(annotator))
    yield f', "since": {json.dumps(annotator.created_at.isoformat())}'
    for name, rows in (
        ("answers", _answer_rows(annotator)),
        ("answers_about_removed_pictures", _archived_rows(annotator)),
        ("captions", _caption_rows(annotator)),
        ("flags", _flag_rows(annotator)),
        ("practice", _practice_rows(annotator)),
        ("withdrawals", _withdrawal_rows(annotator)),
    ):
        yield f', "{name}": ['
        for number, row in enumerate(rows):
            yield (", " if number else "") + json.dumps(row, ensure_ascii=False)
        yield "]"
    yield "}\n"


def _own(row: Answer, result: Result, wanted: Sequence[str] = ()) -> OwnAnswer:
    question = row.question
    subject, language = question.wording, question.project.language
    if wanted and question.concept_id is not None:
        subject, language = guides.summary(question.concept_id).phrase_for(wanted)
    return OwnAnswer(
        pk=row.pk,
        project=question.project,
        challenge=row.challenge_id,
        subject=subject,
        language=language,
        direction="auto" if question.concept_id is None else languages.direction(language),
        caption=question.concept_id is None,
        value=row.value,
        answered_at=row.created_at,
        result=result,
    )


def _newest(annotator: Annotator, project: Project | None) -> QuerySet[Answer]:
    rows = Answer.objects.filter(annotator=annotator)
    if project is not None:
        rows = rows.filter(question__project=project)
    return rows.order_by("-created_at", "-pk")


def _written(annotator: Annotator) -> QuerySet[Question]:
    return Question.objects.filter(
        Q(author=annotator), kind=Question.Kind.CAPTION, source=Question.Source.ANNOTATOR
    )


def _cursor(row: Answer) -> str:
    return f"{(row.created_at - _EPOCH) // _MICROSECOND}-{row.pk}"


def _parse(cursor: str) -> tuple[datetime, int]:
    """Return the moment and the id in a cursor. Raises NoSuchPage."""
    moment, _, pk = cursor.partition("-")
    if not all(part.isascii() and part.isdecimal() and len(part) <= 18 for part in (moment, pk)):
        raise NoSuchPage(cursor)
    try:
        return _EPOCH + int(moment) * _MICROSECOND, int(pk)
    except OverflowError:
        raise NoSuchPage(cursor) from None


def _answer_rows(annotator: Annotator) -> Iterator[dict[str, Any]]:
    rows = Answer.objects.filter(annotator=annotator).order_by("pk")
    related = rows.select_related("question__concept", "question__project")
    for row in related.iterator(chunk_size=CHUNK):
        yield {
            "project": row.question.project.slug,
            "question": row.question.wording,
            "answer": "yes" if row.value else "no",
            "answered_at": row.created_at.isoformat(),
            "seconds": row.seconds,
        }


def _archived_rows(annotator: Annotator) -> Iterator[dict[str, Any]]:
    rows = RemovedAnswer.objects.filter(annotator=annotator).order_by("pk")
    for row in rows.select_related("project").iterator(chunk_size=CHUNK):
        yield {
            "project": row.project.slug,
            "question": row.text,
            "answer": "yes" if row.value else "no",
            "answered_at": row.answered_at.isoformat(),
            "seconds": row.seconds,
        }


def _caption_rows(annotator: Annotator) -> Iterator[dict[str, Any]]:
    rows = _written(annotator).select_related("project").order_by("pk")
    for row in rows.iterator(chunk_size=CHUNK):
        written_at = row.created_at.isoformat()
        yield {"project": row.project.slug, "text": row.text, "written_at": written_at}


def _flag_rows(annotator: Annotator) -> Iterator[dict[str, Any]]:
    rows = Comment.objects.filter(annotator=annotator).select_related("project").order_by("pk")
    for row in rows.iterator(chunk_size=CHUNK):
        yield {
            "project": row.project.slug,
            "kind": row.kind,
            "text": row.text,
            "flagged_at": row.created_at.isoformat(),
        }


def _practice_rows(annotator: Annotator) -> Iterator[dict[str, Any]]:
    for row in Practice.objects.filter(annotator=annotator).select_related("project"):
        yield {"project": row.project.slug, "answered": row.answered, "skipped": row.skipped}


def _withdrawal_rows(annotator: Annotator) -> Iterator[dict[str, Any]]:
    for row in annotator.withdrawals.select_related("project").order_by("pk"):
        yield {
            "project": row.project.slug,
            "answers": row.answers,
            "captions": row.captions,
            "withdrawn_at": row.created_at.isoformat(),
        }
