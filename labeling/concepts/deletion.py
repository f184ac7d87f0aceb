"""Delete a concept that nobody has answered about; answers are never lost."""

from functools import partial

from django.contrib.admin.models import DELETION
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet

from labeling import audit, excluding, guides, pools, predictions
from labeling.concepts.edits import lock
from labeling.concepts.names import Conflict
from labeling.models import Answer, Concept, Event, Question


def answers_count(concept: Concept) -> int:
    """Return how many answers there are about it and about concepts that were merged into it."""
    return Answer.objects.filter(question__in=_questions(concept)).count()


def delete(concept: Concept, *, by: User | None = None) -> None:
    """Delete a concept with its questions; challenges that ask about it are gone with it.

    The import's class sets keep its place: a picture of its folder is still of no other class.
    Raises Conflict where it has answers.
    """
    with transaction.atomic():
        lock(concept.project)
        rows = Concept.objects.filter(pk=concept.pk)
        if not rows.select_for_update(no_key=True):  # no pool is filled from here on
            raise Conflict(f"“{concept}” is gone.")
        questions = _questions(concept).order_by("pk")
        list(questions.select_for_update().values_list("pk"))  # … no answer recorded …
        list(rows.select_for_update())  # … and no challenge issued about it
        if count := answers_count(concept):
            raise Conflict(refusal(concept, count))
        files = str(concept.predictions.name or ""), str(concept.text_embedding.name or "")
        for file in files:
            transaction.on_commit(partial(predictions.delete, file))
        pools.forget_priorities(concept.project)
        concept.merged.all().delete()
        audit.record(
            project=concept.project,
            kind=Event.Kind.CONCEPT,
            message=f"Deleted the concept “{concept}”, which nobody had answered about.",
            by=by,
            row=concept,
            action=DELETION,
        )
        guides.forget(concept)
        if concept.exclusive:  # what it ruled out as gold is open again
            excluding.request_all(concept.project, learn=True)
        concept.delete()


def refusal(concept: Concept, answers: int) -> str:
    """Say why a concept with so many answers cannot be deleted, and what to do."""
    noun = "answer" if answers == 1 else "answers"
    return (
        f"“{concept}” has {answers:,} {noun}, which are never deleted: "
        "switch it off, or merge it into another concept."
    )


def _questions(concept: Concept) -> QuerySet[Question]:
    return Question.objects.filter(Q(concept=concept) | Q(concept__merged_into=concept))
