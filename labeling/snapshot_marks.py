"""Mark the snapshots that hold what counts no longer.

That is answers and captions that are withdrawn, texts of imports that are taken back, and what
annotators said who are blocked.
"""

from collections.abc import Iterable, Sequence

from django.db.models import F, Func, Q, Value

from labeling.models import Annotator, Answer, Import, Question, Snapshot

# (id of an answer, whether it is about a picture that a model drew)
Given = tuple[int, bool]
_WRITTEN = (Snapshot.State.FREEZING, Snapshot.State.READY)


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


def mark_restated(record: Import, images: Iterable[int]) -> None:
    """Count, in each snapshot that holds what an import said of these pictures, how many there are.

    One that was written before the import began holds nothing of it. Call it inside the transaction
    that takes back what it said; the pictures themselves stay.
    """
    ids = sorted(set(images))
    if not ids or record.started_at is None:
        return
    held = Snapshot.objects.filter(
        project=record.project_id, newest_image__gte=ids[0], heartbeat_at__gte=record.started_at
    )
    for snapshot in held.order_by("pk").select_for_update(of=("self",), no_key=True):
        count = sum(pk <= snapshot.newest_image for pk in ids)
        Snapshot.objects.filter(pk=snapshot.pk).update(restated=F("restated") + count)


def mark_blocked(annotator: Annotator) -> None:
    """Mark the snapshots that hold answers or captions of an annotator who is blocked.

    One that is being published is waited for. Call it inside the transaction that blocks them.
    """
    answers = Answer.objects.filter(annotator=annotator)
    projects = set(answers.order_by().values_list("question__project", flat=True).distinct())
    projects |= set(Question.objects.filter(author=annotator).values_list("project", flat=True))
    held = Snapshot.objects.filter(project__in=projects, state__in=_WRITTEN).order_by("pk")
    for snapshot in held.select_for_update(of=("self",), no_key=True):
        if holds_answers_of(annotator.pk, snapshot):
            ids = sorted({*snapshot.blocked_annotators, annotator.pk})
            Snapshot.objects.filter(pk=snapshot.pk).update(blocked_annotators=ids)


def unmark_blocked(annotator: Annotator) -> None:
    """Take the marks of an annotator away whose answers count again."""
    marked = Snapshot.objects.filter(blocked_annotators__contains=[annotator.pk])
    removed = Func(F("blocked_annotators"), Value(annotator.pk), function="array_remove")
    marked.update(blocked_annotators=removed)


def holds_answers_of(annotator: int, snapshot: Snapshot) -> bool:
    """Whether a snapshot rests on answers or captions of an annotator that were not withdrawn."""
    answers = Answer.objects.filter(
        annotator=annotator, question__project=snapshot.project_id, pk__lte=snapshot.newest_answer
    )
    if not snapshot.include_generated:
        answers = answers.exclude(question__source=Question.Source.MODEL)
    captions = Question.objects.filter(
        author=annotator, project=snapshot.project_id, pk__lte=snapshot.newest_caption
    )
    return answers.exists() or captions.exists()
