"""Withdraw captions that somebody wrote: their words go, wherever they are kept."""

from collections.abc import Collection

from django.db import transaction

from labeling import images, removal
from labeling.models import Project, Question, RemovedAnswer


def delete(project: Project, questions: Collection[int]) -> tuple[int, int]:
    """Delete captions; return how many there were, and how many answers were archived with them.

    The words are their author's own, so they go even where others have answered about them: those
    answers are archived without the words and count for nothing. Call it inside a transaction that
    holds no other lock.
    """
    images.lock(project)
    rows = Question.objects.filter(
        pk__in=questions, project=project, source=Question.Source.ANNOTATOR
    )
    ids = list(rows.values_list("pk", flat=True))
    others = removal.withdraw_questions(ids)
    forget_words(ids)
    return len(ids), others


def forget_words(questions: Collection[int]) -> None:
    """Delete the words of captions from the archive of answers."""
    RemovedAnswer.objects.filter(question_id__in=questions, concept=None).update(text="")


@transaction.atomic
def forget_name(annotator_id: int) -> None:
    """Delete an annotator's name from the archive of answers."""
    archived = RemovedAnswer.objects.filter(annotator=annotator_id)
    archived.update(annotator=None, annotator_name="")
