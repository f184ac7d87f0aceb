"""Count what a snapshot holds of what people gave, and what of that was taken back since."""

from dataclasses import dataclass

from django.db.models import Max, QuerySet

from labeling.models import Answer, Question, RemovedAnswer, Snapshot


@dataclass(frozen=True)
class Held:
    """Up to which ids a snapshot holds what people gave, and how much that was."""

    newest_answer: int
    newest_caption: int
    count: int


def held_now(snapshot: Snapshot) -> Held:
    """Return what a snapshot of this moment holds of what people gave."""
    answer = Answer.objects.aggregate(newest=Max("pk"))["newest"] or 0
    caption = _captions(snapshot).aggregate(newest=Max("pk"))["newest"] or 0
    return Held(answer, caption, _count(snapshot, answer=answer, caption=caption))


def withdrawn_since(snapshot: Snapshot, held: Held) -> int:
    """Return how much of what a snapshot holds was withdrawn since."""
    left = _count(snapshot, answer=held.newest_answer, caption=held.newest_caption)
    return max(0, held.count - left)


def _count(snapshot: Snapshot, *, answer: int, caption: int) -> int:
    """Count answers and captions up to these ids; answers archived with pictures are among them."""
    stored = Answer.objects.filter(question__project=snapshot.project_id, pk__lte=answer)
    archived = RemovedAnswer.objects.filter(
        project=snapshot.project_id, answer_id__lte=answer, undone=None
    )
    if not snapshot.include_generated:
        stored = stored.exclude(question__source=Question.Source.MODEL)
        archived = archived.exclude(image__generated=True)
    captions = _captions(snapshot).filter(pk__lte=caption)
    return stored.count() + archived.count() + captions.count()


def _captions(snapshot: Snapshot) -> QuerySet[Question]:
    """Return the captions that people wrote in a snapshot's project."""
    return Question.objects.filter(
        project=snapshot.project_id,
        kind=Question.Kind.CAPTION,
        source=Question.Source.ANNOTATOR,
    )
