"""What annotators and reviewers say about tiles beside their answers: flags, remarks and notes."""

import unicodedata
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from labeling import audit, presence
from labeling.models import Annotator, Challenge, Comment, Event, Project, Question, Tile

Kind = Comment.Kind
FLAG_KINDS = [(kind.value, kind.label) for kind in Kind if kind in Comment.FLAGS]
REVIEWER_KINDS = [(Kind.REMARK.value, Kind.REMARK.label), *FLAG_KINDS]  # reviewers remark, too
LONGEST = 1_000  # characters of a text
_HIDDEN = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # turn text around


class CommentError(ValueError):
    """Something cannot be said; the message says why and what to do."""


def clean(text: str) -> str:
    """Return a text without control characters, but for line breaks, and without blank ends."""
    lines = "\n".join(text.splitlines())
    kept = (each for each in lines if each == "\n" or not _is_control(each))
    return "".join(kept).strip()[:LONGEST].rstrip()


def flag(
    *,
    tile: Tile,
    kind: str,
    text: str = "",
    question: Question | None = None,
    annotator: Annotator | None = None,
    user: AbstractBaseUser | None = None,
) -> tuple[Comment, bool]:
    """Flag a tile, by an annotator or a user; return the flag, and whether it is new.

    Whoever flags a tile twice as the same kind has flagged it once; the first text stays. Raises
    CommentError for a kind that is no flag, and PictureGone.
    """
    if kind not in Comment.FLAGS:
        raise CommentError(
            _("Say what is wrong: %(kinds)s.") % {"kinds": ", ".join(sorted(Comment.FLAGS))}
        )
    author = {"annotator": annotator} if annotator else {"user_id": user.pk if user else None}
    with transaction.atomic():
        presence.hold(question=question, tile=tile)
        return Comment.objects.get_or_create(
            tile=tile,
            kind=kind,
            **author,
            defaults={
                "project_id": tile.image.project_id,
                "question": question,
                "text": clean(text),
            },
        )


def shows(challenge: Challenge, number: int) -> bool:
    """Return whether a challenge shows a tile of that number, from 1, or a sentence."""
    return 1 <= number <= len(challenge.sentences or _tiles(challenge))


def flag_challenge(
    *, challenge: Challenge, number: int, kind: str, text: str = ""
) -> tuple[Comment, bool]:
    """Flag a tile of a challenge by its number from 1, for the annotator who was shown it.

    Raises CommentError for a number that the challenge does not show, and PictureGone.
    """
    if not shows(challenge, number):
        raise CommentError(_("The challenge has no such picture."))
    tile, asked = _shown(challenge, number)
    annotator = challenge.annotator
    return flag(tile=tile, kind=kind, text=text, question=asked, annotator=annotator)


def remark(
    *, question: Question, text: str, by: AbstractBaseUser, kind: str = Kind.REMARK
) -> Comment:
    """Say something about a question, or with kind DECISION, why it was decided so.

    Raises CommentError without any text, and PictureGone.
    """
    text = clean(text)
    if not text:
        raise CommentError(_("Write a few words first."))
    with transaction.atomic():
        presence.hold(question=question, tile=question.tile)
        return Comment.objects.create(
            project=question.project,
            tile=question.tile,
            question=question,
            user_id=by.pk,
            kind=kind,
            text=text,
        )


def resolve(*, comment: Comment, by: AbstractBaseUser) -> bool:
    """Say that a flag or remark was seen to; return whether it was open until now."""
    with transaction.atomic():
        now = timezone.now()
        resolved = Comment.objects.filter(pk=comment.pk, resolved_at=None).update(
            resolved_at=now, resolved_by=by.pk
        )
        if resolved:
            comment.resolved_at, comment.resolved_by_id = now, by.pk
            audit.record(
                project=comment.project,
                kind=Event.Kind.DECISION,
                message=f"Resolved “{comment.get_kind_display()}” of a picture.",
                by=by,
                row=comment.question or comment.tile,
            )
    return bool(resolved)


def open_flags(project: Project) -> QuerySet[Comment]:
    """Return a project's unresolved flags, the newest first; not those of blocked annotators."""
    flags = Comment.objects.filter(project=project, resolved_at=None, kind__in=Comment.FLAGS)
    return flags.filter(_is_visible()).order_by("-pk")


def of_question(question: Question) -> QuerySet[Comment]:
    """Return what was said about a question, or about its tile alone, the oldest first."""
    about = Q(question=question) | Q(question=None, tile=question.tile)
    also_flagged = Q(tile=question.tile, kind__in=Comment.FLAGS - {Kind.WORDING})
    comments = Comment.objects.filter(about | also_flagged, project=question.project)
    return comments.filter(_is_visible()).select_related("user", "annotator__user", "resolved_by")


def flagged_questions(project: Project, *, limit: int = 1_000) -> list[int]:
    """Return the ids of the questions whose tiles have the newest unresolved flags."""
    flags: list[tuple[Any, ...]] = list(open_flags(project).values_list("question", "tile")[:limit])
    asked = [question for question, _ in flags if question is not None]
    tiles = [tile for question, tile in flags if question is None]
    return [*asked, *Question.objects.filter(tile__in=tiles).values_list("pk", flat=True)]


def visible(project: Project) -> QuerySet[Comment]:
    """Return a project's comments, but for those of blocked annotators."""
    return Comment.objects.filter(_is_visible(), project=project)


def _shown(challenge: Challenge, number: int) -> tuple[Tile, Question | None]:
    """Return the tile of that number, and what is asked of it; of a sentence, its own question.

    The sentences of a text challenge count from its first option, 1, to what they are compared
    with, 3. Raises PictureGone.
    """
    if challenge.sentences:
        pk = [*challenge.sentences[1:], challenge.sentences[0]][number - 1]
        asked = Question.objects.select_related("tile__image").filter(pk=pk).first()
        tile = asked.tile if asked is not None else None
    else:
        rows = Tile.objects.select_related("image")
        tile = rows.filter(pk=_tiles(challenge)[number - 1]).first()
        asked = Question.objects.filter(pk__in=challenge.questions, tile=tile).first()
    if tile is None:
        raise presence.PictureGone
    return tile, asked


def _tiles(challenge: Challenge) -> list[int]:
    return challenge.tiles or ([challenge.tile_id] if challenge.tile_id else [])


def _is_visible() -> Q:
    return Q(annotator=None) | Q(annotator__blocked=False)


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cs"} or character in _HIDDEN
