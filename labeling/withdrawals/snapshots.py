"""Mark the snapshots that hold answers or captions which are taken back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import F, Max, Q, QuerySet

from labeling.models import Answer, Question, RemovedAnswer, Snapshot

# (id of an answer, whether it is about a picture that a model drew)
Given = tuple[int, bool]


@dataclass(frozen=True)
class Held:
    """Up to which ids a snapshot holds what people gave, and how much that was."""

    newest_answer: int
    newest_caption: int
    count: int


def mark(project_id: int, *, answers: Iterable[Given] = (), captions: Sequence[int] = ()) -> None:
    """Count, in each snapshot that holds some of these, how many were withdrawn.

    One that is being published is waited for; one that is written still counts by itself. Call it
    inside the transaction that deletes them, after the questions are locked.
    """
    rows = list(answers)
    if not rows and not captions:
        return
    first = min((pk for pk, _ in rows), default=None)
    holds = Q(state=Snapshot.State.FREEZING)
    if first is not None:
        holds |= Q(newest_answer__gte=first)
    if captions:
        holds |= Q(newest_caption__gte=min(captions))
    held = Snapshot.objects.filter(holds, project=project_id).order_by("pk")
    for snapshot in held.select_for_update(of=("self",), no_key=True):
        count = sum(
            pk <= snapshot.newest_answer and (snapshot.include_generated or not generated)
            for pk, generated in rows
        )
        count += sum(pk <= snapshot.newest_caption for pk in captions)
        if count:
            Snapshot.objects.filter(pk=snapshot.pk).update(withdrawn=F("withdrawn") + count)


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
    archived = RemovedAnswer.objects.filter(project=snapshot.project_id, answer_id__lte=answer)
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
